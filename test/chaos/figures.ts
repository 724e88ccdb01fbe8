import { readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { type Cluster, connectCluster, type FileHandle } from "../../src/client/connect.js";
import { ClusterHarness } from "../cluster/harness.js";

/**
 * `npm run figures [-- --gib N] [-- --only kill,hang,leader,copy]`: what clients notice of faults, and how long a lost copy takes to be
 * made anew, on a real cluster of 3 metadata and 4 chunk servers on this machine with three copies of everything. Prints a table for
 * docs/reliability.md, with the load of the machine beside each figure: on a busy one they say little.
 */
const { values: flags } = parseArgs({
  options: {
    gib: { type: "string", default: "1" },
    only: { type: "string", default: "kill,hang,leader,copy" },
  },
});
const BLOCK_BYTES = 4096;
const MIB = 1 << 20;
const CS_COUNT = 4;
const CHUNK_BYTES = 64 * MIB;
/** So long a server is away, and so long everything runs before and after. */
const AWAY_MS = 8000;
const CALM_MS = 1500;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const say = (line: string): void => void process.stdout.write(`${line}\n`);
/** Processes that want to run, on average over a minute, and processor seconds of all since the last look. */
let lastCpu = cpuSeconds();
function load(): string {
  const cpu = cpuSeconds();
  const used = cpu - lastCpu;
  lastCpu = cpu;
  return `load ${loadavg()[0]?.toFixed(1)}, ${used.toFixed(0)} CPU s on this machine`;
}

function cpuSeconds(): number {
  const [user = 0, nice = 0, system = 0] =
    readFileSync("/proc/stat", "utf8").split("\n")[0]?.split(/\s+/).slice(1).map(Number) ?? [];
  return (user + nice + system) / 100;
}

/** Calls one after the other until it is stopped. */
class Caller {
  readonly #call: () => Promise<unknown>;
  #isOver = false;
  #running: Promise<void>;
  readonly #allMs: number[] = [];

  constructor(call: () => Promise<unknown>) {
    this.#call = call;
    this.#running = this.#run();
  }

  /** How long each call took, ms, ascending. Fails if one failed. */
  async stop(): Promise<number[]> {
    this.#isOver = true;
    await this.#running;
    return this.#allMs.sort((a, b) => a - b);
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const beganMs = performance.now();
      await this.#call();
      this.#allMs.push(performance.now() - beganMs);
      await pause(1);
    }
  }
}

/** How long the calls of each kind took while `trouble` was made, ms, ascending. */
async function during(
  calls: readonly (() => Promise<unknown>)[],
  trouble: () => Promise<void>,
): Promise<number[][]> {
  const callers = calls.map((call) => new Caller(call));
  await trouble();
  return await Promise.all(callers.map((caller) => caller.stop()));
}

/** The longest call of each kind while `trouble` is made. */
async function longest(
  calls: readonly (() => Promise<unknown>)[],
  trouble: () => Promise<void>,
): Promise<number[]> {
  const all = await during(calls, async () => {
    await pause(CALM_MS);
    await trouble();
  });
  return all.map((ms) => ms.at(-1) ?? 0);
}

const row = (what: string, values: readonly number[]): void => {
  const sorted = [...values].sort((a, b) => a - b).map((ms) => Math.round(ms));
  say(`| ${what} | ${sorted.join(", ")} ms | ${load()} |`);
};

async function chunkServerAway(
  harness: ClusterHarness,
  handle: FileHandle,
  signal: "SIGKILL" | "SIGSTOP",
): Promise<void> {
  const block = new Uint8Array(BLOCK_BYTES).fill(7);
  const found: number[][] = [];
  for (let host = 1; host <= CS_COUNT; host++) {
    const at = (): number => Math.floor(Math.random() * 256) * BLOCK_BYTES;
    found.push(
      await longest([() => handle.write(block, at()), () => handle.read(at(), BLOCK_BYTES)], async () => {
        await harness.lab.kill("cs", host, signal);
        await pause(AWAY_MS);
        if (signal === "SIGSTOP") await harness.lab.kill("cs", host, "SIGCONT");
        else await harness.lab.startOne("cs", host);
        await pause(CALM_MS);
      }),
    );
    await harness.until(
      ({ chunks, chunkServers }) =>
        chunks.healthy === chunks.total && chunkServers.every(({ status }) => status === "active"),
      "all is whole again",
    );
  }
  const what = signal === "SIGKILL" ? "is killed" : "hangs (SIGSTOP)";
  row(
    `longest write of 4 KiB while each chunk server in turn ${what}`,
    found.map(([write = 0]) => write),
  );
  row(
    `longest read of 4 KiB while each chunk server in turn ${what}`,
    found.map(([, read = 0]) => read),
  );
}

