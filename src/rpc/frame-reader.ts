import { storageError } from "../base/index.js";

/** Less is copied sooner than received apart. */
const WANTED_BYTES_MIN = 16 << 10;

/**
 * Cuts a stream of bytes into frames: a header of fixed size that tells the length of what follows, and that.
 * A frame that lies in one piece of the stream is a view on it; one that was torn is put together by one copy.
 */
export class FrameReader {
  readonly #headerBytes: number;
  readonly #lengthOf: (header: Uint8Array) => number;
  /** Longer bodies are refused. */
  bytesMax: number;
  readonly #header: Uint8Array;
  #headerFilled = 0;
  #body: Uint8Array | undefined;
  #bodyFilled = 0;

  /** `lengthOf` reads the length of the body from a header. */
  constructor(headerBytes: number, bytesMax: number, lengthOf: (header: Uint8Array) => number) {
    this.#headerBytes = headerBytes;
    this.bytesMax = bytesMax;
    this.#lengthOf = lengthOf;
    this.#header = new Uint8Array(headerBytes);
  }

  /** Memory for what is missing of a long frame; bytes that arrive there need not be copied. */
  get wanted(): Uint8Array | undefined {
    if (this.#body === undefined || this.#body.length - this.#bodyFilled < WANTED_BYTES_MIN) return undefined;
    return this.#body.subarray(this.#bodyFilled);
  }

  /** Calls `onFrame` for every frame that is complete by now. Throws `malformed` for one that is too long. */
  read(bytes: Uint8Array, onFrame: (header: Uint8Array, body: Uint8Array) => void): void {
    let position = 0;
    while (position < bytes.length) {
      if (this.#body !== undefined) {
        position += this.#fillBody(bytes, position);
        if (this.#bodyFilled < this.#body.length) return;
        const body = this.#body;
        this.#body = undefined;
        this.#headerFilled = 0;
        onFrame(this.#header, body);
        continue;
      }
      position += this.#fillHeader(bytes, position);
      if (this.#headerFilled < this.#headerBytes) return;
      const length = this.#lengthOf(this.#header);
      if (length > this.bytesMax)
        throw storageError("malformed", `a message of ${length} bytes, ${this.bytesMax} at most`);
      if (length > bytes.length - position) {
        this.#body = uninitialized(length);
        this.#bodyFilled = 0;
        continue;
      }
      const body = bytes.subarray(position, position + length);
      position += length;
      this.#headerFilled = 0;
      onFrame(this.#header, body);
    }
  }

  #fillHeader(bytes: Uint8Array, position: number): number {
    const count = Math.min(this.#headerBytes - this.#headerFilled, bytes.length - position);
    for (let i = 0; i < count; i++) this.#header[this.#headerFilled + i] = bytes[position + i] as number;
    this.#headerFilled += count;
    return count;
  }

  #fillBody(bytes: Uint8Array, position: number): number {
    const body = this.#body as Uint8Array;
    const count = Math.min(body.length - this.#bodyFilled, bytes.length - position);
    const isThere =
      bytes.buffer === body.buffer && bytes.byteOffset + position === body.byteOffset + this.#bodyFilled;
    if (!isThere) body.set(bytes.subarray(position, position + count), this.#bodyFilled);
    this.#bodyFilled += count;
    return count;
  }
}

/** Zeroing a megabyte that will be overwritten would cost as much as filling it. */
function uninitialized(length: number): Uint8Array {
  const buffer = Buffer.allocUnsafeSlow(length);
  return new Uint8Array(buffer.buffer, buffer.byteOffset, length);
}
