import { type ChildProcess, fork } from "node:child_process";
import { type FileHandle, open, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Cell, type Run, rate } from "./measure.js";

/** What the machine itself can do in the same minutes: everything else is to be read as a part of this. */

const MIB = 1 << 20;
const ACK_BYTES = 8;

export const RAW_WRITE = "raw disk: write 1 MiB, one sync at the end";
export const RAW_SYNC = "raw disk: write 4 KiB + fdatasync";

/** Cells of the disk that the directory is on. */
export function diskCells(directory: string, signal: AbortSignal): Cell[] {
  const path = join(directory, "raw-disk");
  const withFile = async (act: (file: FileHandle) => Promise<Run>): Promise<Run> => {
    const file = await open(path, "w+");
    try {
      return await act(file);
    } finally {
      await file.close();
      await rm(path, { force: true });
    }
  };
  const sequential = async (seconds: number): Promise<Run> =>
    await withFile(async (file) => {
      const block = Buffer.alloc(MIB, 0x5a);
      const began = performance.now();
      const { operations } = await rate(seconds / 2, 1, signal, (number) =>
        file.write(block, 0, MIB, (number % 512) * MIB),
      );
      await file.datasync();
      return { operations, seconds: (performance.now() - began) / 1000 };
    });
  const synced = async (seconds: number): Promise<Run> =>
    await withFile((file) => {
      const block = Buffer.alloc(4096, 0xa5);
      return rate(seconds, 1, signal, async (number) => {
        await file.write(block, 0, 4096, (number % 4096) * 4096);
        await file.datasync();
      });
    });
  return [
    { name: RAW_WRITE, bytes: MIB, run: sequential },
    { name: RAW_SYNC, bytes: 4096, run: synced },
  ];
}

/** Messages over one TCP connection on loopback to a process that acknowledges them. */
export class TcpBaseline {
  readonly #child: ChildProcess;
  readonly #port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
  }

  static async start(): Promise<TcpBaseline> {
    const child = fork(fileURLToPath(new URL("./tcp-sink.ts", import.meta.url)));
    const port = await new Promise<number>((resolve, reject) => {
      child.once("message", (message) => resolve(Number(message)));
      child.once("exit", () => reject(new Error("the TCP sink ended")));
    });
    return new TcpBaseline(child, port);
  }

  cell(name: string, bytes: number, depth: number, signal: AbortSignal): Cell {
    return { name, bytes, run: (seconds) => this.#run(seconds, bytes, depth, signal) };
  }

  /** Of the process at the other end. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  close(): void {
    this.#child.kill();
  }

  async #run(seconds: number, bytes: number, depth: number, signal: AbortSignal): Promise<Run> {
    const socket = connect({ port: this.#port, host: "127.0.0.1", noDelay: true });
    await new Promise<void>((resolve) => socket.once("connect", resolve));
    const waiting = receiveAcks(socket);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(bytes);
    socket.write(header);
    const message = Buffer.alloc(bytes);
    try {
      return await rate(seconds, depth, signal, () => {
        socket.write(message);
        return new Promise<void>((resolve) => waiting.push(resolve));
      });
    } finally {
      socket.destroy();
    }
  }
}

/** Who waits for an acknowledgement, first come first served. */
function receiveAcks(socket: Socket): (() => void)[] {
  const waiting: (() => void)[] = [];
  let receivedBytes = 0;
  socket.on("data", (data) => {
    receivedBytes += data.length;
    for (; receivedBytes >= ACK_BYTES; receivedBytes -= ACK_BYTES) waiting.shift()?.();
  });
  return waiting;
}
