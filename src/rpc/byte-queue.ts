import type { StorageError } from "../base/index.js";

/** What can be told to stop and go on. */
interface Source {
  pause(): void;
  resume(): void;
}

/** Beyond this many waiting bytes the source is paused. */
const WAITING_BYTES_MAX = 4 << 20;

/** Bytes pushed on one side and iterated over on the other, with back-pressure to where they come from. */
export class ByteQueue implements AsyncIterable<Uint8Array> {
  readonly #source: Source;
  readonly #parts: Uint8Array[] = [];
  #waitingBytes = 0;
  #end: "open" | "ended" | StorageError = "open";
  #wake: (() => void) | undefined;

  constructor(source: Source) {
    this.#source = source;
  }

  push(part: Uint8Array): void {
    this.#parts.push(part);
    this.#waitingBytes += part.length;
    if (this.#waitingBytes > WAITING_BYTES_MAX) this.#source.pause();
    this.#wake?.();
  }

  end(): void {
    if (this.#end === "open") this.#end = "ended";
    this.#wake?.();
  }

  fail(failure: StorageError): void {
    if (this.#end === "open") this.#end = failure;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    for (;;) {
      const part = this.#parts.shift();
      if (part !== undefined) {
        const wasFull = this.#waitingBytes > WAITING_BYTES_MAX;
        this.#waitingBytes -= part.length;
        if (wasFull && this.#waitingBytes <= WAITING_BYTES_MAX) this.#source.resume();
        yield part;
        continue;
      }
      if (this.#end === "ended") return;
      if (this.#end !== "open") throw this.#end;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
