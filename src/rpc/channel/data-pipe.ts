import { StorageError, storageError } from "../../base/index.js";
import type { Clock, Connection, Timer } from "../../io/index.js";
import { failureFromWire, failureToWire } from "../codec.js";
import { FrameReader } from "../frame-reader.js";
import { Failure as FailureMessage } from "../gen/messages.js";
import type { Pipe, PipeEnd } from "../pipe-channel.js";
import type { Peer } from "../transport.js";
import { decodeMessage, encodeMessage } from "../wire.js";
import { type Opener, type Protection, type Sealer, sealBytes } from "./data-seal.js";
import { SIGN_MS, SignsOfLife } from "./signs-of-life.js";

/** A record: four bytes of length, highest first, and as many bytes, behind which the seal may add its tag. */
const RECORD_HEADER_BYTES = 4;
/** In a record, each part: four bytes of length, one that says what it is, and the body. */
const PART_HEADER_BYTES = 5;
const PART = { message: 1, close: 2 } as const;
/** A record takes no further message beyond that. */
const RECORD_FULL_BYTES = 64 << 10;
/** Bodies up to this size are copied into one piece with their header. */
const JOINED_BYTES_MAX = 16 << 10;
/** How long a closed connection may take to send its last and to hear the peer's end. */
const LINGER_MS = 5000;
/** After a silence it is looked once more: what came while this process itself stood still is read before anybody is given up. */
const LAST_LOOK_MS = 100;
const EMPTY = new Uint8Array(0);

/** How one direction each is protected. */
export interface Seals {
  readonly protection: Protection;
  readonly sealer: Sealer;
  readonly opener: Opener;
}

/**
 * One channel on a connection of its own. Messages that are sent in one turn share a record, a seal and a system call.
 * A record without parts says that its sender is alive; the end of the connection without a `close` means that the
 * peer died.
 */
export class DataPipe implements Pipe {
  readonly peer: Peer;
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #owner: PipeEnd;
  readonly #seals: Seals;
  readonly #reader: FrameReader;
  readonly #onGone: () => void;
  /** Parts of the record that is being made. */
  #parts: Part[] = [];
  #partBytes = 0;
  #isFlushing = false;
  #hasRoom = true;
  #isPaused = false;
  readonly #signs: SignsOfLife;
  #timer: Timer | undefined;
  /** Nothing more is sent. */
  #isClosed = false;
  /** Nothing more is taken in. */
  #isOver = false;

