import type { Cluster } from "../src/client/connect.js";
import { readStream } from "../src/client/index.js";
import { type Cell, type Run, rate } from "./measure.js";

const MIB = 1 << 20;
const FILE_BYTES = 256 * MIB;

/**
 * Buffered handles, as a mount uses them: one request at a time. What was written has been flushed when the clock stops.
 * Beside them what `readStream` does, which keeps many requests in flight itself.
 */
export function bufferedCells({ fileSystem }: Cluster, signal: AbortSignal): Cell[] {
  const write = (label: string, bytes: number, isSequential: boolean): Cell => {
    const block = Buffer.alloc(bytes, 0x55);
    const places = FILE_BYTES / bytes;
    const run = async (seconds: number): Promise<Run> => {
      const handle = await fileSystem.open("/data", { access: "write", buffered: true });
      const began = performance.now();
      const result = await rate(seconds, 1, signal, (number) =>
        handle.write(block, ((isSequential ? number : number * 7919) % places) * bytes),
      );
      await handle.flush();
      const took = (performance.now() - began) / 1000;
      await handle.close();
      return { ...result, seconds: took };
    };
    return { name: `buffered ${isSequential ? "sequential" : "random"} write ${label}, depth 1`, bytes, run };
  };
  const read = (label: string, bytes: number): Cell => {
    const places = FILE_BYTES / bytes;
    const run = async (seconds: number): Promise<Run> => {
      const handle = await fileSystem.open("/data", { buffered: true });
      const result = await rate(seconds, 1, signal, (number) =>
        handle.read((number % places) * bytes, bytes),
      );
      await handle.close();
      return result;
    };
    return { name: `buffered sequential read ${label}, depth 1`, bytes, run };
  };
  return [
    write("4 KiB", 4 << 10, false),
    write("4 KiB", 4 << 10, true),
    write("128 KiB", 128 << 10, true),
    write("1 MiB", MIB, true),
    read("4 KiB", 4 << 10),
    read("128 KiB", 128 << 10),
    read("1 MiB", MIB),
    { name: "readStream", bytes: MIB, run: (seconds) => stream(fileSystem, seconds, signal) },
  ];
}

async function stream(fileSystem: Cluster["fileSystem"], seconds: number, signal: AbortSignal): Promise<Run> {
  const handle = await fileSystem.open("/data");
  const began = performance.now();
  const elapsed = (): number => (performance.now() - began) / 1000;
  let operations = 0;
  while (elapsed() < seconds) {
    for await (const part of readStream(handle)) {
      signal.throwIfAborted();
      operations += part.length / MIB;
      if (elapsed() >= seconds) break;
    }
  }
  const took = elapsed();
  await handle.close();
  return { operations, seconds: took };
}
