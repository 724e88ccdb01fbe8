import { execFile } from "node:child_process";
import { fdatasyncSync, writeSync } from "node:fs";
import { access, constants, open, readFile, rm, stat, statfs } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { credentialPath, loadCredential, needsRenewal } from "../../auth/index.js";
import { failureOf } from "../../base/index.js";
import { clientAddressOf } from "../../discovery/index.js";
import type { Host } from "../host.js";
import { formatSize } from "../output.js";
import { type LocalService, localServices, serviceName } from "../service-control.js";
import { type Finding, fail, ok, warn } from "./finding.js";
import { nameFindings } from "./name-findings.js";

const CONNECT_MS = 2000;
const DAY_MS = 86_400_000;
/** An MDS that cannot write its log stops. */
const MDS_FREE_BYTES_FAIL = 512 * 1024 * 1024;
const FLUSHES = 16;
/** No disk writes and flushes a block in that time; a cache that forgets at power loss does. */
export const FLUSH_MS_HONEST = 0.02;
const FILE_SYSTEMS_GOOD = new Set(["ext4", "xfs", "btrfs", "ext3", "zfs"]);

/** What this host says of itself: its papers, its way to the cluster, its disks, its daemons. */
export async function hostFindings(host: Host, clusterName: string): Promise<Finding[]> {
  const services = [
    ...(await localServices(host.files, "mds")),
    ...(await localServices(host.files, "cs")),
  ].filter((service) => service.clusterName === clusterName);
  const found = [
    ...(await credentialFindings(host, clusterName)),
    ...(await nameFindings(host, clusterName)),
    ...(await addressFindings(host, clusterName)),
    ...(await Promise.all(services.map((service) => serviceFindings(service)))).flat(),
    ...(await sharedDiskFindings(services)),
    ...(await bootFindings(services)),
  ];
  return found;
}

async function credentialFindings({ files, world }: Host, clusterName: string): Promise<Finding[]> {
  const path = credentialPath(files.root, clusterName);
  const renew = `pstorage -c ${clusterName} auth-node`;
  const subject = "certificate";
  try {
    const { certificate } = await loadCredential(world.disk, files.root, clusterName);
    const nowMs = world.clock.wallMs();
    const days = Math.floor((certificate.notAfterMs - nowMs) / DAY_MS);
    const findings: Finding[] = [];
    if (days < 0)
      findings.push(fail(subject, "it has expired: nobody in the cluster talks to this host", renew));
    else if (needsRenewal(certificate, nowMs))
      findings.push(warn(subject, `it expires in ${days} days`, renew));
    else findings.push(ok(subject, `good for ${days} days`));
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0)
      findings.push(
        fail(subject, `others may read ${path}: it holds the key of this host`, `chmod 600 ${path}`),
      );
    return findings;
  } catch (error) {
    if (failureOf(error)?.code === "not_found")
      return [fail(subject, `this host is no member of "${clusterName}"`, renew)];
    return [fail(subject, `${path}: ${failureOf(error)?.detail ?? String(error)}`, renew)];
  }
}

async function addressFindings({ files }: Host, clusterName: string): Promise<Finding[]> {
  const addresses = await files.bootstrapAddresses(clusterName);
  const path = files.bootstrapFile(clusterName);
  if (addresses.length === 0)
    return [
      warn(
        "bs.list",
        "it names no MDS: this host depends on DNS or multicast",
        `pstorage -c ${clusterName} auth-node -b IP of an MDS: it writes ${path}`,
      ),
    ];
  const silent: string[] = [];
  await Promise.all(
    addresses.map(async (address) =>
      (await answers(clientAddressOf(address))) ? undefined : silent.push(address),
    ),
  );
  if (silent.length === 0) return [ok("bs.list", `all ${addresses.length} MDSs in it can be reached`)];
  const text = `nothing listens at ${silent.sort().join(", ")} (ports PORT and PORT+1)`;
  const remedy = `pstorage-mdsd start there, or open the ports in firewalls, or take it out of ${path}`;
  return [silent.length === addresses.length ? fail("bs.list", text, remedy) : warn("bs.list", text, remedy)];
}

function answers(address: string): Promise<boolean> {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(address.slice(colon + 1)), timeout: CONNECT_MS });
    const end = (isThere: boolean) => (): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once("connect", end(true)).once("error", end(false)).once("timeout", end(false));
  });
}

async function serviceFindings(service: LocalService): Promise<Finding[]> {
  const { kind, directory, pid } = service;
  const subject = serviceName(service);
  const isThere = await access(join(directory, "identity.json")).then(
    () => true,
    () => false,
  );
  if (!isThere)
    return [fail(subject, `${directory} is not there`, "mount its disk, and have it in /etc/fstab")];
  const findings: Finding[] = [];
  if (pid === undefined)
    findings.push(fail(subject, "it does not run", `pstorage-${kind}d start ${directory}`));
  else findings.push(...(await limitFindings(subject, pid)));
  return [...findings, ...(await diskFindings(service, subject))];
}

async function limitFindings(subject: string, pid: number): Promise<Finding[]> {
  const limits = await readFile(`/proc/${pid}/limits`, "utf8").catch(() => "");
  const [, files] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  if (files === undefined || Number(files) >= 4096) return [];
  return [
    warn(
      subject,
      `it may open ${files} files at once only`,
      "pstorage install-services, or ulimit -n 65536 before it is started",
    ),
  ];
}

