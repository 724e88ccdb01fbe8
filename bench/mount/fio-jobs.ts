import { spawn } from "node:child_process";

/** One fio job; all use one file, which the first of them writes. */
export interface FioJob {
  readonly name: string;
  /** Caches of the client are emptied before. */
  readonly isCold: boolean;
  /** What its line of the table counts. */
  readonly unit: "MiB/s" | "op/s";
  readonly options: Readonly<Record<string, string | number>>;
}

const SMALL = { bs: "4k", norandommap: 1, randrepeat: 0, time_based: 1 };
const READ = { ...SMALL, rw: "randread", direct: 1 };
const WRITE = { ...SMALL, rw: "randwrite", overwrite: 1 };
const LARGE = { bs: "1M", ioengine: "psync", direct: 0 };
const DEEP = { ioengine: "libaio", iodepth: 16 };

/** What virtual machines, backups and databases do to a file. Depth 16 and 1 go past the page cache of the client. */
export const FIO_JOBS: readonly FioJob[] = [
  {
    name: "sequential write 1 MiB, one fsync at the end",
    isCold: false,
    unit: "MiB/s",
    options: { ...LARGE, rw: "write", fallocate: "none", end_fsync: 1 },
  },
  {
    name: "sequential read 1 MiB, cold client",
    isCold: true,
    unit: "MiB/s",
    options: { ...LARGE, rw: "read" },
  },
  { name: "random read 4 KiB, depth 16", isCold: false, unit: "op/s", options: { ...READ, ...DEEP } },
  {
    name: "random read 4 KiB, depth 1",
    isCold: false,
    unit: "op/s",
    options: { ...READ, ioengine: "psync" },
  },
  {
    name: "random write 4 KiB, depth 16",
    isCold: false,
    unit: "op/s",
    options: { ...WRITE, ...DEEP, direct: 1 },
  },
  {
    name: "random write 4 KiB + fsync, depth 1",
    isCold: false,
    unit: "op/s",
    options: { ...WRITE, ioengine: "psync", direct: 0, fsync: 1 },
  },
];

interface FioSide {
  readonly total_ios: number;
  readonly io_bytes: number;
  readonly clat_ns: { readonly percentile?: Readonly<Record<string, number>> };
}

export interface FioRun {
  /** In the unit of the job. */
  readonly rate: number;
  readonly bytes: number;
  /** 99 of 100 requests took no longer, microseconds. */
  readonly p99Micros: number;
}

/** Runs one job in that directory. Fails with what fio says. */
export async function runFio(
  { name, unit, options }: FioJob,
  directory: string,
  seconds: number,
  size: string,
  signal: AbortSignal,
): Promise<FioRun> {
  const all = { name: "job", directory, filename: "fio.dat", size, runtime: seconds, ...options };
  const words = Object.entries(all).map(([key, value]) => `--${key}=${value}`);
  const text = await output("fio", ["--output-format=json", ...words], signal);
  const [job] = (JSON.parse(text.slice(text.indexOf("{"))) as FioReport).jobs;
  if (job === undefined || job.error !== 0) throw new Error(`fio: ${name}: error ${job?.error}`);
  const side = job.write.total_ios > 0 ? job.write : job.read;
  const took = job.job_runtime / 1000;
  const rate = unit === "MiB/s" ? side.io_bytes / 2 ** 20 / took : side.total_ios / took;
  return { rate, bytes: side.io_bytes, p99Micros: (side.clat_ns.percentile?.["99.000000"] ?? 0) / 1000 };
}

interface FioReport {
  readonly jobs: readonly {
    readonly error: number;
    /** Milliseconds. */
    readonly job_runtime: number;
    readonly read: FioSide;
    readonly write: FioSide;
  }[];
}

/** What a program prints. */
export async function output(
  program: string,
  words: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "pipe"], signal });
  const [out, errors]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (bytes: Buffer) => out.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => errors.push(bytes));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0)
    throw new Error(`${program} ended with ${code}: ${Buffer.concat(errors).toString().slice(0, 400)}`);
  return Buffer.concat(out).toString();
}
