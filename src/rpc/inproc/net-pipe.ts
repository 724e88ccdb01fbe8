import { concatBytes, StorageError, storageError } from "../../base/index.js";
import type { Clock, Connection, Timer } from "../../io/index.js";
import { failureFromWire, failureToWire } from "../codec.js";
import { FrameReader } from "../frame-reader.js";
import { Failure as FailureMessage } from "../gen/messages.js";
import { KEEP_ALIVE_MS, type Pipe, type PipeEnd } from "../pipe-channel.js";
import type { Peer } from "../transport.js";
import { decodeMessage, encodeMessage } from "../wire.js";

/** First byte of a frame. Four bytes of length follow, highest first, then the body. */
export const FRAME = { open: 1, accept: 2, message: 3, close: 4, alive: 5 } as const;

/** Of the opening and the closing of a channel; messages have the bound of their method. */
const CONTROL_BYTES_MAX = 16 << 10;
/** What may wait for the connection to be made before senders are told to wait. */
const EARLY_BYTES_MAX = 1 << 20;
const EMPTY = new Uint8Array(0);

/** What the frames that begin a channel mean, the rest the pipe understands itself; and its end. */
export interface PipeEvents {
  /** On the side that accepted: says who owns the pipe, or undefined if it was closed instead. */
  readonly onOpen?: (body: Uint8Array) => PipeEnd | undefined;
  /** On the side that opened. */
  readonly onAccept?: (body: Uint8Array) => void;
  /** The connection is gone, or was never made. */
  readonly onGone?: () => void;
}

/**
 * One channel on a connection of its own. Frames: `open` one way and `accept` the other, messages, `close`. The end
 * of the connection without a `close` means that the peer died; so does silence, for both ends say now and then that
 * they are alive.
 */
export class NetPipe implements Pipe {
  peer: Peer;
  readonly #clock: Clock;
  readonly #events: PipeEvents;
  readonly #reader = new FrameReader(5, CONTROL_BYTES_MAX, bodyLength);
  #owner: PipeEnd | undefined;
  #connection: Connection | undefined;
  #connected: Promise<void> = Promise.resolve();
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #isPaused = false;
  #heardAtMs = 0;
  #timer: Timer | undefined;
  /** Nothing more is sent. */
  #isClosed = false;
  /** Nothing more is taken in. */
  #isOver = false;
  /** What was written still goes out. */
  #isClosing = false;

  constructor(clock: Clock, peer: Peer, owner: PipeEnd | undefined, events: PipeEvents) {
    this.#clock = clock;
    this.peer = peer;
    if (owner !== undefined) this.#setOwner(owner);
    this.#events = events;
  }

  /** Goes on with a connection that is being made, or breaks if it cannot be made. */
  dial(connecting: Promise<Connection>): void {
    this.#connected = connecting.then(
      (connection) => this.start(connection),
      (error: unknown) => {
        this.#break(
          error instanceof StorageError ? error : storageError("unavailable", "cannot connect", error),
        );
      },
    );
  }

  start(connection: Connection): void {
    this.#connection = connection;
    if (this.#isOver && !this.#isClosing) {
      connection.destroy();
      return;
    }
    connection.onData((bytes) => {
      this.#read(bytes);
    });
    connection.onClose(() =>
      this.#break(storageError("unavailable", `${this.peer.address} broke the connection`)),
    );
    if (this.#early.length > 0) connection.write(this.#early);
    this.#early = [];
    if (this.#isPaused) connection.pause();
    this.#heardAtMs = this.#clock.monotonicMs();
    this.#beAlive();
    if (this.#isClosing) connection.end();
  }

  write(head: Uint8Array, tail: Uint8Array): boolean {
    // Copied: both ends are in one process, and must not see each other's memory.
    return this.send(FRAME.message, tail.length === 0 ? head : concatBytes(head, tail));
  }

  send(kind: number, body: Uint8Array): boolean {
    if (this.#isClosed) return true;
    const frame = [header(kind, body.length), body];
    if (this.#connection !== undefined) return this.#connection.write(frame);
    this.#early.push(...frame);
    this.#earlyBytes += body.length;
    return this.#earlyBytes < EARLY_BYTES_MAX;
  }

  async drained(): Promise<void> {
    await this.#connected;
    await this.#connection?.drained();
  }

  pause(): void {
    this.#isPaused = true;
    this.#connection?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#heardAtMs = this.#clock.monotonicMs();
    this.#connection?.resume();
  }

  close(failure: StorageError | undefined): void {
    if (this.#isClosed) return;
    this.send(
      FRAME.close,
      failure === undefined ? EMPTY : encodeMessage(FailureMessage, failureToWire(failure.failure)),
    );
    this.#isClosed = true;
    this.#isOver = true;
    this.#isClosing = true;
    // A reader that is stopped would never see the connection end.
    this.resume();
    this.#connection?.end();
  }

  destroy(): void {
    this.#break(storageError("closed", "this process closed all its connections"));
    this.#connection?.destroy();
  }

  #read(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#heardAtMs = this.#clock.monotonicMs();
    try {
      this.#reader.read(bytes, (frameHeader, body) => this.#take(frameHeader[0], body));
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.close(error);
      this.#owner?.broken(error);
    }
  }

  #take(kind: number | undefined, body: Uint8Array): void {
    if (this.#isOver) return;
    if (kind === FRAME.message) this.#owner?.receive(body);
    else if (kind === FRAME.open && this.#owner === undefined) this.#setOwner(this.#events.onOpen?.(body));
    else if (kind === FRAME.accept) this.#events.onAccept?.(body);
    else if (kind === FRAME.close) {
      this.#isOver = true;
      this.#owner?.ended(readFailure(body));
    } else if (kind !== FRAME.alive) throw storageError("malformed", "not a frame");
  }

  #setOwner(owner: PipeEnd | undefined): void {
    this.#owner = owner;
    if (owner !== undefined) this.#reader.bytesMax = Math.max(CONTROL_BYTES_MAX, owner.incomingBytesMax);
  }

  #beAlive(): void {
    this.#timer = this.#clock.after("rpc.keep-alive", KEEP_ALIVE_MS, () => {
      const silentMs = this.#clock.monotonicMs() - this.#heardAtMs;
      // Who does not read cannot complain of silence.
      if (!this.#isPaused && silentMs > 1.5 * KEEP_ALIVE_MS) {
        this.#break(storageError("unavailable", `${this.peer.address}: no sign of life`));
        this.#connection?.destroy();
        return;
      }
      this.send(FRAME.alive, EMPTY);
      this.#beAlive();
    });
  }

  #break(failure: StorageError): void {
    this.#timer?.cancel();
    this.#isClosed = true;
    this.#early = [];
    this.#events.onGone?.();
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner?.broken(failure);
  }
}

function bodyLength(frameHeader: Uint8Array): number {
  return new DataView(frameHeader.buffer).getUint32(1);
}

function header(kind: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = kind;
  new DataView(bytes.buffer).setUint32(1, lengthBytes);
  return bytes;
}

function readFailure(body: Uint8Array): StorageError | undefined {
  if (body.length === 0) return undefined;
  return new StorageError(failureFromWire(decodeMessage(FailureMessage, body)));
}
