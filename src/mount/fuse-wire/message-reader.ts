import { storageError } from "../../base/index.js";

const TWO_32 = 2 ** 32;

/**
 * Reads fields of one message in order. Whatever is not there is `malformed`, never a crash and never another
 * message's bytes. Fields are little-endian: FUSE speaks the machine's byte order, and Node runs on no other.
 */
export class MessageReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #offset: number;

  constructor(bytes: Buffer, offset: number, end: number) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#end = end;
    if (offset > end || end > bytes.length)
      throw storageError("malformed", "a message is shorter than it says");
  }

  get remaining(): number {
    return this.#end - this.#offset;
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  /** Rounded above 2^53. */
  u64(): number {
    const at = this.#take(8);
    return this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * TWO_32;
  }

  /** Rounded beyond 2^53. */
  i64(): number {
    const at = this.#take(8);
    return this.#bytes.readUInt32LE(at) + this.#bytes.readInt32LE(at + 4) * TWO_32;
  }

  big64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }

  skip(lengthBytes: number): void {
    this.#take(lengthBytes);
  }

  /** A copy of the bytes before the next NUL, which is skipped. */
  name(): Uint8Array {
    const at = this.#offset;
    const nul = this.#bytes.indexOf(0, at);
    if (nul < 0 || nul >= this.#end) throw storageError("malformed", "a name without an end");
    this.#offset = nul + 1;
    return new Uint8Array(this.#bytes.subarray(at, nul));
  }

  /** Bytes that lie in the message's buffer. */
  view(lengthBytes: number): Uint8Array {
    const at = this.#take(lengthBytes);
    return this.#bytes.subarray(at, at + lengthBytes);
  }

  /** A copy. */
  copy(lengthBytes: number): Uint8Array {
    const at = this.#take(lengthBytes);
    return new Uint8Array(this.#bytes.subarray(at, at + lengthBytes));
  }

  #take(lengthBytes: number): number {
    const at = this.#offset;
    if (at + lengthBytes > this.#end) throw storageError("malformed", "a message is too short for its kind");
    this.#offset = at + lengthBytes;
    return at;
  }
}
