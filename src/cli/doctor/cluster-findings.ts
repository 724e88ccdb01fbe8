import type { ClusterStatus, CsStatus, MdsStatus } from "../../meta/index.js";
import { formatSize } from "../output.js";
import { type Finding, fail, ok, warn } from "./finding.js";

/** Free space below these parts of all is worth a word. */
const FREE_PART_WARN = 0.2;
const FREE_PART_FAIL = 0.05;
/** Space that copies on different hosts cannot use, as a part of all. */
const UNUSABLE_PART_WARN = 0.1;
/** Of those that keep the level from being raised. */
const HOLDERS_SHOWN = 3;

/** What the picture of the cluster tells about its health; the commands are for the cluster of that name. */
export function clusterFindings(status: ClusterStatus): Finding[] {
  const servers = status.chunkServers.filter((server) => server.status !== "dropped");
  return [
    ...mdsFindings(status),
    ...levelFindings(status),
    ...servers.flatMap((server) => csFindings(status, server)),
    ...copyFindings(status, servers),
    ...hostFindings(status.clusterName, servers),
    ...spaceFindings(status, servers),
    ...chunkFindings(status),
  ];
}

function mdsFindings({ clusterName, mdsServers }: ClusterStatus): Finding[] {
  const count = mdsServers.length;
  const findings = mdsServers
    .filter(({ status }) => status !== "avail")
    .map((server) => silentMds(clusterName, server));
  const makeMore = `pstorage -c ${clusterName} make-mds -a IP -r DIR on another host`;
  if (count === 1)
    findings.push(warn("MDS", "there is one metadata server: without it nothing works", makeMore));
  else if (count % 2 === 0) {
    const text = `${count} metadata servers survive the loss of no more than ${count - 1} do; 3 or 5 are best`;
    findings.push(warn("MDS", text, makeMore));
  }
  const hosts = new Set(mdsServers.map(({ address }) => hostOf(address)));
  if (hosts.size < count && !mdsServers.every(({ address }) => address.startsWith("127.")))
    findings.push(
      warn(
        "MDS",
        `${count} metadata servers on ${hosts.size} hosts: one host's loss takes several`,
        `${makeMore}, then pstorage -c ${clusterName} rm-mds ${doubledMds(mdsServers)}`,
      ),
    );
  return findings.length > 0 ? findings : [ok("MDS", `${count} metadata servers, all available`)];
}

/** One that shares its host with another; rather not the one that leads. */
function doubledMds(servers: readonly MdsStatus[]): number | undefined {
  const shares = servers.filter(({ address }) => {
    const host = hostOf(address);
    return servers.filter((other) => hostOf(other.address) === host).length > 1;
  });
  return (shares.find(({ isLeader }) => !isLeader) ?? shares[0])?.mdsId;
}

/** An earlier MDS does not say anything about levels. */
function levelFindings({ level, levelHeldBy }: ClusterStatus): Finding[] {
  if (levelHeldBy.length === 0) return [];
  const shown = levelHeldBy.slice(0, HOLDERS_SHOWN).join("; ");
  const more = levelHeldBy.length - HOLDERS_SHOWN;
  const text = `the cluster works at level ${level}; a higher one waits for: ${shown}${more > 0 ? `; and ${more} more` : ""}`;
  const update =
    "npm install -g pstorage there, then restart its servers and mounts (docs/operating/upgrade.md)";
  return [warn("level", text, update)];
}

function silentMds(clusterName: string, { mdsId, address, status }: MdsStatus): Finding {
  const subject = `MDS#${mdsId}`;
  if (status === "learner" || status === "stale")
    return warn(
      subject,
      `it is ${status}: it has not caught up with the others yet`,
      `pstorage -c ${clusterName} get-event tells when it has; if it does not: look at its disk and its load`,
    );
  const start = `pstorage-mdsd start on ${hostOf(address)}; if it is lost: make-mds --replace ${mdsId} (docs/operating/replace-an-mds.md)`;
  return fail(subject, `it does not answer at ${address}`, start);
}

