import type { Timestamp } from "../../meta/index.js";

const TWO_32 = 2 ** 32;

/** Writes the fields of one message in order, into exactly as many bytes as were promised. */
export class MessageWriter {
  readonly bytes: Buffer;
  #offset = 0;

  /** The bytes begin as zeros, so that padding is skipped rather than written. */
  constructor(sizeBytes: number) {
    this.bytes = Buffer.alloc(sizeBytes);
  }

  u16(value: number): this {
    this.#offset = this.bytes.writeUInt16LE(value, this.#offset);
    return this;
  }

  u32(value: number): this {
    this.#offset = this.bytes.writeUInt32LE(value >>> 0, this.#offset);
    return this;
  }

  i32(value: number): this {
    this.#offset = this.bytes.writeInt32LE(value, this.#offset);
    return this;
  }

  /** Any integer a number can hold exactly, negative ones as two's complement. */
  u64(value: number): this {
    const high = Math.floor(value / TWO_32);
    return this.u32(value - high * TWO_32).u32(high);
  }

  big64(value: bigint): this {
    this.#offset = this.bytes.writeBigUInt64LE(BigInt.asUintN(64, value), this.#offset);
    return this;
  }

  put(bytes: Uint8Array): this {
    this.bytes.set(bytes, this.#offset);
    this.#offset += bytes.length;
    return this;
  }

  skip(lengthBytes: number): this {
    this.#offset += lengthBytes;
    return this;
  }

  /** `struct fuse_sx_time`. */
  statxTime({ seconds, nanos }: Timestamp): this {
    return this.u64(seconds).u32(nanos).skip(4);
  }

  get offset(): number {
    return this.#offset;
  }
}
