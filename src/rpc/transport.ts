import type { Role } from "../auth/index.js";
import type { StorageError } from "../base/index.js";

export type { Role } from "../auth/index.js";

/** How one message travels: to bytes and back. `decode` throws `malformed` on anything it does not understand. */
export interface Codec<T> {
  encode(message: T): Uint8Array;
  /** The same in two parts, for messages that end in many bytes: those are sent from where they lie. */
  encodeParts?(message: T): MessageParts;
  decode(bytes: Uint8Array): T;
  /** Longer messages are refused before they are taken in. Default 4 MiB. */
  readonly bytesMax?: number | undefined;
}

/** A message is the head and, behind it, the tail. The tail may be empty; it must not change until it was sent. */
export interface MessageParts {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

/** A method whose two directions are open-ended streams: everything on a hot path. */
export interface StreamMethod<Up, Down> {
  /** As on the wire: `/pstorage.Metadata/Session`. */
  readonly path: string;
  readonly up: Codec<Up>;
  readonly down: Codec<Down>;
}

/** A method with one request and one reply: administration. */
export interface UnaryMethod<Request, Reply> {
  readonly path: string;
  readonly request: Codec<Request>;
  readonly reply: Codec<Reply>;
}

/** Who is at the other end, as its certificate says (or nobody: `roles` is empty). */
export interface Peer {
  readonly address: string;
  /** Empty for a peer without a certificate. */
  readonly clusterId: string;
  /** The host the certificate was issued to; empty without one. */
  readonly hostId: string;
  readonly roles: readonly Role[];
}

/**
 * One end of a long-lived two-way stream of messages: ordered, whole until it closes.
 *
 * Handlers are set synchronously after the channel was handed over; nothing is delivered before.
 */
export interface Channel<Out, In> {
  readonly peer: Peer;
  /**
   * Queues the message. False when more than the high-water mark is waiting: a sender that has more should
   * wait for `drained`. Sending on a closed channel does nothing. Throws what the codec throws for a message
   * it refuses; the channel goes on.
   */
  send(message: Out): boolean;
  /** Resolves when there is room, or when the channel has closed. */
  drained(): Promise<void>;
  onMessage(handler: (message: In) => void): void;
  /** Called exactly once, never from inside `close`: without a failure when either side closed in order. */
  onClose(handler: (failure: StorageError | undefined) => void): void;
  /** Stop and resume delivery, at once: back-pressure towards the sender. */
  pause(): void;
  resume(): void;
  /**
   * What was queued goes out first. A failure reaches the other end if it was the accepting end that closed;
   * from the opening end it may arrive as an orderly end.
   */
  close(failure?: StorageError): void;
  readonly isClosed: boolean;
}

export interface CallOptions {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a server offers. Handlers may throw `StorageError`; anything else thrown is a bug and is logged. */
export interface Service {
  stream<Up, Down>(method: StreamMethod<Up, Down>, accept: (channel: Channel<Down, Up>) => void): void;
  unary<Request, Reply>(
    method: UnaryMethod<Request, Reply>,
    handle: (request: Request, peer: Peer) => Promise<Reply>,
  ): void;
}

export interface RpcListener {
  /** `IP:PORT` with the real port. */
  readonly address: string;
  close(): Promise<void>;
}

/** Calls to and from other processes: gRPC, or the simulator's network. */
export interface Rpc {
  /** Opens a stream. It is usable at once; if the peer cannot be reached, it closes with `unavailable`. */
  open<Up, Down>(method: StreamMethod<Up, Down>, address: string): Channel<Up, Down>;
  call<Request, Reply>(
    method: UnaryMethod<Request, Reply>,
    address: string,
    request: Request,
    options: CallOptions,
  ): Promise<Reply>;
  /** Listens on `IP:PORT` (port 0 chooses). `define` registers the methods. */
  serve(address: string, define: (service: Service) => void): Promise<RpcListener>;
  /** Closes every connection it opened. */
  close(): Promise<void>;
}
