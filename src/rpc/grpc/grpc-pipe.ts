import {
  type ClientHttp2Stream,
  constants,
  type Http2Stream,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from "node:http2";
import { StorageError, storageError } from "../../base/index.js";
import type { Clock, Timer } from "../../io/index.js";
import { FrameReader } from "../frame-reader.js";
import type { Pipe, PipeEnd } from "../pipe-channel.js";
import type { Peer } from "../transport.js";
import { statusHeaders, statusOf } from "./status.js";

/** A message up to this size goes out in one piece with its prefix. */
const JOINED_BYTES_MAX = 16 << 10;
/** Senders are told to wait when this much has not yet been given to HTTP/2 … */
const HIGH_WATER_BYTES = 2 << 20;
/** … and to go on below this. */
const LOW_WATER_BYTES = 1 << 20;
/** How long a closed stream may take to say its last. */
const LINGER_MS = 5000;

/** What a pipe asks of the connection it is on. */
export interface PipeContext {
  readonly clock: Clock;
  readonly peer: () => Peer;
  /** Why a stream of this connection broke, given what it said itself. */
  readonly breakReason: (error: Error | undefined) => StorageError;
  /** Told why this end closed the call, if it was for a failure. */
  readonly onRefusal?: ((failure: StorageError) => void) | undefined;
}

/**
 * Messages of a gRPC call: each a byte that says "not compressed", four bytes of length, highest first, and the
 * protobuf message, on an HTTP/2 stream whose trailers bear the status.
 */
abstract class GrpcPipe<Stream extends Http2Stream> implements Pipe {
  protected readonly stream: Stream;
  protected readonly owner: PipeEnd;
  readonly #context: PipeContext;
  readonly #reader: FrameReader;
  #waiters: (() => void)[] = [];
  #linger: Timer | undefined;
  protected hasReceived = false;
  #error: Error | undefined;
  /** Nothing more is sent. */
  #isClosed = false;
  /** The owner has heard that it is over, or has said so itself. */
  #isOver = false;

  protected constructor(stream: Stream, owner: PipeEnd, context: PipeContext) {
    this.stream = stream;
    this.owner = owner;
    this.#context = context;
    this.#reader = new FrameReader(5, owner.incomingBytesMax, messageLength);
    stream.on("data", (bytes: Uint8Array) => this.#read(bytes));
    stream.on("end", () => this.onEnd());
    // "close" always follows, and tells the owner.
    stream.on("error", (error) => {
      this.#error = error;
    });
    stream.on("close", () => this.#onStreamClose());
  }

  get peer(): Peer {
    return this.#context.peer();
  }

  write(head: Uint8Array, tail: Uint8Array): boolean {
    const { stream } = this;
    if (this.#isClosed || stream.destroyed) return true;
    const length = head.length + tail.length;
    if (length <= JOINED_BYTES_MAX) stream.write(joined(length, head, tail), this.#onWritten);
    else {
      const isShort = head.length <= JOINED_BYTES_MAX;
      stream.cork();
      for (const piece of isShort ? [joined(length, head), tail] : [joined(length), head, tail]) {
        if (piece.length > 0) stream.write(piece, this.#onWritten);
      }
      stream.uncork();
    }
    return stream.writableLength < HIGH_WATER_BYTES;
  }

  drained(): Promise<void> {
    if (this.stream.destroyed || this.stream.writableLength < LOW_WATER_BYTES) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  close(failure: StorageError | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isOver = true;
    // What still arrives is thrown away, so that the stream comes to its end.
    this.stream.resume();
    if (this.stream.destroyed) return;
    this.#linger = this.#context.clock.after("rpc.linger", LINGER_MS, () => this.destroy());
    this.sayLast(failure);
  }

  destroy(): void {
    this.stream.close(constants.NGHTTP2_CANCEL);
  }

  /** The other side has sent its last message. */
  protected abstract onEnd(): void;
  /** Ends this side of the stream. */
  protected abstract sayLast(failure: StorageError | undefined): void;

  protected finish(failure: StorageError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.owner.ended(failure);
  }

  readonly #onWritten = (): void => {
    if (this.#waiters.length === 0 || this.stream.writableLength >= LOW_WATER_BYTES) return;
    this.#wake();
  };

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }

  #read(bytes: Uint8Array): void {
    if (this.#isOver) return;
    try {
      this.#reader.read(bytes, (header, body) => {
        if (header[0] !== 0) throw storageError("unsupported", "compressed messages are not read here");
        this.hasReceived = true;
        if (!this.#isOver) this.owner.receive(body);
      });
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.close(error);
      this.owner.broken(error);
    }
  }

  #onStreamClose(): void {
    this.#linger?.cancel();
    this.#isClosed = true;
    this.#wake();
    if (this.#isOver) return;
    this.#isOver = true;
    this.owner.broken(this.#context.breakReason(this.#error));
  }
}

/** The end of a call that opened it. */
export class ClientPipe extends GrpcPipe<ClientHttp2Stream> {
  readonly #isUnary: boolean;
  #status: IncomingHttpHeaders | undefined;

  constructor(stream: ClientHttp2Stream, owner: PipeEnd, context: PipeContext, isUnary: boolean) {
    super(stream, owner, context);
    this.#isUnary = isUnary;
    stream.on("response", (headers) => {
      const isGrpc =
        headers[":status"] === 200 && String(headers["content-type"]).startsWith("application/grpc");
      if (!isGrpc) this.#status = { "grpc-status": "14", "grpc-message": "the peer does not speak gRPC" };
      else if (headers["grpc-status"] !== undefined) this.#status = headers;
    });
    stream.on("trailers", (headers) => {
      this.#status ??= headers;
    });
  }

  override write(head: Uint8Array, tail: Uint8Array): boolean {
    const hasRoom = super.write(head, tail);
    if (this.#isUnary) this.stream.end();
    return hasRoom;
  }

  protected override onEnd(): void {
    if (this.#status?.["grpc-status"] === undefined) return;
    this.finish(statusOf(this.#status));
  }

  protected override sayLast(failure: StorageError | undefined): void {
    // gRPC has no words for a caller's reason: the server sees an end.
    this.stream.end(failure && (() => this.destroy()));
  }
}

/** The end of a call that serves it. */
export class ServerPipe extends GrpcPipe<ServerHttp2Stream> {
  readonly #isUnary: boolean;
  readonly #onRefusal: PipeContext["onRefusal"];
  #failure: StorageError | undefined;

  constructor(stream: ServerHttp2Stream, owner: PipeEnd, context: PipeContext, isUnary: boolean) {
    super(stream, owner, context);
    this.#isUnary = isUnary;
    this.#onRefusal = context.onRefusal;
    stream.respond(RESPONSE, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers(statusHeaders(this.#failure?.failure)));
  }

  /** The caller of a unary method has nothing more to say once its request is sent. */
  protected override onEnd(): void {
    // Node ends the readable side of a broken stream too; "close" tells about that.
    if (this.stream.destroyed || this.stream.aborted || this.stream.rstCode !== constants.NGHTTP2_NO_ERROR)
      return;
    if (!this.#isUnary || !this.hasReceived) this.finish(undefined);
  }

  protected override sayLast(failure: StorageError | undefined): void {
    this.#failure = failure;
    if (failure !== undefined) this.#onRefusal?.(failure);
    this.stream.end();
  }
}

const RESPONSE = { ":status": 200, "content-type": "application/grpc+proto" };

/** Answers a call that nobody serves. */
export function refuse(stream: ServerHttp2Stream, failure: StorageError): void {
  stream.on("error", () => undefined);
  stream.respond({ ...RESPONSE, ...statusHeaders(failure.failure) }, { endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}

function messageLength(header: Uint8Array): number {
  return new DataView(header.buffer).getUint32(1);
}

/** The prefix of a message of that length, and the first of its bytes, in one piece. */
function joined(messageBytes: number, head: Uint8Array = EMPTY, tail: Uint8Array = EMPTY): Uint8Array {
  const bytes = Buffer.allocUnsafe(5 + head.length + tail.length);
  bytes[0] = 0;
  bytes.writeUInt32BE(messageBytes, 1);
  bytes.set(head, 5);
  bytes.set(tail, 5 + head.length);
  return bytes;
}

const EMPTY = new Uint8Array(0);