async function leaderAway(
  harness: ClusterHarness,
  { fileSystem }: Cluster,
  handle: FileHandle,
): Promise<void> {
  const block = new Uint8Array(BLOCK_BYTES).fill(9);
  const found: number[][] = [];
  for (let round = 0; round < 3; round++) {
    let number = 0;
    const host = await harness.leaderHost();
    found.push(
      await longest(
        [
          () => fileSystem.writeFile(`/names-${round}-${number++ % 100}`, new Uint8Array(10)),
          () => handle.write(block, BLOCK_BYTES * (number % 256)),
        ],
        async () => {
          await harness.lab.kill("mds", host);
          await pause(AWAY_MS / 2);
          await harness.lab.startOne("mds", host);
          await pause(CALM_MS);
        },
      ),
    );
    await harness.until(
      ({ mdsServers }) => mdsServers.every(({ status }) => status === "avail"),
      "all are there",
    );
  }
  row(
    "longest creation of a file while the leading MDS is killed",
    found.map(([name = 0]) => name),
  );
  row(
    "longest write of an open file meanwhile",
    found.map(([, write = 0]) => write),
  );
}

async function copyAnew(harness: ClusterHarness, { fileSystem }: Cluster, gib: number): Promise<void> {
  const handle = await fileSystem.open("/big", { access: "write", create: true, buffered: true });
  const bytes = new Uint8Array(4 * MIB).map((_, index) => index % 251);
  for (let done = 0; done < gib * 1024 * MIB; done += bytes.length) await handle.write(bytes, done);
  await handle.close();
  await harness.until(({ chunks }) => chunks.healthy === chunks.total, "all is written");
  await harness.run(["set-config", "mds.wd.offline_tout=1000"]);
  load();
  await loseOne(harness, CS_COUNT, `${gib} GiB`);
}

/** A chunk server is lost. Resolves when what it had was copied. */
async function loseOne(harness: ClusterHarness, host: number, what: string): Promise<void> {
  const { id } = await harness.lab.service("cs", host);
  await harness.lab.kill("cs", host);
  const isGone = await harness.until(
    ({ chunkServers }) => chunkServers.some(({ csId, status }) => csId === id && status === "offline"),
    "it is offline",
  );
  const beganMs = performance.now();
  await harness.until(({ chunks }) => chunks.healthy === chunks.total && chunks.total > 0, "all is copied");
  const lost = isGone.chunks.total - isGone.chunks.healthy;
  const seconds = (performance.now() - beganMs) / 1000;
  say(
    `| copying ${lost} chunks of ${CHUNK_BYTES / MIB} MiB anew, of ${what}, after a chunk server was lost | ${seconds.toFixed(1)} s | ${load()} |`,
  );
}

/** What users of a file notice of it: most calls, and the slowest one of a hundred. After `copyAnew`: what was lost is empty. */
async function copyBeside(harness: ClusterHarness, handle: FileHandle, gib: number): Promise<void> {
  const block = new Uint8Array(BLOCK_BYTES).fill(5);
  const at = (): number => Math.floor(Math.random() * 256) * BLOCK_BYTES;
  const calls = [() => handle.write(block, at()), () => handle.read(at(), BLOCK_BYTES)];
  await harness.lab.startOne("cs", CS_COUNT);
  await harness.until(
    ({ chunks, chunkServers }) =>
      chunks.healthy === chunks.total && chunkServers.every(({ status }) => status === "active"),
    "all is whole again",
  );
  load();
  const calm = await during(calls, () => pause(AWAY_MS));
  const percentiles = (ms: readonly number[] = []): string =>
    [0.5, 0.99].map((share) => (ms[Math.floor(ms.length * share)] ?? 0).toFixed(1)).join(" and ");
  const tell = (kind: string, when: string, ms: readonly number[] | undefined): void =>
    say(`| ${kind} of 4 KiB ${when}, median and 99th percentile | ${percentiles(ms)} ms | ${load()} |`);
  const busy = await during(calls, () =>
    loseOne(harness, CS_COUNT - 1, `${gib} GiB, beside readers and writers`),
  );
  for (const [index, kind] of ["write", "read"].entries()) {
    tell(kind, "while nothing is copied", calm[index]);
    tell(kind, "while the copies are made", busy[index]);
  }
}

async function main(): Promise<void> {
  const only = flags.only.split(",");
  const harness = await ClusterHarness.start({ mdsCount: 3, csCount: CS_COUNT });
  try {
    const { lab } = harness;
    const cluster = await connectCluster({ cluster: lab.clusterName, root: lab.root(1), localReads: false });
    await cluster.fileSystem.setStorage("/", { replicas: 3, replicasMinimum: 2, chunkBytes: CHUNK_BYTES });
    const handle = await cluster.fileSystem.open("/file", { access: "write", create: true });
    await handle.write(new Uint8Array(MIB), 0);
    load();
    if (only.includes("kill")) await chunkServerAway(harness, handle, "SIGKILL");
    if (only.includes("hang")) await chunkServerAway(harness, handle, "SIGSTOP");
    if (only.includes("leader")) await leaderAway(harness, cluster, handle);
    if (only.includes("copy")) {
      await copyAnew(harness, cluster, Number(flags.gib));
      await copyBeside(harness, handle, Number(flags.gib));
    }
    await handle.close();
    await cluster.close();
  } finally {
    await harness.close();
  }
}

main().then(
  () => process.exit(0),
  (error: Error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
