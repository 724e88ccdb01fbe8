import { chmod, rm } from "node:fs/promises";
import {
  connect as connectSocket,
  createServer,
  type OnReadOpts,
  type Server,
  Socket,
  type SocketConstructorOpts,
} from "node:net";
import { storageError } from "../../base/index.js";
import type { Connection, Listener, Net } from "../net.js";
import { errnoOf } from "./errno.js";
import { RealConnection } from "./real-connection.js";
import { ReceiveBuffer } from "./receive-buffer.js";

/** TCP, and unix sockets for addresses that begin with `unix:`. */
export class RealNet implements Net {
  async listen(address: string, accept: (connection: Connection) => void): Promise<Listener> {
    const target = parseAddress(address);
    if ("path" in target) await rm(target.path, { force: true });
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true, pauseOnConnect: true }, (accepted) => {
      const buffer = new ReceiveBuffer();
      const own = receivingInto(buffer, accepted);
      const socket = own ?? accepted;
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      accept(new RealConnection(socket, own && buffer));
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
      const buffer = new ReceiveBuffer();
      const socket = connectSocket({ ...target, noDelay: true, onread: buffer.options });
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
        resolve(new RealConnection(socket, buffer));
      });
    });
  }
}

/**
 * The accepted connection as a socket that receives into the buffer. A server takes no such option for its sockets, so that
 * its handle is moved to a new one; undefined where that cannot be done.
 */
function receivingInto(buffer: ReceiveBuffer, accepted: Socket): Socket | undefined {
  const owner: { _handle?: unknown } = accepted as Socket & { _handle?: unknown };
  const { _handle: handle } = owner;
  if (handle === undefined || handle === null) return undefined;
  owner._handle = null;
  accepted.on("error", () => undefined);
  accepted.destroy();
  const options: SocketConstructorOpts & {
    readonly handle: unknown;
    readonly pauseOnCreate: boolean;
    readonly onread: OnReadOpts;
  } = { handle, pauseOnCreate: true, onread: buffer.options };
  return new Socket(options);
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
