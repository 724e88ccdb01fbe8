import { assert, storageError } from "../base/index.js";
import { IO_BYTES_MAX } from "../chunk/index.js";
import type { FileHandle } from "./file-handle.js";
import { type WaitOptions, Wakeup } from "./waiting.js";

export interface StreamOptions extends WaitOptions {
  /** Bytes of one request; default 1 MiB. */
  readonly partBytes?: number | undefined;
  /** Bytes on the way at most; default 16 MiB. */
  readonly depthBytes?: number | undefined;
}

export interface ReadStreamOptions extends StreamOptions {
  /** Offset of the first byte; default 0. */
  readonly begin?: number | undefined;
  /** Offset after the last byte; default: the end of the file. */
  readonly end?: number | undefined;
}

export interface WriteStreamOptions extends StreamOptions {
  /** Offset of the first byte; default 0. */
  readonly begin?: number | undefined;
}

const DEPTH_BYTES = 16 << 20;

/** The contents of a file in order, read ahead. Each part is its receiver's to keep. */
export async function* readStream(
  handle: FileHandle,
  options: ReadStreamOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const { begin = 0, partBytes = IO_BYTES_MAX, depthBytes = DEPTH_BYTES } = options;
  assert(partBytes > 0, "a part holds something");
  const end = options.end ?? (await handle.size(options));
  const ahead: { readonly promise: Promise<Uint8Array>; readonly lengthBytes: number }[] = [];
  let next = begin;
  const readAhead = (): void => {
    while (next < end && (ahead.length === 0 || (ahead.length + 1) * partBytes <= depthBytes)) {
      const lengthBytes = Math.min(partBytes, end - next);
      const promise = handle.read(next, lengthBytes, options);
      // A failure is met when its turn comes; until then it is not unhandled.
      promise.catch(() => undefined);
      ahead.push({ promise, lengthBytes });
      next += lengthBytes;
    }
  };
  for (;;) {
    readAhead();
    const first = ahead.shift();
    if (first === undefined) return;
    const bytes = await first.promise;
    if (bytes.length > 0) yield bytes;
    // The file became shorter: it ends here.
    if (bytes.length < first.lengthBytes) return;
  }
}

/**
 * Writes in order, gathered into large parts of which many are on the way at once. `write` resolves when there is room
 * for more; what it was given may then be used again. After a failure every later call fails with it.
 */
export class WriteStream {
  readonly #handle: FileHandle;
  readonly #options: WriteStreamOptions;
  readonly #partBytes: number;
  readonly #depthBytes: number;
  readonly #changed = new Wakeup();
  #position: number;
  #part: Uint8Array | undefined;
  #filledBytes = 0;
  #underWayBytes = 0;
  #failure: unknown;
  #isFinished = false;

  constructor(handle: FileHandle, options: WriteStreamOptions = {}) {
    this.#handle = handle;
    this.#options = options;
    this.#partBytes = options.partBytes ?? IO_BYTES_MAX;
    this.#depthBytes = Math.max(options.depthBytes ?? DEPTH_BYTES, this.#partBytes);
    this.#position = options.begin ?? 0;
    assert(this.#partBytes > 0, "a part holds something");
  }

  /** Where the next byte goes. */
  get position(): number {
    return this.#position + this.#filledBytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#isFinished) throw storageError("closed", "the stream was finished");
    let done = 0;
    while (done < bytes.length) {
      await this.#room();
      this.#part ??= new Uint8Array(this.#partBytes);
      const piece = bytes.subarray(done, done + this.#partBytes - this.#filledBytes);
      this.#part.set(piece, this.#filledBytes);
      this.#filledBytes += piece.length;
      done += piece.length;
      if (this.#filledBytes === this.#partBytes) this.#send();
    }
  }

  /** Resolves when everything was written; does not close the handle. */
  async finish(): Promise<void> {
    this.#isFinished = true;
    this.#send();
    while (this.#underWayBytes > 0) await this.#changed.next();
    if (this.#failure !== undefined) throw this.#failure;
  }

  #send(): void {
    const part = this.#part?.subarray(0, this.#filledBytes);
    if (part === undefined || part.length === 0) return;
    const offset = this.#position;
    this.#part = undefined;
    this.#filledBytes = 0;
    this.#position += part.length;
    this.#underWayBytes += part.length;
    const done = (): void => {
      this.#underWayBytes -= part.length;
      this.#changed.all();
    };
    this.#handle.write(part, offset, this.#options).then(done, (error: unknown) => {
      this.#failure ??= error;
      done();
    });
  }

  async #room(): Promise<void> {
    while (this.#underWayBytes + this.#partBytes > this.#depthBytes && this.#underWayBytes > 0) {
      if (this.#failure !== undefined) throw this.#failure;
      await this.#changed.next();
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** Writes everything the source gives, one part after the other. Returns the number of bytes. */
export async function writeAll(
  handle: FileHandle,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: WriteStreamOptions = {},
): Promise<number> {
  const stream = new WriteStream(handle, options);
  const begin = stream.position;
  try {
    for await (const bytes of source) await stream.write(bytes);
  } finally {
    // Also when the source failed: nothing may be under way behind the caller's back.
    await stream.finish();
  }
  return stream.position - begin;
}