  constructor(
    clock: Clock,
    peer: Peer,
    connection: Connection,
    owner: PipeEnd,
    seals: Seals,
    onGone: () => void,
  ) {
    this.peer = peer;
    this.#clock = clock;
    this.#connection = connection;
    this.#owner = owner;
    this.#seals = seals;
    this.#onGone = onGone;
    this.#signs = new SignsOfLife(clock.monotonicMs());
    const overhead = sealBytes(seals.protection);
    const recordBytesMax = owner.incomingBytesMax + RECORD_FULL_BYTES + PART_HEADER_BYTES + overhead;
    this.#reader = new FrameReader(
      RECORD_HEADER_BYTES,
      recordBytesMax,
      (header) => new DataView(header.buffer, header.byteOffset).getUint32(0) + overhead,
    );
  }

  /** To be called once, when the owner knows this pipe. From then on it is told what happens to the connection. */
  start(): void {
    this.#beAlive();
  }

  disconnected(): void {
    this.#break(storageError("unavailable", `${this.peer.address} broke the connection`));
  }

  write(head: Uint8Array, tail: Uint8Array): boolean {
    if (this.#isClosed) return true;
    this.#append(PART.message, head, tail);
    return this.#hasRoom;
  }

  async drained(): Promise<void> {
    this.#flush();
    if (this.#isClosed) return;
    await this.#connection.drained();
    this.#hasRoom = true;
  }

  pause(): void {
    this.#isPaused = true;
    this.#connection.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#signs.excuse(this.#clock.monotonicMs());
    this.#connection.resume();
  }

  close(failure: StorageError | undefined): void {
    if (this.#isClosed) return;
    const reason = failure && encodeMessage(FailureMessage, failureToWire(failure.failure));
    this.#append(PART.close, reason ?? EMPTY, EMPTY);
    this.#flush();
    this.#isClosed = true;
    this.#isOver = true;
    // A reader that is stopped would never see the connection end.
    this.resume();
    this.#connection.end();
    this.#timer?.cancel();
    this.#timer = this.#clock.after("rpc.linger", LINGER_MS, () => this.#connection.destroy());
  }

  destroy(): void {
    this.#break(storageError("closed", "this process closed all its connections"));
    this.#connection.destroy();
  }

  #append(kind: number, head: Uint8Array, tail: Uint8Array): void {
    this.#parts.push({ kind, head, tail });
    this.#partBytes += PART_HEADER_BYTES + head.length + tail.length;
    if (this.#partBytes >= RECORD_FULL_BYTES) this.#flush();
    else this.#flushSoon();
  }

  /** When what runs now is over: what it sends besides goes with it. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    void Promise.resolve().then(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#parts.length === 0 || this.#isClosed) return;
    const parts = this.#parts;
    const partBytes = this.#partBytes;
    this.#parts = [];
    this.#partBytes = 0;
    this.#hasRoom = this.#sendRecord(parts, partBytes);
  }

  #sendRecord(parts: readonly Part[], partBytes: number): boolean {
    const { sealer } = this.#seals;
    if (partBytes > JOINED_BYTES_MAX)
      return this.#connection.write([recordHeader(partBytes), ...sealer.seal(layOut(parts))]);
    const record = Buffer.allocUnsafe(RECORD_HEADER_BYTES + partBytes);
    record.writeUInt32BE(partBytes);
    let position = RECORD_HEADER_BYTES;
    for (const part of parts) position = putPart(record, position, part);
    return this.#connection.write(sealer.sealFrom(record, RECORD_HEADER_BYTES));
  }

  /** Bytes arrived on the connection. Returns where it wants the next ones, if it matters. */
  received(bytes: Uint8Array): Uint8Array | undefined {
    if (this.#isOver) return undefined;
    this.#signs.heard(this.#clock.monotonicMs());
    try {
      this.#reader.read(bytes, (_header, record) => this.#takeRecord(this.#seals.opener.open(record)));
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.close(error);
      this.#owner.broken(error);
    }
    return this.#isOver ? undefined : this.#reader.wanted;
  }

  #takeRecord(record: Uint8Array): void {
    if (record.length === 0) this.#signs.sign(this.#clock.monotonicMs());
    const view = new DataView(record.buffer, record.byteOffset, record.length);
    for (let position = 0; position < record.length && !this.#isOver; ) {
      if (record.length - position < PART_HEADER_BYTES) throw storageError("malformed", "a part that is cut");
      const begin = position + PART_HEADER_BYTES;
      const end = begin + view.getUint32(position);
      if (end > record.length) throw storageError("malformed", "a part longer than its record");
      this.#take(view.getUint8(position + 4), record.subarray(begin, end));
      position = end;
    }
  }

  #take(kind: number, body: Uint8Array): void {
    if (kind === PART.message) {
      if (body.length > this.#owner.incomingBytesMax)
        throw storageError("malformed", `a message of ${body.length} bytes`);
      this.#owner.receive(body);
    } else if (kind === PART.close) {
      this.#isOver = true;
      this.#owner.ended(readFailure(body));
    } else throw storageError("malformed", "a part of an unknown kind");
  }

  #beAlive(wasSilent = false): void {
    this.#timer = this.#clock.after("rpc.keep-alive", wasSilent ? LAST_LOOK_MS : SIGN_MS, () => {
      // Who does not read cannot complain of silence.
      const isSilent = !this.#isPaused && this.#signs.isSilent(this.#clock.monotonicMs());
      if (isSilent && wasSilent) {
        this.#break(storageError("unavailable", `${this.peer.address}: no sign of life`));
        this.#connection.destroy();
        return;
      }
      this.#flush();
      this.#sendRecord([], 0);
      this.#beAlive(isSilent);
    });
  }

  #break(failure: StorageError): void {
    this.#timer?.cancel();
    this.#isClosed = true;
    this.#parts = [];
    this.#onGone();
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner.broken(failure);
  }
}

/** What one message, or the end, is on the wire. */
interface Part {
  readonly kind: number;
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

/** Writes the part there, all of it; where it ends. */
function putPart(target: Buffer, position: number, { kind, head, tail }: Part): number {
  const begin = putPartHeader(target, position, kind, head.length + tail.length);
  target.set(head, begin);
  target.set(tail, begin + head.length);
  return begin + head.length + tail.length;
}

function putPartHeader(target: Buffer, position: number, kind: number, lengthBytes: number): number {
  return target.writeUInt8(kind, target.writeUInt32BE(lengthBytes, position));
}

/** The parts of a long record. Long bodies are sent from where they lie. */
function layOut(parts: readonly Part[]): Uint8Array[] {
  return parts.flatMap((part) => {
    const { kind, head, tail } = part;
    const lengthBytes = head.length + tail.length;
    const isShort = lengthBytes <= JOINED_BYTES_MAX;
    const isHeadShort = head.length <= JOINED_BYTES_MAX;
    const joinedBytes = isShort ? lengthBytes : isHeadShort ? head.length : 0;
    const bytes = Buffer.allocUnsafe(PART_HEADER_BYTES + joinedBytes);
    const begin = putPartHeader(bytes, 0, kind, lengthBytes);
    if (isHeadShort) bytes.set(head, begin);
    if (!isHeadShort) return [bytes, head, tail];
    if (!isShort) return [bytes, tail];
    bytes.set(tail, begin + head.length);
    return [bytes];
  });
}

function recordHeader(partBytes: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(RECORD_HEADER_BYTES);
  bytes.writeUInt32BE(partBytes);
  return bytes;
}

function readFailure(body: Uint8Array): StorageError | undefined {
  if (body.length === 0) return undefined;
  return new StorageError(failureFromWire(decodeMessage(FailureMessage, body)));
}
