/**
 * `npm run bench:mount`: a mounted cluster of 3 MDS and 3 CS on this machine, files in 3 replicas, under fio and small-file
 * jobs, in turns with other directories of the same machine: a local disk, and whatever --peer names. Prints a
 * table and one line of JSON. docs/benchmarks.md says how to read it, and how to set a peer up.
 *   --seconds S (10) of each timed run · --runs N (3; medians count) · --size BYTES (1g) of the file · --files N (5000)
 *   --peer NAME=DIR ... · --peer-cold NAME=COMMAND ... empties its client's caches · --peer-pids NAME=COMMAND ... prints its pids
 *   --jobs TEXT,TEXT only jobs whose names contain one of these
 */
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Lab } from "../src/cli/lab/lab.js";
import { mountLab, unmountLab } from "../src/cli/lab/lab-mount.js";
import { median } from "./measure.js";
import { FIO_JOBS, output, runFio } from "./mount/fio-jobs.js";
import { makeTree, runSmallFiles, SMALL_FILE_STEPS } from "./mount/small-files.js";
import { cpuMicros, loadAverage } from "./process-times.js";

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "10" },
    runs: { type: "string", default: "3" },
    size: { type: "string", default: "1g" },
    files: { type: "string", default: "5000" },
    peer: { type: "string", multiple: true, default: [] },
    "peer-cold": { type: "string", multiple: true, default: [] },
    "peer-pids": { type: "string", multiple: true, default: [] },
    jobs: { type: "string", default: "" },
  },
});
const runs = Number(options.runs);
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => interrupted.abort(new Error("interrupted")));
}
const { signal } = interrupted;

/** A directory that is measured. */
interface Target {
  readonly name: string;
  readonly directory: string;
  makeCold(): Promise<void>;
  pids(): Promise<readonly number[]>;
}

/** One line of the table: for each target the runs. */
interface Row {
  readonly name: string;
  readonly unit: string;
  readonly rates: Map<string, number[]>;
  /** Processor seconds of daemons and mount, for each GiB or for the whole step. */
  readonly cpu: Map<string, number[]>;
}

const rows = new Map<string, Row>();

function note(row: Pick<Row, "name" | "unit">, target: Target, rate: number, cpu: number | undefined): void {
  const known = rows.get(row.name) ?? { ...row, rates: new Map(), cpu: new Map() };
  rows.set(row.name, known);
  known.rates.set(target.name, [...(known.rates.get(target.name) ?? []), rate]);
  if (cpu !== undefined) known.cpu.set(target.name, [...(known.cpu.get(target.name) ?? []), cpu]);
  process.stderr.write(
    `${row.name}: ${target.name} ${rate.toFixed(2)} ${row.unit} (load ${loadAverage()})\n`,
  );
}

async function shell(command: string): Promise<string> {
  return await output("sh", ["-c", command], signal);
}

const dropCaches = (): Promise<string> => shell("sync; echo 3 > /proc/sys/vm/drop_caches");

/** `NAME=VALUE` options as a map. */
function named(values: readonly string[]): Map<string, string> {
  return new Map(
    values.map((value) => [value.slice(0, value.indexOf("=")), value.slice(value.indexOf("=") + 1)]),
  );
}

function peers(): Target[] {
  const [cold, pids] = [named(options["peer-cold"]), named(options["peer-pids"])];
  return [...named(options.peer)].map(([name, directory]) => ({
    name,
    directory,
    makeCold: async () => void (await (cold.has(name) ? shell(cold.get(name) ?? "") : dropCaches())),
    pids: async () => (await shell(pids.get(name) ?? "true")).split(/\s+/).filter(Boolean).map(Number),
  }));
}

function ours(lab: Lab, directory: string): Target {
  return {
    name: "pstorage",
    directory,
    makeCold: async () => {
      await unmountLab(lab);
      await dropCaches();
      await mountLab(lab, directory);
    },
    pids: async () => {
      const services = await lab.services();
      // Its first word is the pid of the mount.
      const mount = await readFile(join(lab.directory, "mount"), "utf8");
      return [...services.flatMap(({ pid }) => pid ?? []), Number.parseInt(mount, 10)];
    },
  };
}

