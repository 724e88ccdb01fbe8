import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Lab } from "../../../src/cli/lab/lab.js";

/** The files of one kind that the chunk server on that host keeps, absolute. */
export async function chunkFiles(lab: Lab, host: number, kind: "data" | "sums"): Promise<string[]> {
  const directory = join(lab.repository("cs", host), "chunks");
  const names = await readdir(directory, { recursive: true }).catch((): string[] => []);
  return names.filter((name) => name.endsWith(`.${kind}`)).map((name) => join(directory, name));
}

/** The hosts whose chunk servers have a copy of every one of some chunks: all that are not empty. */
export async function hostsWithChunks(lab: Lab): Promise<number[]> {
  const hosts = Array.from({ length: lab.size.csCount }, (_, index) => index + 1);
  const counts = await Promise.all(hosts.map(async (host) => (await chunkFiles(lab, host, "data")).length));
  return hosts.filter((_, index) => (counts[index] ?? 0) > 0);
}

/** Inverts one bit every so many bytes, as a rotting disk would: nobody is told. */
export async function flipBits(path: string, everyBytes: number, from = 0): Promise<void> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    const byte = new Uint8Array(1);
    for (let offset = from; offset < size; offset += everyBytes) {
      await file.read(byte, 0, 1, offset);
      byte[0] = (byte[0] ?? 0) ^ 0x10;
      await file.write(byte, 0, 1, offset);
    }
  } finally {
    await file.close();
  }
}
