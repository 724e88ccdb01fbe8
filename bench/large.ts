/**
 * `npm run bench:large`: one metadata server with a million files, 200,000 chunks and 1,000 chunk servers. How fast it starts, what
 * memory it needs, how much slower requests are than with a thousand files, what heartbeats cost, and how fast a hundredth of the servers
 * is replaced. The chunk servers are toys of this process. Options: --files N, --chunks N, --servers N, --rounds N (requests of each kind).
 */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { openAdmin } from "../src/cli/cluster-access.js";
import { Lab } from "../src/cli/lab/lab.js";
import { ownCredential } from "../src/cli/setup/own-credential.js";
import { type Cluster, connectCluster } from "../src/client/connect.js";
import { clientAddressOf } from "../src/discovery/index.js";
import type { ClusterStatus } from "../src/meta/index.js";
import { GROWN, growState, IN_DIRECTORY } from "./grown-state.js";
import { median } from "./measure.js";
import { cpuMicros, loadAverage, residentMegabytes } from "./process-times.js";
import { ToyServers } from "./toy-servers.js";

const { values: options } = parseArgs({
  options: {
    files: { type: "string", default: "1000000" },
    chunks: { type: "string", default: "200000" },
    servers: { type: "string", default: "1000" },
    rounds: { type: "string", default: "2000" },
  },
});
const files = Number(options.files);
const chunks = Number(options.chunks);
const servers = Number(options.servers);
const rounds = Number(options.rounds);
const SMALL = 1000;
const NOTHING = new Uint8Array(0);
/** In flight, where the rate is what counts. */
const CLIENTS = 64;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

interface Timed {
  /** Microseconds, medians. */
  readonly [request: string]: number;
}

/** Every kind of request, one at a time, at random places among the first `count` files of the tree. */
async function requests(cluster: Cluster, directory: string, count: number): Promise<Timed> {
  const { fileSystem } = cluster;
  const kinds: Record<string, (path: string, i: number) => Promise<unknown>> = {
    stat: (path) => fileSystem.stat(path),
    create: (path, i) => fileSystem.writeFile(`${path}.new${i}`, NOTHING),
    rename: (path, i) => fileSystem.rename(`${path}.new${i}`, `${path}.moved${i}`),
    remove: (path, i) => fileSystem.unlink(`${path}.moved${i}`),
    "list 1,000": (path) => listOf(cluster, path.slice(0, path.lastIndexOf("/"))),
  };
  const times = new Map<string, number[]>(Object.keys(kinds).map((kind) => [kind, []]));
  for (let i = 0; i < rounds; i++) {
    const at = Math.floor(((i * 0.618_033_988_75) % 1) * count);
    const path = `/${directory}/d${Math.floor(at / IN_DIRECTORY)}/f${at % IN_DIRECTORY}`;
    for (const [kind, request] of Object.entries(kinds)) {
      if (kind.startsWith("list") && i % 20 > 0) continue;
      const began = performance.now();
      await request(path, i);
      times.get(kind)?.push((performance.now() - began) * 1000);
    }
  }
  return Object.fromEntries(Array.from(times, ([kind, all]) => [kind, median(all)]));
}

async function listOf({ fileSystem }: Cluster, path: string): Promise<number> {
  let count = 0;
  for await (const _ of fileSystem.readdir(path)) count++;
  return count;
}

/** Stats in a second with so many in flight. */
async function together(cluster: Cluster, directory: string, count: number): Promise<number> {
  let next = 0;
  const total = rounds * 10;
  const began = performance.now();
  const worker = async (): Promise<void> => {
    while (next < total) {
      const at = Math.floor(((next++ * 0.618_033_988_75) % 1) * count);
      await cluster.fileSystem.stat(`/${directory}/d${Math.floor(at / IN_DIRECTORY)}/f${at % IN_DIRECTORY}`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, worker));
  return (total * 1000) / (performance.now() - began);
}

/** What the metadata server used of a core in that time, as a share of one. */
async function busyOver(pid: number, seconds: number): Promise<number> {
  const before = cpuMicros([pid]);
  await sleep(seconds * 1000);
  return (cpuMicros([pid]) - before) / (seconds * 1e6);
}

/** Resolves with the seconds it took, or fails after that many. */
async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  seconds: number,
): Promise<number> {
  const began = performance.now();
  while (!(await condition())) {
    if (performance.now() - began > seconds * 1000) throw new Error(`${what}: not within ${seconds} s`);
    await sleep(100);
  }
  return (performance.now() - began) / 1000;
}

