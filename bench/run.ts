/**
 * `npm run bench`: what a cluster of 3 MDS and 3 CS on this machine does through the library, with 3 replicas and real
 * processes, beside what the disk and TCP of this machine do in the same minutes. Prints a table and one line of JSON;
 * docs/benchmarks.md says how to read them. Options: --seconds S for each run of a cell (default 1), --runs N (default 3;
 * the median counts), --files N (default 100000, 0 leaves that part out).
 */
import { mkdtemp, rm } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { Lab } from "../src/cli/lab/lab.js";
import { type Cluster, connectCluster } from "../src/client/connect.js";
import { diskCells, TcpBaseline } from "./baselines.js";
import { bufferedCells } from "./buffered-cells.js";
import { DEPTHS, dataCells, metadataCells, prepareData, SIZES, tcpName } from "./library-cells.js";
import { type Cell, median, type Result } from "./measure.js";
import { cpuMicros, loadAverage, residentMegabytes } from "./process-times.js";
import { measureScale, type Scale } from "./scale.js";
import { resultLine, scaleLines } from "./table.js";

// As docs/benchmarks.md advises every program that moves much data.
setFlagsFromString("--heap-growing-percent=1000");

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "1" },
    runs: { type: "string", default: "3" },
    files: { type: "string", default: "100000" },
  },
});
const seconds = Number(options.seconds);
const runs = Number(options.runs);
const files = Number(options.files);

const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    process.exitCode = 130;
    interrupted.abort(new Error("interrupted"));
  });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** All cells once, then again: what else the machine does meets all of them alike. */
async function runCells(cells: readonly Cell[], pids: readonly number[]): Promise<Result[]> {
  const rates = cells.map((): number[] => []);
  const costs = cells.map((): number[] => []);
  for (let round = 0; round < runs; round++) {
    for (const [index, cell] of cells.entries()) {
      process.stderr.write(`round ${round + 1} of ${runs}: ${cell.name}\x1b[K\r`);
      const before = cpuMicros(pids);
      const run = await cell.run(seconds, round);
      rates[index]?.push(run.operations / run.seconds);
      costs[index]?.push((cpuMicros(pids) - before) / run.operations);
    }
  }
  process.stderr.write("\x1b[K");
  return cells.map(({ name, bytes, baseline }, index) => ({
    name,
    bytes,
    baseline,
    rate: median(rates[index] ?? []),
    cpuMicros: median(costs[index] ?? []),
    rates: rates[index] ?? [],
  }));
}

async function measureCluster(
  lab: Lab,
  cluster: Cluster,
  tcp: TcpBaseline,
  directory: string,
): Promise<void> {
  const { signal } = interrupted;
  const loadBefore = loadAverage();
  const services = await lab.services();
  const pids = [process.pid, tcp.pid, ...services.flatMap(({ pid }) => pid ?? [])];
  const data = await prepareData(cluster, signal);
  const cells = [
    ...diskCells(directory, signal),
    ...SIZES.flatMap(([label, bytes]) =>
      DEPTHS.map((depth) => tcp.cell(tcpName(label, depth), bytes, depth, signal)),
    ),
    ...metadataCells(cluster, signal),
    ...dataCells(cluster, data, signal),
    ...bufferedCells(cluster, signal),
  ];
  const results = await runCells(cells, pids);
  await data.close();
  for (const result of results) say(resultLine(result, results));
  const csResidentMegabytes = Math.max(
    ...services.flatMap(({ kind, pid }) =>
      kind === "cs" && pid !== undefined ? [residentMegabytes(pid)] : [],
    ),
  );
  say(`CS: ${csResidentMegabytes.toFixed(0)} MB resident`);
  let scale: Scale | undefined;
  if (files > 0) {
    scale = await measureScale(lab, cluster, files, signal);
    for (const line of scaleLines(scale)) say(line);
  }
  const load = [loadBefore, loadAverage()];
  say(`load average before and after: ${load.join(", ")} on ${cpus().length} cores`);
  say(
    JSON.stringify({
      date: new Date().toISOString(),
      cores: cpus().length,
      load,
      results,
      csResidentMegabytes,
      scale,
    }),
  );
}

async function bench(): Promise<void> {
  // On the disk of the checkout, rather than wherever temporary files are: that may be memory.
  const directory = await mkdtemp(join(process.cwd(), ".pstorage-bench-"));
  const lab = await Lab.plan(join(directory, "lab"), { mdsCount: 3, csCount: 3 });
  const tcp = await TcpBaseline.start();
  try {
    await lab.start(undefined, interrupted.signal);
    const cluster = await connectCluster({ cluster: lab.clusterName, root: lab.root(1), program: "bench" });
    // Requests that wait for a cluster in trouble end too.
    interrupted.signal.addEventListener("abort", () => void cluster.close());
    try {
      await cluster.fileSystem.setStorage("/", { replicas: 3, replicasMinimum: 2 });
      await measureCluster(lab, cluster, tcp, directory);
    } finally {
      await cluster.close();
    }
  } finally {
    tcp.close();
    await lab.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

try {
  await bench();
} catch (error) {
  if (!interrupted.signal.aborted) throw error;
  process.stderr.write("\ninterrupted; everything was stopped and removed\n");
}
