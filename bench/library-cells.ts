import type { Cluster } from "../src/client/connect.js";
import type { FileHandle } from "../src/client/index.js";
import { RAW_SYNC, RAW_WRITE } from "./baselines.js";
import { type Cell, type Run, rate } from "./measure.js";

const MIB = 1 << 20;
/** The file that is written to and read from: one chunk. */
const DATA_BYTES = 256 * MIB;

export const SIZES = [
  ["4 KiB", 4 << 10],
  ["64 KiB", 64 << 10],
  ["1 MiB", MIB],
] as const;
export const DEPTHS = [1, 16] as const;

export const tcpName = (label: string, depth: number): string => `raw TCP: ${label}, depth ${depth}`;

/** Names and attributes, one operation each. */
export function metadataCells({ fileSystem }: Cluster, signal: AbortSignal): Cell[] {
  let directories = 0;
  const create = (depth: number): Cell => ({
    name: `create, ${depth} in flight`,
    bytes: 0,
    run: async (seconds) => {
      const { ino: parent } = await fileSystem.mkdir(`/create-${directories++}`);
      return await rate(seconds, depth, signal, (number) =>
        fileSystem.inodes.create({ parent, name: Buffer.from(`f${number}`), mode: 0o100644 }),
      );
    },
  });
  const stat = (depth: number): Cell => ({
    name: `stat by path, ${depth} in flight`,
    bytes: 0,
    run: (seconds) => rate(seconds, depth, signal, () => fileSystem.stat("/create-0/f0")),
  });
  return [create(1), create(32), stat(1), stat(32)];
}

/** Writes the file that `dataCells` work on. */
export async function prepareData({ fileSystem }: Cluster, signal: AbortSignal): Promise<FileHandle> {
  const handle = await fileSystem.open("/data", { access: "write", create: true });
  const block = Buffer.alloc(MIB, 0x77);
  for (let offset = 0; offset < DATA_BYTES; offset += MIB) {
    signal.throwIfAborted();
    await handle.write(block, offset);
  }
  return handle;
}

/** Reads and writes of one file with 3 replicas: 1 MiB one after the other, smaller ones at random places. */
export function dataCells({ fileSystem }: Cluster, data: FileHandle, signal: AbortSignal): Cell[] {
  const cells: Cell[] = [newFileCell(fileSystem, signal)];
  for (const [label, bytes] of SIZES) {
    const block = Buffer.alloc(bytes, 0x33);
    const places = DATA_BYTES / bytes;
    const isSequential = bytes === MIB;
    const kind = isSequential ? "sequential" : "random";
    const offset = (number: number): number => (isSequential ? number : number * 7919) % places;
    for (const depth of DEPTHS) {
      const common = { bytes, baseline: tcpName(label, depth) };
      const write = (number: number): Promise<unknown> => data.write(block, offset(number) * bytes);
      const read = (number: number): Promise<unknown> => data.read(offset(number) * bytes, bytes);
      cells.push(
        {
          name: `${kind} write ${label}, depth ${depth}`,
          ...common,
          run: (seconds) => rate(seconds, depth, signal, write),
        },
        {
          name: `${kind} read ${label}, depth ${depth}`,
          ...common,
          run: (seconds) => rate(seconds, depth, signal, read),
        },
      );
    }
  }
  cells.push(syncCell(data, signal));
  return cells;
}

/** Chunks are made on the way, and regions marked for the first time. */
function newFileCell(fileSystem: Cluster["fileSystem"], signal: AbortSignal): Cell {
  const block = Buffer.alloc(MIB, 0x44);
  const run = async (seconds: number, round: number): Promise<Run> => {
    const path = `/new-${round}`;
    const handle = await fileSystem.open(path, { access: "write", create: true });
    const result = await rate(seconds, 16, signal, (number) => handle.write(block, number * MIB));
    await handle.close();
    await fileSystem.unlink(path);
    return result;
  };
  return { name: "sequential write 1 MiB to a new file, depth 16", bytes: MIB, baseline: RAW_WRITE, run };
}

function syncCell(data: FileHandle, signal: AbortSignal): Cell {
  const block = Buffer.alloc(4096, 0x11);
  const places = DATA_BYTES / block.length;
  const run = (seconds: number): Promise<Run> =>
    rate(seconds, 1, signal, async (number) => {
      await data.write(block, ((number * 7919) % places) * block.length);
      await data.sync();
    });
  return { name: "random write 4 KiB + sync, depth 1", bytes: 4096, baseline: RAW_SYNC, run };
}