function compare(after: Timed, before: Timed): void {
  for (const [kind, micros] of Object.entries(after)) {
    const small = before[kind] ?? 1;
    say(
      `  ${kind.padEnd(12)} ${micros.toFixed(0).padStart(6)} us, ${small.toFixed(0).padStart(6)} us with ${SMALL} files: ` +
        `${(micros / small).toFixed(2)} (goal 2)`,
    );
  }
}

async function run(): Promise<void> {
  const directory = await mkdtemp(join(process.cwd(), ".pstorage-bench-"));
  const lab = await Lab.plan(join(directory, "lab"), { mdsCount: 1, csCount: 1 });
  const connected = (): Promise<Cluster> =>
    connectCluster({ cluster: lab.clusterName, root: lab.root(1), program: "bench" });
  try {
    await lab.start();
    const small = await connected();
    // The toys are all on this host.
    await small.fileSystem.setStorage("/", { failureDomain: "disk", replicas: 3, replicasMinimum: 2 });
    for (let i = 0; i < SMALL; i++) {
      if (i % IN_DIRECTORY === 0) await small.fileSystem.mkdirp(`/small/d${i / IN_DIRECTORY}`);
      await small.fileSystem.writeFile(
        `/small/d${Math.floor(i / IN_DIRECTORY)}/f${i % IN_DIRECTORY}`,
        NOTHING,
      );
    }
    // The code of the server is compiled by then, as it is when the same is asked below.
    await requests(small, "small", SMALL);
    const before = await requests(small, "small", SMALL);
    const rateBefore = await together(small, "small", SMALL);
    await small.close();
    await lab.stop();

    const host = lab.host(1);
    const credential = await ownCredential(host, lab.clusterName);
    const growth = { files, chunks, servers, hostId: credential.hostId };
    let began = performance.now();
    const inventories = await growState(lab.repository("mds", 1), growth, (done) => {
      if (process.stderr.isTTY) process.stderr.write(`made ${done} of ${files} files\x1b[K\r`);
    });
    say(
      `${files} files, ${chunks} chunks and ${servers} chunk servers made in ${((performance.now() - began) / 1000).toFixed(0)} s`,
    );

    began = performance.now();
    await lab.startOne("mds", 1);
    const pid = (await lab.service("mds", 1)).pid ?? 0;
    const resident = (): string => `${residentMegabytes(pid).toFixed(0)} MB resident`;
    say(`started in ${((performance.now() - began) / 1000).toFixed(2)} s (goal 5), ${resident()} (goal 500)`);

    const [mdsAddress = ""] = lab.mdsAddresses;
    const toys = new ToyServers(credential, clientAddressOf(mdsAddress), inventories);
    const cluster = await connected();
    const admin = await openAdmin(host, lab.clusterName);
    const health = async (): Promise<ClusterStatus["chunks"]> => (await admin.admin.status()).chunks;
    try {
      await requests(cluster, GROWN, files);
      compare(await requests(cluster, GROWN, files), before);
      const rate = await together(cluster, GROWN, files);
      say(
        `  stat, ${CLIENTS} in flight: ${rate.toFixed(0)}/s, ${rateBefore.toFixed(0)}/s with ${SMALL} files, which the client knows soon; ${resident()}`,
      );

      toys.start();
      const attached = await until(() => toys.attachedCount === servers, "all servers attached", 120);
      say(
        `${servers} chunk servers with ${3 * chunks} replicas attached in ${attached.toFixed(1)} s, ${resident()}`,
      );
      const healthy = await until(async () => (await health()).healthy === chunks, "all chunks healthy", 300);
      say(`all chunks healthy ${healthy.toFixed(1)} s later`);
      say(`heartbeats: ${(100 * (await busyOver(pid, 10))).toFixed(0)} % of a core, ${servers} in a second`);

      await admin.admin.setConfig({ name: "mds.wd.offline_tout", value: "2000" });
      await admin.admin.setConfig({ name: "mds.repair.max_syncs", value: "100" });
      const lost = Math.ceil(servers / 100);
      await toys.stop(lost);
      await until(async () => (await health()).healthy < chunks, "chunks degraded", 60);
      began = performance.now();
      say(`while ${lost} servers are replaced: ${(100 * (await busyOver(pid, 5))).toFixed(0)} % of a core`);
      await until(async () => (await health()).healthy === chunks, "all chunks healthy", 600);
      const seconds = (performance.now() - began) / 1000;
      say(
        `healthy again after ${seconds.toFixed(0)} s: ${toys.counts.filled} replicas filled, ` +
          `${(toys.counts.filled / seconds).toFixed(0)} in a second; ${resident()}`,
      );
      say(`load average ${loadAverage()}`);
    } finally {
      await toys.close();
      await admin.close();
      await cluster.close();
    }
  } finally {
    await lab.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

await run();
