import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type AuthorizationTable, authorize } from "../../auth/index.js";
import { type FailureCode, StorageError, storageError } from "../../base/index.js";
import type { Clock } from "../../io/index.js";
import type { Logger } from "../../telemetry/index.js";
import type { MethodTable } from "../method-table.js";
import type { Peer, RpcListener } from "../transport.js";
import { formatAddress, parseAddress } from "./address.js";
import { refuse, ServerPipe } from "./grpc-pipe.js";
import { SESSION_MEMORY_MB, SESSION_WINDOW_BYTES, SETTINGS } from "./http2-settings.js";
import { keepAlive } from "./keep-alive.js";
import { connectFailure, type Tls } from "./tls.js";

export interface GrpcServerOptions {
  readonly tls: Tls;
  readonly clock: Clock;
  readonly log: Logger;
  readonly authorization: AuthorizationTable;
}

/** A connection without a valid certificate is only for enrolment, which is quick. */
const STRANGER_LIFE_MS = 30_000;
/** Strangers at the same time. */
const STRANGER_COUNT_MAX = 64;
const HANDSHAKE_TIMEOUT_MS = 5000;

/** What no honest peer is told when all is well: an operator wants to read of it. */
const SUSPICIOUS: ReadonlySet<FailureCode> = new Set([
  "malformed",
  "unauthenticated",
  "unauthorized",
  "wrong_cluster",
  "rate_limited",
]);

/** Who is at the other end of a connection, or why it is refused whatever it asks. */
type Identity = { readonly peer: Peer } | { readonly failure: StorageError; readonly address: string };

/**
 * Answers gRPC calls on one port. Who calls is known from the certificate before a byte of the message is looked
 * at; what the authorization table does not allow is refused.
 */
export class GrpcServer implements RpcListener {
  readonly #options: GrpcServerOptions;
  readonly #methods: MethodTable;
  readonly #server: Http2SecureServer;
  readonly #sessions = new Map<ServerHttp2Session, Identity>();
  readonly #sockets = new Set<Socket>();
  #strangerCount = 0;
  #address = "";
  #closing: Promise<void> | undefined;

  constructor(methods: MethodTable, options: GrpcServerOptions) {
    this.#options = options;
    this.#methods = methods;
    this.#server = createSecureServer({
      ...options.tls.serverOptions(),
      settings: SETTINGS,
      maxSessionMemory: SESSION_MEMORY_MB,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.#server.on("connection", (socket: Socket) => this.#greet(socket));
    this.#server.on("session", (session) => this.#admit(session));
    this.#server.on("sessionError", () => undefined);
    this.#server.on("stream", (stream, headers) => this.#serve(stream, headers));
    this.#server.on("tlsClientError", (error: Error, socket: TLSSocket) =>
      this.#handshakeFailed(error, socket),
    );
  }

  get address(): string {
    return this.#address;
  }

  async listen(address: string): Promise<void> {
    const { host, port } = parseAddress(address);
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error) =>
        reject(storageError("unavailable", `cannot listen on ${address}`, error)),
      );
      this.#server.listen(port, host, resolve);
    });
    // From here on an error is about one connection that could not be accepted; the peer tries again.
    this.#server.on("error", (error) => this.#options.log.warn("connection not accepted", { error }));
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string") throw storageError("unavailable", "not an IP listener");
    this.#address = formatAddress(bound.address, bound.port);
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const session of this.#sessions.keys()) session.destroy();
      for (const socket of this.#sockets) socket.destroy();
    });
    return this.#closing;
  }

  #greet(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
  }

  #admit(session: ServerHttp2Session): void {
    const identity = this.#identify(session);
    this.#sessions.set(session, identity);
    session.once("close", () => this.#sessions.delete(session));
    session.on("error", () => undefined);
    const address = "peer" in identity ? identity.peer.address : identity.address;
    if ("failure" in identity || identity.peer.roles.length === 0) this.#limitStranger(session, address);
    if (session.destroyed) return;
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    keepAlive(session, this.#options.clock, () => {
      this.#options.log.info("peer gives no sign of life", { address });
      session.destroy();
    });
  }

  #identify(session: ServerHttp2Session): Identity {
    const socket = session.socket as TLSSocket;
    const address = formatAddress(socket.remoteAddress ?? "", socket.remotePort ?? 0);
    const certificate = socket.getPeerCertificate();
    try {
      return { peer: this.#options.tls.identify(certificate?.raw, address) };
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#options.log.warn("certificate refused", { address, reason: error.failure.detail });
      return { failure: error, address };
    }
  }

  #limitStranger(session: ServerHttp2Session, address: string): void {
    if (this.#strangerCount >= STRANGER_COUNT_MAX) {
      this.#options.log.warn("too many connections without a certificate", { address });
      session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return;
    }
    this.#strangerCount++;
    const timer = this.#options.clock.after("rpc.stranger", STRANGER_LIFE_MS, () => session.destroy());
    session.once("close", () => {
      this.#strangerCount--;
      timer.cancel();
    });
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const { clock, authorization, log } = this.#options;
    const identity =
      stream.session === undefined ? undefined : this.#sessions.get(stream.session as ServerHttp2Session);
    const path = String(headers[":path"]).slice(0, 256);
    if (identity === undefined) {
      stream.close(constants.NGHTTP2_CANCEL);
      return;
    }
    try {
      if ("failure" in identity) throw identity.failure;
      const { peer } = identity;
      authorize(authorization, path, peer);
      const method = this.#methods.find(path);
      if (method === undefined) throw storageError("unsupported", `${path} is not served here`);
      const { end, begin } = method.open();
      const breakReason = (): StorageError =>
        storageError("unavailable", `${peer.address} broke the connection`);
      const onRefusal = ({ code }: StorageError): void => {
        if (SUSPICIOUS.has(code)) log.warn("call refused", { address: peer.address, path, code });
      };
      const context = { clock, peer: () => peer, breakReason, onRefusal };
      end.attach(new ServerPipe(stream, end, context, method.isUnary));
      begin();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      const address = "peer" in identity ? identity.peer.address : identity.address;
      log.warn("call refused", { address, path, code: error.code });
      refuse(stream, error);
    }
  }

  #handshakeFailed(error: Error, socket: TLSSocket): void {
    const address = formatAddress(socket.remoteAddress ?? "", socket.remotePort ?? 0);
    this.#options.log.warn("handshake failed", {
      address,
      reason: connectFailure(address, error).failure.detail,
    });
    socket.destroy();
  }
}
