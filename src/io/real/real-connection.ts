import type { Socket } from "node:net";
import type { Connection } from "../net.js";

/** A connection by TCP or a unix socket. It is handed over paused and starts to flow when `onData` is set. */
export class RealConnection implements Connection {
  readonly remoteAddress: string;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    const host = socket.remoteAddress;
    this.remoteAddress =
      host === undefined ? "unix" : `${host.includes(":") ? `[${host}]` : host}:${socket.remotePort ?? 0}`;
    // Every error is followed by "close", which is what the owner hears.
    socket.on("error", () => undefined);
  }

  write(buffers: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (!socket.writable) return false;
    socket.cork();
    for (const buffer of buffers) if (buffer.length > 0) socket.write(buffer);
    socket.uncork();
    return !socket.writableNeedDrain;
  }

  drained(): Promise<void> {
    const socket = this.#socket;
    if (!socket.writable || !socket.writableNeedDrain) return Promise.resolve();
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

  onData(handler: (bytes: Uint8Array) => void): void {
    this.#socket.on("data", handler);
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