async function diskFindings({ kind, directory }: LocalService, subject: string): Promise<Finding[]> {
  const type = await fileSystemType(directory);
  if (type === "tmpfs" || type === "ramfs")
    return [
      fail(
        subject,
        `${directory} is in memory: everything is lost with the power`,
        replacementOf(kind, "a directory of a disk"),
      ),
    ];
  const findings: Finding[] = [];
  if (type !== undefined && !FILE_SYSTEMS_GOOD.has(type))
    findings.push(
      warn(
        subject,
        `${directory} is on ${type}; ext4 or xfs on a local disk are what it is made for`,
        replacementOf(kind, "a disk with mkfs.ext4"),
      ),
    );
  const { bavail, bsize } = await statfs(directory);
  if (kind === "mds" && bavail * bsize < MDS_FREE_BYTES_FAIL)
    findings.push(
      fail(
        subject,
        `${formatSize(bavail * bsize)} are left for its log; it stops when it is full`,
        `du -xh on the disk of ${directory}, and make room there`,
      ),
    );
  try {
    await access(directory, constants.W_OK);
    const flushMs = await measureFlush(directory);
    const text = `a flush of its disk takes ${flushMs.toFixed(2)} ms`;
    if (flushMs < FLUSH_MS_HONEST)
      findings.push(
        warn(
          subject,
          `${text}: too fast to be true; it may lose data with the power`,
          "pstorage-hwflush-check: it tells for certain (docs/operating/troubleshooting.md)",
        ),
      );
    else findings.push(ok(subject, `${type ?? "file system"}, ${text}`));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    const remedy =
      code === "EROFS"
        ? "dmesg says why; repair the file system and mount it again"
        : "dmesg says more of the disk";
    findings.push(fail(subject, `its disk cannot be written: ${code}`, remedy));
  }
  return findings;
}

/** Nothing moves a repository: another one is made, and this one given up. */
function replacementOf(kind: LocalService["kind"], place: string): string {
  return kind === "cs"
    ? `pstorage make-cs on ${place}, then rm-cs --wait this one (docs/operating/replace-a-disk.md)`
    : `pstorage make-mds --replace on ${place} (docs/operating/replace-an-mds.md)`;
}

/** Mean time of writing a block and flushing it. No thread of Node.js is in between: handing over to one takes longer than a cache. */
export async function measureFlush(directory: string): Promise<number> {
  const path = join(directory, `.doctor-${process.pid}`);
  const file = await open(path, "w");
  try {
    const block = Buffer.alloc(4096, 1);
    await file.write(block, 0, block.length, 0);
    await file.datasync();
    const began = performance.now();
    for (let i = 0; i < FLUSHES; i++) {
      writeSync(file.fd, block, 0, block.length, i * block.length);
      fdatasyncSync(file.fd);
    }
    return (performance.now() - began) / FLUSHES;
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

/** Of whatever is mounted nearest above the directory. */
async function fileSystemType(directory: string): Promise<string | undefined> {
  const run = promisify(execFile);
  const { stdout } = await run("stat", ["-f", "-c", "%T", directory]).catch(() => ({ stdout: "" }));
  const name = stdout.trim().split("/")[0];
  return name === "" || name === undefined ? undefined : (STAT_NAMES[name] ?? name);
}

/** stat(1) has one word for the family. */
const STAT_NAMES: Readonly<Record<string, string>> = { ext2: "ext4" };

async function sharedDiskFindings(services: readonly LocalService[]): Promise<Finding[]> {
  const onDevice = new Map<number, LocalService[]>();
  for (const service of services) {
    const found = await stat(service.directory).catch(() => undefined);
    if (found !== undefined) onDevice.set(found.dev, [...(onDevice.get(found.dev) ?? []), service]);
  }
  const findings: Finding[] = [];
  for (const list of onDevice.values()) {
    const servers = list.filter(({ kind }) => kind === "cs");
    const names = servers.map(serviceName).join(", ");
    if (servers.length > 1)
      findings.push(
        warn(
          "disks",
          `${names} share one disk: it is counted several times, and lost at once`,
          replacementOf("cs", "a disk for each of them"),
        ),
      );
    if (servers.length > 0 && list.some(({ kind }) => kind === "mds"))
      findings.push(
        warn(
          "disks",
          `an MDS shares the disk of ${names}: both wait for it`,
          replacementOf("mds", "an SSD of its own"),
        ),
      );
  }
  return findings;
}

async function bootFindings(services: readonly LocalService[]): Promise<Finding[]> {
  const isBooted = await access("/run/systemd/system").then(
    () => true,
    () => false,
  );
  if (!isBooted || services.length === 0) return [];
  const names = await Promise.all(
    ["mdsd", "csd"].map((name) =>
      access(`/etc/systemd/system/pstorage-${name}.target`).then(
        () => true,
        () => false,
      ),
    ),
  );
  if (names.every((isThere) => isThere)) return [ok("boot", "systemd starts the servers of this host")];
  return [warn("boot", "nothing starts the servers of this host when it boots", "pstorage install-services")];
}
