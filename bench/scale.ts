import type { Lab } from "../src/cli/lab/lab.js";
import type { Cluster } from "../src/client/connect.js";
import { median } from "./measure.js";
import { residentMegabytes } from "./process-times.js";

/** What the metadata servers cost with many files. */
export interface Scale {
  readonly files: number;
  /** Of making the files. */
  readonly createsPerSecond: number;
  /** MB, of the metadata server that needs most, just after making the files. */
  readonly mdsResidentMegabytes: number;
  /** From starting the process until it serves: the median of all metadata servers. */
  readonly mdsStartSeconds: number;
  /** MB, of the metadata server that needs most, when all were started anew. */
  readonly mdsResidentMegabytesAfterStart: number;
}

const DIRECTORY_FILES = 1000;
const DEPTH = 64;

export async function measureScale(
  lab: Lab,
  cluster: Cluster,
  files: number,
  signal: AbortSignal,
): Promise<Scale> {
  const began = performance.now();
  for (let made = 0; made < files; made += DIRECTORY_FILES) {
    await fillDirectory(cluster, `/many/${made}`, Math.min(DIRECTORY_FILES, files - made), signal);
  }
  const createsPerSecond = (files * 1000) / (performance.now() - began);
  const mdsResidentMegabytes = await largestMds(lab);
  const starts: number[] = [];
  for (let host = 1; host <= lab.size.mdsCount; host++) {
    signal.throwIfAborted();
    await lab.stopOne("mds", host);
    const stopped = performance.now();
    await lab.startOne("mds", host);
    starts.push((performance.now() - stopped) / 1000);
    // The others need it before the next one may go.
    await cluster.fileSystem.stat("/many/0/f0");
  }
  return {
    files,
    createsPerSecond,
    mdsResidentMegabytes,
    mdsStartSeconds: median(starts),
    mdsResidentMegabytesAfterStart: await largestMds(lab),
  };
}

async function fillDirectory(
  { fileSystem }: Cluster,
  path: string,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  const { ino: parent } = await fileSystem.mkdirp(path);
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count && !signal.aborted)
      await fileSystem.inodes.create({ parent, name: Buffer.from(`f${next++}`), mode: 0o100644 });
  };
  await Promise.all(Array.from({ length: DEPTH }, worker));
  signal.throwIfAborted();
}

async function largestMds(lab: Lab): Promise<number> {
  const services = await lab.services();
  const sizes = services.flatMap(({ kind, pid }) =>
    kind === "mds" && pid !== undefined ? [residentMegabytes(pid)] : [],
  );
  return Math.max(...sizes);
}