function csFindings({ clusterName }: ClusterStatus, server: CsStatus): Finding[] {
  const { csId, status, address, flags } = server;
  const subject = `CS#${csId}`;
  const findings: Finding[] = [];
  const replace = `pstorage -c ${clusterName} rm-cs --wait ${csId}, then make-cs on another disk (docs/operating/replace-a-disk.md)`;
  if (status === "inactive" || status === "offline")
    findings.push(
      fail(
        subject,
        `it is ${status} (${address})`,
        `pstorage-csd start on ${hostOf(address)}; if its disk is lost: ${replace}`,
      ),
    );
  else if (status === "maintenance") {
    const text = `it was stopped in order (${address}): nothing is replicated for it until mds.wd.maintenance_tout is over`;
    findings.push(warn(subject, text, `pstorage-csd start on ${hostOf(address)} when the work is done`));
  } else if (status.startsWith("failed"))
    findings.push(fail(subject, `it has failed, flags ${flags}`, replace));
  else if (/[HSR]/.test(flags)) findings.push(fail(subject, `its disk has failed, flags ${flags}`, replace));
  else if (flags.includes("h"))
    findings.push(
      warn(subject, "damaged blocks were found on its disk and mended (flag h); more may follow", replace),
    );
  return findings;
}

function copyFindings(
  { clusterName, replicas, replicasMinimum }: ClusterStatus,
  servers: readonly CsStatus[],
): Finding[] {
  const hosts = new Set(servers.map(({ hostId }) => hostId)).size;
  const setThree = `pstorage -c ${clusterName} set-attr -p -R / replicas=3:2`;
  if (replicas === 1)
    return [warn("copies", "new files are kept once: the loss of a disk loses data", setThree)];
  if (servers.length < replicas) {
    const text = `${servers.length} chunk servers for ${replicas} copies: writers get fewer, or wait`;
    return [fail("copies", text, `${moreDisks(clusterName)}, or set-attr with fewer replicas`)];
  }
  if (hosts < replicas) {
    const text = `${hosts} hosts for ${replicas} copies: with failure-domain=host, the default, writers get fewer, or wait`;
    return [
      warn("copies", text, `pstorage -c ${clusterName} set-attr -p -R / failure-domain=disk, or more hosts`),
    ];
  }
  if (replicas === replicasMinimum)
    return [
      warn(
        "copies",
        `replicas=${replicas}:${replicasMinimum}: the loss of one server stops writers until it is repaired`,
        `pstorage -c ${clusterName} set-attr -p -R / replicas=${replicas}:${replicas - 1}`,
      ),
    ];
  if (hosts === replicas)
    return [
      warn(
        "copies",
        `${hosts} hosts for ${replicas} copies: when one is lost there is none to copy to`,
        `pstorage -c ${clusterName} make-cs -r DIR on another host`,
      ),
    ];
  return [ok("copies", `replicas=${replicas}:${replicasMinimum} on ${hosts} hosts`)];
}

/** Images of machines that were copied with their identity. */
function hostFindings(clusterName: string, servers: readonly CsStatus[]): Finding[] {
  const addresses = new Map<string, Set<string>>();
  for (const { hostId, address } of servers) {
    const known = addresses.get(hostId) ?? new Set();
    addresses.set(hostId, known.add(hostOf(address)));
  }
  return [...addresses]
    .filter(([, { size }]) => size > 1)
    .map(([hostId, names]) =>
      fail(
        `host ${hostId}`,
        `several hosts have this id (${[...names].sort().join(", ")}): copies may all lie on one of them, or none where they should`,
        `rm /etc/pstorage/host_id on the copied host, with its servers stopped; then pstorage -c ${clusterName} auth-node`,
      ),
    );
}

