import { open, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { type Measurement, measurement, rate } from "./measure.js";

/** What the machine itself can do in the same minutes: everything else is to be read as a part of this. */

const MIB = 1 << 20;

/** Sequential writes into the page cache with one fdatasync at the end, and single 4 KiB writes each with its own. */
export async function rawDisk(directory: string): Promise<Measurement[]> {
  const path = join(directory, "raw-disk");
  const file = await open(path, "w+");
  const block = Buffer.alloc(MIB, 0x5a);
  try {
    const began = performance.now();
    const count = 512;
    for (let i = 0; i < count; i++) await file.write(block, 0, MIB, i * MIB);
    await file.datasync();
    const sequential = (count * 1000) / (performance.now() - began);
    const small = Buffer.alloc(4096, 0xa5);
    const synced = await rate(2, 1, async (number) => {
      await file.write(small, 0, 4096, (number % 4096) * 4096);
      await file.datasync();
    });
    return [
      measurement("raw disk: sequential write 1 MiB, one sync", [sequential], MIB),
      measurement("raw disk: 4 KiB write + fdatasync, depth 1", [synced], 4096),
    ];
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

/** One connection on loopback within this process, messages of 1 MiB. */
export async function rawTcp(): Promise<Measurement> {
  const server = createServer((socket) => socket.resume());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening on TCP");
  const socket = connect({ port: address.port, host: "127.0.0.1", noDelay: true });
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  const block = Buffer.alloc(MIB);
  const perSecond = await rate(2, 4, () => new Promise((resolve) => socket.write(block, resolve)));
  socket.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return measurement("raw TCP: 1 MiB, one connection", [perSecond], MIB);
}
