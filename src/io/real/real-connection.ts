import type { Socket } from "node:net";
import type { Connection, DataHandler } from "../net.js";
import type { ReceiveBuffer } from "./receive-buffer.js";

/**
 * Senders are told to wait when this much has not yet been given to the kernel. Node's own mark, 16 KiB, is passed by any
 * larger message for the rest of the turn, even if the kernel took it at once.
 */
const HIGH_WATER_BYTES = 1 << 20;

/** A connection by TCP or a unix socket. It is handed over paused and starts to flow when `onData` is set. */
export class RealConnection implements Connection {
  readonly remoteAddress: string;
  readonly #socket: Socket;
  readonly #buffer: ReceiveBuffer | undefined;

  /** `buffer`: whose options the socket was made with. */
  constructor(socket: Socket, buffer: ReceiveBuffer | undefined) {
    this.#socket = socket;
    this.#buffer = buffer;
    const host = socket.remoteAddress;
    this.remoteAddress =
      host === undefined ? "unix" : `${host.includes(":") ? `[${host}]` : host}:${socket.remotePort ?? 0}`;
    // Every error is followed by "close", which is what the owner hears.
    socket.on("error", () => undefined);
  }

  write(buffers: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (!socket.writable) return false;
    const [only] = buffers;
    if (buffers.length === 1 && only !== undefined) socket.write(only);
    else {
      socket.cork();
      for (const buffer of buffers) if (buffer.length > 0) socket.write(buffer);
      socket.uncork();
    }
    return socket.writableLength < HIGH_WATER_BYTES;
  }

  drained(): Promise<void> {
    const socket = this.#socket;
    const hasRoom = socket.writableLength < HIGH_WATER_BYTES;
    if (!socket.writable || hasRoom || !socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        socket.off("drain", finish);
        socket.off("close", finish);
        resolve();
      };
      socket.on("drain", finish);
      socket.on("close", finish);
    });
  }

  onData(handler: DataHandler): void {
    if (this.#buffer === undefined) this.#socket.on("data", handler);
    else this.#buffer.receiver = handler;
    this.#socket.resume();
  }

  onClose(handler: () => void): void {
    this.#socket.once("close", () => handler());
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
