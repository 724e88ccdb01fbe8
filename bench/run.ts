/**
 * `npm run bench`: what a local cluster of 3 MDS and 3 CS does through the library, with 3 replicas and real
 * processes, beside what the disk and TCP of this machine do in the same minutes. Prints a table and one line of
 * JSON. Options: --seconds S for each cell (default 3), --runs N (default 3, medians), --files N (default 100000).
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Lab } from "../src/cli/lab/lab.js";
import { type Cluster, connectCluster } from "../src/client/connect.js";
import { rawDisk, rawTcp } from "./baselines.js";
import { type Measurement, measurement, printMeasurement, rate } from "./measure.js";

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "3" },
    runs: { type: "string", default: "3" },
    files: { type: "string", default: "100000" },
  },
});
const seconds = Number(options.seconds);
const runs = Number(options.runs);
const fileCount = Number(options.files);

const SIZES = [
  ["4 KiB", 4 << 10],
  ["64 KiB", 64 << 10],
  ["1 MiB", 1 << 20],
] as const;
const DATA_BYTES = 256 << 20;

const results: Measurement[] = [];

function report(result: Measurement): void {
  results.push(result);
  printMeasurement(result);
}

/** The same cell several times, for its median. */
async function repeat(name: string, bytes: number, run: (round: number) => Promise<number>): Promise<void> {
  const found: number[] = [];
  for (let round = 0; round < runs; round++) found.push(await run(round));
  report(measurement(name, found, bytes));
}

async function benchMetadata({ fileSystem }: Cluster): Promise<void> {
  for (const depth of [1, 32]) {
    let made = 0;
    await repeat(`create, ${depth} in flight`, 0, async (round) => {
      const directory = await fileSystem.mkdir(`/create-${depth}-${round}`);
      return await rate(seconds, depth, (number) => {
        made = Math.max(made, number);
        return fileSystem.inodes.create({ parent: directory.ino, name: Buffer.from(`f${number}`), mode: 0o100644 });
      });
    });
    await repeat(`stat, ${depth} in flight`, 0, () =>
      rate(seconds, depth, (number) => fileSystem.stat(`/create-${depth}-0/f${number % 100}`)),
    );
  }
}

async function benchData({ fileSystem }: Cluster): Promise<void> {
  const handle = await fileSystem.open("/data", { access: "write", create: true });
  const fill = Buffer.alloc(1 << 20, 0x77);
  await rate(1e-9, 1, async () => undefined);
  for (let offset = 0; offset < DATA_BYTES; offset += fill.length) await handle.write(fill, offset);
  for (const [label, bytes] of SIZES) {
    const block = Buffer.alloc(bytes, 0x33);
    const places = DATA_BYTES / bytes;
    const place = (number: number): number =>
      bytes === 1 << 20 ? number % places : (number * 7919) % places;
    for (const depth of [1, 16]) {
      const kind = bytes === 1 << 20 ? "sequential" : "random";
      await repeat(`${kind} write ${label}, depth ${depth}`, bytes, () =>
        rate(seconds, depth, (number) => handle.write(block, place(number) * bytes)),
      );
      await repeat(`${kind} read ${label}, depth ${depth}`, bytes, () =>
        rate(seconds, depth, (number) => handle.read(place(number) * bytes, bytes)),
      );
    }
  }
  const small = Buffer.alloc(4096, 0x11);
  await repeat("random write 4 KiB + sync, depth 1", 4096, () =>
    rate(seconds, 1, async (number) => {
      await handle.write(small, ((number * 7919) % (DATA_BYTES / 4096)) * 4096);
      await handle.sync();
    }),
  );
  await handle.close();
}

async function benchScale(lab: Lab, { fileSystem }: Cluster): Promise<void> {
  let made = 0;
  for (let directory = 0; made < fileCount; directory++) {
    const { ino } = await fileSystem.mkdirp(`/many/${directory}`);
    const count = Math.min(1000, fileCount - made);
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < count)
        await fileSystem.inodes.create({ parent: ino, name: Buffer.from(`f${next++}`), mode: 0o100644 });
    };
    await Promise.all(Array.from({ length: 64 }, worker));
    made += count;
  }
  const began = performance.now();
  await lab.stopOne("mds", 1);
  const stopped = performance.now();
  await lab.startOne("mds", 1);
  const startSeconds = (performance.now() - stopped) / 1000;
  process.stdout.write(
    `MDS start with ${made} files: ${startSeconds.toFixed(2)} s (stop ${((stopped - began) / 1000).toFixed(2)} s)\n`,
  );
  results.push({
    name: "MDS start-up seconds",
    operationsPerSecond: startSeconds,
    megabytesPerSecond: 0,
    runs: [],
  });
}

async function reportMemory(lab: Lab): Promise<void> {
  for (const { kind, id, pid } of await lab.services()) {
    if (pid === undefined) continue;
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    const megabytes = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
    process.stdout.write(`${kind.toUpperCase()}#${id} RSS ${megabytes.toFixed(0)} MiB\n`);
    results.push({
      name: `${kind}#${id} RSS MiB`,
      operationsPerSecond: megabytes,
      megabytesPerSecond: 0,
      runs: [],
    });
  }
}

// On a real disk rather than wherever temporary files are.
const directory = await mkdtemp(join(process.cwd(), ".pstorage-bench-"));
const lab = await Lab.plan(join(directory, "lab"), { mdsCount: 3, csCount: 3 });
try {
  for (const result of await rawDisk(directory)) report(result);
  report(await rawTcp());
  await lab.start();
  const cluster = await connectCluster({ cluster: lab.clusterName, root: lab.root(1), program: "bench" });
  await cluster.fileSystem.setStorage("/", { replicas: 3, replicasMinimum: 2 });
  await benchMetadata(cluster);
  await benchData(cluster);
  await benchScale(lab, cluster);
  await reportMemory(lab);
  await cluster.close();
  for (const result of await rawDisk(directory)) report(result);
  process.stdout.write(`${JSON.stringify({ results })}\n`);
} finally {
  await lab.stop();
  await rm(directory, { recursive: true, force: true });
}
