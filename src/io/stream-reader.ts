import { concatBytes } from "../base/index.js";

/** What the reader of a format makes of its bytes. */
export interface StreamReaderEvents {
  /** Bytes were taken, in order: for a checksum. */
  readonly taken: (bytes: Uint8Array) => void;
  /** What to fail with when the stream ends before what is to be taken. */
  readonly endedEarly: () => Error;
}

/** Takes given numbers of bytes off a stream. Callers bound the numbers: so much is held in memory. */
export class StreamReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #events: StreamReaderEvents;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(bytes: AsyncIterable<Uint8Array>, events: StreamReaderEvents) {
    this.#iterator = bytes[Symbol.asyncIterator]();
    this.#events = events;
  }

  /** A copy: what arrived may be a piece of a larger buffer. */
  async take(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      if (await this.isAtEnd()) throw this.#events.endedEarly();
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      missing -= part.length;
      parts.push(part);
    }
    const bytes = concatBytes(...parts);
    this.#events.taken(bytes);
    return bytes;
  }

  /** A big-endian number of four bytes. */
  async takeUint32(): Promise<number> {
    const bytes = await this.take(4);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  }

  /** Waits for more, or for the end. */
  async isAtEnd(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#iterator.next();
      if (next.done === true) return true;
      this.#rest = next.value;
    }
    return false;
  }
}

/** A big-endian number of four bytes, as `takeUint32` takes it. */
export function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
