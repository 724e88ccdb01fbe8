import { chmod, rm } from "node:fs/promises";
import { connect as connectSocket, createServer, type Server, type Socket } from "node:net";
import { storageError } from "../../base/index.js";
import type { Connection, Listener, Net } from "../net.js";
import { errnoOf } from "./errno.js";
import { RealConnection } from "./real-connection.js";

/** TCP, and unix sockets for addresses that begin with `unix:`. */
export class RealNet implements Net {
  async listen(address: string, accept: (connection: Connection) => void): Promise<Listener> {
    const target = parseAddress(address);
    if ("path" in target) await rm(target.path, { force: true });
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      accept(new RealConnection(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) =>
        reject(storageError("unavailable", `cannot listen on ${address}: ${errnoOf(error)}`, error)),
      );
      server.listen(target, resolve);
    });
    if ("path" in target) await chmod(target.path, 0o600);
    return new RealListener(server, sockets);
  }

  async connect(address: string, options: { readonly timeoutMs: number }): Promise<Connection> {
    const target = parseAddress(address);
    return await new Promise((resolve, reject) => {
      const socket = connectSocket({ ...target, noDelay: true });
      const fail = (reason: string, cause?: unknown): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(storageError("unavailable", `cannot connect to ${address}: ${reason}`, cause));
      };
      const timer = setTimeout(() => fail("no answer"), options.timeoutMs);
      const onError = (error: Error): void => fail(errnoOf(error), error);
      socket.once("error", onError);
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.off("error", onError);
        socket.pause();
        resolve(new RealConnection(socket));
      });
    });
  }
}

class RealListener implements Listener {
  readonly address: string;
  readonly #server: Server;
  readonly #sockets: ReadonlySet<Socket>;
  #closing: Promise<void> | undefined;

  constructor(server: Server, sockets: ReadonlySet<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
    const bound = server.address();
    if (bound === null) throw storageError("unavailable", "the listener was closed");
    this.address = typeof bound === "string" ? `${UNIX}${bound}` : formatAddress(bound.address, bound.port);
    // After listening an error is about one connection that could not be accepted; the peer retries.
    server.on("error", () => undefined);
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
    return this.#closing;
  }
}

const UNIX = "unix:";

function parseAddress(address: string): { host: string; port: number } | { path: string } {
  if (address.startsWith(UNIX)) return { path: address.slice(UNIX.length) };
  const match = /^\[?([^[\]]+)\]?:(\d{1,5})$/.exec(address);
  const [, host, port] = match ?? [];
  if (host === undefined || port === undefined || Number(port) > 65535) {
    throw storageError("invalid", `"${address}" is not IP:PORT`);
  }
  return { host, port: Number(port) };
}

function formatAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
