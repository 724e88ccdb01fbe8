import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Role } from "../../auth/index.js";
import { StorageError, storageError } from "../../base/index.js";
import type { Clock } from "../../io/index.js";
import { attachBroken, type PipeEnd } from "../pipe-channel.js";
import type { Peer } from "../transport.js";
import { formatAddress, parseAddress } from "./address.js";
import { ClientPipe, type PipeContext } from "./grpc-pipe.js";
import { SESSION_MEMORY_MB, SESSION_WINDOW_BYTES, SETTINGS } from "./http2-settings.js";
import { keepAlive } from "./keep-alive.js";
import { connectFailure, type Tls } from "./tls.js";

/** A peer that does not answer for that long is not there. */
const CONNECT_TIMEOUT_MS = 3000;

/** The connections this process opened: one for each address, shared by all calls to it. */
export class ClientConnections {
  readonly #tls: Tls;
  readonly #clock: Clock;
  readonly #connections = new Map<string, ClientConnection>();
  #isClosed = false;

  constructor(tls: Tls, clock: Clock) {
    this.#tls = tls;
    this.#clock = clock;
  }

  /** Begins a call; its pipe is attached to `end`. `roles`: what the server must be, if that is known. */
  begin(
    address: string,
    path: string,
    roles: readonly Role[] | undefined,
    isUnary: boolean,
    end: PipeEnd,
  ): void {
    const connection = this.#connectionTo(address, roles);
    if (connection instanceof StorageError)
      attachBroken(end, this.#tls.identify(undefined, address), connection);
    else connection.begin(path, isUnary, end);
  }

  #connectionTo(address: string, roles: readonly Role[] | undefined): ClientConnection | StorageError {
    if (this.#isClosed) return allClosed();
    const key = `${address} ${roles?.join("+") ?? ""}`;
    const known = this.#connections.get(key);
    if (known?.isUsable === true) return known;
    let connection: ClientConnection;
    try {
      connection = new ClientConnection(address, roles, this.#tls, this.#clock);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return error;
    }
    this.#connections.set(key, connection);
    connection.onGone(() => {
      if (this.#connections.get(key) === connection) this.#connections.delete(key);
    });
    return connection;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#connections.values()].map((connection) => connection.destroy(allClosed())));
  }
}

function allClosed(): StorageError {
  return storageError("closed", "this process closed all its connections");
}

class ClientConnection {
  readonly #socket: TLSSocket;
  readonly #session: ClientHttp2Session;
  readonly #address: string;
  readonly #clock: Clock;
  readonly #gone: Promise<void>;
  #peer: Peer;
  #failure: StorageError | undefined;

  constructor(address: string, roles: readonly Role[] | undefined, tls: Tls, clock: Clock) {
    this.#address = address;
    this.#clock = clock;
    this.#peer = tls.identify(undefined, address);
    const options = tls.clientOptions(roles, (der) => {
      this.#peer = tls.identify(der, address);
    });
    const { host, port } = parseAddress(address);
    const socket = connectTls({ ...options, host, port, ALPNProtocols: ["h2"] });
    this.#socket = socket;
    const session = connect(`https://${formatAddress(host, port)}`, {
      createConnection: () => socket,
      settings: SETTINGS,
      maxSessionMemory: SESSION_MEMORY_MB,
    });
    this.#session = session;
    this.#gone = new Promise((resolve) => session.once("close", resolve));
    const timer = clock.after("rpc.connect", CONNECT_TIMEOUT_MS, () =>
      this.#break(storageError("unavailable", `${address}: no answer`)),
    );
    session.once("close", () => timer.cancel());
    session.once("connect", () => {
      timer.cancel();
      // It may have been closed while it was being made.
      if (session.destroyed) return;
      session.setLocalWindowSize(SESSION_WINDOW_BYTES);
      keepAlive(session, clock, () =>
        this.#break(storageError("unavailable", `${address}: no sign of life`)),
      );
    });
    session.on("error", (error) => {
      this.#failure ??= connectFailure(address, error);
    });
    session.on("goaway", () => {
      this.#failure ??= storageError("unavailable", `${address}: the server is stopping`);
    });
  }

  /** A connection that failed or was told to go away takes no new calls. */
  get isUsable(): boolean {
    return this.#failure === undefined && !this.#session.destroyed && !this.#session.closed;
  }

  onGone(handler: () => void): void {
    this.#session.once("close", handler);
  }

  begin(path: string, isUnary: boolean, end: PipeEnd): void {
    const context: PipeContext = {
      clock: this.#clock,
      peer: () => this.#peer,
      breakReason: (error) => this.#failure ?? connectFailure(this.#address, error),
    };
    end.attach(new ClientPipe(this.#request(path), end, context, isUnary));
  }

  destroy(failure: StorageError): Promise<void> {
    this.#break(failure);
    return this.#gone;
  }

  #request(path: string): ClientHttp2Stream {
    return this.#session.request(
      { ":method": "POST", ":path": path, "content-type": "application/grpc+proto", te: "trailers" },
      { endStream: false },
    );
  }

  #break(failure: StorageError): void {
    this.#failure ??= failure;
    // A session waits for a connection that is being made, even when it is destroyed: minutes, if the peer's host is gone.
    const isConnecting = this.#session.connecting;
    this.#session.destroy();
    if (isConnecting) this.#socket.destroy();
  }
}