function spaceFindings(
  { clusterName, space, replicas }: ClusterStatus,
  servers: readonly CsStatus[],
): Finding[] {
  const { totalBytes, freeBytes, allocatableBytes } = space;
  if (totalBytes === 0) return [];
  const free = `${formatSize(freeBytes)} of ${formatSize(totalBytes)} are free`;
  const more = `${moreDisks(clusterName)}, or delete files`;
  const findings: Finding[] = [];
  if (freeBytes < FREE_PART_FAIL * totalBytes) findings.push(fail("space", free, more));
  else if (freeBytes < FREE_PART_WARN * totalBytes) findings.push(warn("space", free, more));
  for (const server of servers) {
    if (server.totalBytes > 0 && server.freeBytes < FREE_PART_FAIL * server.totalBytes)
      findings.push(
        warn(`CS#${server.csId}`, `its disk is full but for ${formatSize(server.freeBytes)}`, more),
      );
  }
  const unusable = totalBytes - allocatableBytes * replicas;
  if (replicas > 1 && unusable > UNUSABLE_PART_WARN * totalBytes) {
    const text = `${formatSize(unusable)} of ${formatSize(totalBytes)} cannot be used: copies go to different hosts, and these are too unequal`;
    findings.push(
      warn(
        "balance",
        text,
        `pstorage -c ${clusterName} make-cs -r DIR on the smaller hosts, or on another one`,
      ),
    );
  }
  return findings.length > 0 ? findings : [ok("space", free)];
}

const moreDisks = (clusterName: string): string => `pstorage -c ${clusterName} make-cs -r DIR on more disks`;

function chunkFindings({ clusterName, chunks }: ClusterStatus): Finding[] {
  const { offline, blocked, pending, urgent, degraded, standby } = chunks;
  const look = `pstorage -c ${clusterName} repair --dry-run tells what is about to be done`;
  const findings: Finding[] = [];
  if (offline > 0)
    findings.push(
      fail(
        "chunks",
        `${offline} have no server that is there: their files wait`,
        "pstorage-csd start on the hosts of the chunk servers that are missing (stat)",
      ),
    );
  if (blocked + pending > 0)
    findings.push(
      fail("chunks", `${blocked + pending} have fewer copies than the minimum: writers wait`, look),
    );
  if (urgent + degraded > 0)
    findings.push(
      warn("chunks", `${urgent + degraded} have fewer copies than they should; they are being copied`, look),
    );
  if (standby > 0)
    findings.push(
      warn(
        "chunks",
        `${standby} wait for a server that has been silent for a short time`,
        "pstorage-csd start on its host (stat says which it is); otherwise they are copied by and by",
      ),
    );
  return findings.length > 0 ? findings : [ok("chunks", `all ${chunks.total} are where they should be`)];
}

/** A host that knows some metadata servers only finds nobody when those are away. `listed`: what its bs.list names. */
export function listFindings(
  { clusterName, mdsServers }: ClusterStatus,
  listed: readonly string[],
): Finding[] {
  if (listed.length === 0 || listed.length >= mdsServers.length) return [];
  const lacking = mdsServers.map(({ address }) => address).filter((address) => !listed.includes(address));
  const text = `it lacks ${lacking.join(", ")}: this host finds nobody when the others are away`;
  return [warn("bs.list", text, `pstorage -c ${clusterName} auth-node`)];
}

/** More than that between two clocks is confusing; more than the other breaks certificates. */
const CLOCK_MS_WARN = 1000;
const CLOCK_MS_FAIL = 60_000;

/** The clock of this host beside that of the leading MDS, by an answer that took so long. */
export function clockFinding(leaderMs: number, askedMs: number, answeredMs: number): Finding {
  // It was told somewhere between.
  const early = leaderMs < askedMs ? askedMs - leaderMs : 0;
  const late = leaderMs > answeredMs ? leaderMs - answeredMs : 0;
  const offMs = Math.max(early, late);
  if (offMs <= CLOCK_MS_WARN) return ok("clock", "it agrees with that of the leading MDS");
  const text = `it is ${(offMs / 1000).toFixed(1)} s ${late > 0 ? "behind" : "ahead of"} that of the leading MDS`;
  const remedy = "apt-get install chrony, on every host: it synchronises their clocks";
  return offMs > CLOCK_MS_FAIL ? fail("clock", text, remedy) : warn("clock", text, remedy);
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}