async function runAll(targets: readonly Target[], tarFile: string): Promise<void> {
  const wanted = options.jobs.split(",").filter(Boolean);
  const isWanted = (name: string): boolean =>
    wanted.length === 0 || wanted.some((part) => name.includes(part));
  for (const job of FIO_JOBS) {
    if (!isWanted(job.name)) continue;
    for (let round = 0; round < runs; round++) {
      for (const target of targets) {
        if (job.options["rw"] === "write") await rm(join(target.directory, "fio.dat"), { force: true });
        if (job.isCold) await target.makeCold();
        // Others were made cold meanwhile, and with them the whole machine.
        else if (job.options["rw"] !== "write")
          await shell(`cat "${join(target.directory, "fio.dat")}" > /dev/null`);
        const pids = await target.pids();
        const before = cpuMicros(pids);
        const { rate, bytes } = await runFio(
          job,
          target.directory,
          Number(options.seconds),
          options.size,
          signal,
        );
        const seconds = (cpuMicros(pids) - before) / 1e6;
        note(job, target, rate, pids.length === 0 ? undefined : (seconds * 2 ** 30) / bytes);
      }
    }
  }
  for (const target of targets) await rm(join(target.directory, "fio.dat"), { force: true });
  if (!isWanted("small files")) return;
  for (let round = 0; round < runs; round++) {
    for (const target of targets) {
      const cold = (): Promise<void> => target.makeCold();
      const times = await runSmallFiles(target.directory, Number(options.files), tarFile, cold, signal);
      for (const step of SMALL_FILE_STEPS) {
        note({ name: `small files: ${step}`, unit: "s" }, target, times[step], undefined);
      }
    }
  }
}

function print(targets: readonly Target[]): void {
  const cell = (values: readonly number[] | undefined): string =>
    values === undefined ? "-" : median(values).toPrecision(4);
  const say = (columns: readonly string[]): void =>
    void process.stdout.write(
      `${columns[0]?.padEnd(48)}${columns
        .slice(1)
        .map((text) => text.padStart(14))
        .join("")}\n`,
    );
  say(["", "", ...targets.map(({ name }) => name), "CPU s/GiB"]);
  for (const { name, unit, rates, cpu } of rows.values()) {
    say([name, unit, ...targets.map((target) => cell(rates.get(target.name))), cell(cpu.get("pstorage"))]);
  }
  const json = [...rows.values()].map(({ name, unit, rates, cpu }) => ({
    ...{ name, unit },
    rates: Object.fromEntries(rates),
    cpuSecondsPerGiB: Object.fromEntries(cpu),
  }));
  process.stdout.write(`${JSON.stringify({ bench: "mount", load: loadAverage(), rows: json })}\n`);
}

const directory = await mkdtemp(join(process.cwd(), ".bench-"));
const lab = await Lab.plan(join(directory, "lab"), { mdsCount: 3, csCount: 3 });
try {
  await lab.start((line) => process.stderr.write(`${line}\n`), signal);
  const [mounted, local] = [join(directory, "mnt"), join(directory, "local")];
  for (const path of [mounted, local]) await mkdir(path);
  await mountLab(lab, mounted);
  const tarFile = join(await mkdtemp(join(tmpdir(), "pstorage-bench-")), "tree.tar");
  await makeTree(local, tarFile, signal);
  const disk: Target = {
    name: "local disk",
    directory: local,
    makeCold: async () => void (await dropCaches()),
    pids: async () => [],
  };
  const targets = [ours(lab, mounted), ...peers(), disk];
  await runAll(targets, tarFile);
  print(targets);
  await rm(join(tarFile, ".."), { recursive: true });
} finally {
  await unmountLab(lab);
  await lab.stop();
  await rm(directory, { recursive: true, force: true });
}
