import { storageError } from "../base/index.js";
import type { Clock } from "../io/index.js";
import type { Access, Attributes, InodeNumber } from "../meta/index.js";
import { copyRange } from "./copy-range.js";
import type { Loan } from "./core/lent-block.js";
import type { OpenFile } from "./open-file.js";
import type { OpenedFile, OpenFiles } from "./open-files.js";
import { type WaitOptions, Wakeup, withinLimits } from "./waiting.js";

/** How a handle works. */
export interface HandleOptions extends WaitOptions {
  /**
   * Writes resolve when they are in this client's memory, while nobody else has the file open for writing, and reads in
   * sequence are read ahead; `flush` and `sync` say when writes have arrived. Default: as the cluster was connected.
   */
  readonly buffered?: boolean | undefined;
}

/** Of a read. */
export interface ReadOptions extends WaitOptions {
  /**
   * Bytes of a buffered handle are lent: whoever reads ends the loan when he does not look at them any more, and memory is used again
   * instead of collected. What was lent once is hardly kept for who reads it again. Default: they are his for good.
   */
  readonly loan?: Loan | undefined;
}

/** Of what may grow a file. */
export interface KeepSizeOptions extends WaitOptions {
  /** The file does not grow, even if the range goes beyond its end; default false. */
  readonly keepSize?: boolean | undefined;
}

/**
 * One open of a file. Any number of requests may be under way on it at the same time: reads and writes that do not
 * overlap never wait for each other, overlapping writes are carried out in the order they were made, and a read sees
 * every earlier write of this client.
 *
 * Requests wait through faults as long as their limits allow. `lease_lost` means that the cluster gave the file's lease
 * to somebody else (this client was out of reach for too long, or was revoked): close the handle and open it again.
 */
export class FileHandle {
  readonly #files: OpenFiles;
  readonly #file: OpenFile;
  readonly #clock: Clock;
  readonly #access: Access;
  readonly #countedAs: Access;
  readonly #attributes: Attributes;
  readonly #isBuffered: boolean;
  readonly #idle = new Wakeup();
  /** So many failures of buffered writes this handle was told of, or are from before its time. */
  #toldFailures: number;
  #runningCount = 0;
  #closing: Promise<void> | undefined;

  constructor(
    files: OpenFiles,
    { file, attributes, countedAs }: Omit<OpenedFile, "created">,
    clock: Clock,
    access: Access,
    options?: HandleOptions,
  ) {
    this.#files = files;
    this.#file = file;
    this.#clock = clock;
    this.#access = access;
    this.#countedAs = countedAs;
    this.#attributes = attributes;
    this.#isBuffered = options?.buffered ?? files.isBuffered;
    this.#toldFailures = file.writeFailures.count;
  }

  get ino(): InodeNumber {
    return this.#file.ino;
  }

  get access(): Access {
    return this.#access;
  }

  /** Writes may resolve before they have left this client. */
  get isBuffered(): boolean {
    return this.#isBuffered;
  }

  /** Others have the file open too, and one of them writes: nothing of it is cached. */
  get isShared(): boolean {
    return this.#file.lease.kind === "shared";
  }

  /** As they were when the file was opened. */
  get openedAttributes(): Attributes {
    return this.#attributes;
  }

  /**
   * The bytes of the range; fewer, perhaps none, where the file ends. They are the caller's, unless the handle is
   * buffered: then others may share them, and nobody may change them. With a loan they are the caller's until he ends it.
   */
  read(offset: number, lengthBytes: number, options?: ReadOptions): Promise<Uint8Array> {
    return this.#run(options, (signal) =>
      this.#file.read(offset, lengthBytes, this.#isBuffered, signal, options?.loan),
    );
  }

  /** What `read` would resolve with, if it is known here and nobody has to be waited for; else undefined, and nothing was done. */
  readAtOnce(offset: number, lengthBytes: number, loan?: Loan): Uint8Array | undefined {
    if (this.#closing !== undefined) return undefined;
    return this.#file.readAtOnce(offset, lengthBytes, this.#isBuffered, loan);
  }

  /**
   * A write of a buffered handle that would resolve without waiting for anybody: true, and it is done. Else false, and
   * nothing was done.
   */
  writeAtOnce(bytes: Uint8Array, offset: number): boolean {
    if (this.#closing !== undefined || !this.#isBuffered || this.#access === "read") return false;
    return this.#file.writeAtOnce(offset, bytes);
  }

  /** Fills the buffers one after the other; resolves with the number of bytes there were. */
  async readv(buffers: readonly Uint8Array[], offset: number, options?: WaitOptions): Promise<number> {
    const lengthBytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    const bytes = await this.read(offset, lengthBytes, options);
    let done = 0;
    for (const buffer of buffers) {
      const part = bytes.subarray(done, done + buffer.length);
      buffer.set(part);
      done += part.length;
    }
    return done;
  }

  /**
   * Resolves when every replica has the bytes: they survive a crash of any process, and all later reads anywhere see
   * them. The buffer must not change until then.
   */
  write(bytes: Uint8Array, offset: number, options?: WaitOptions): Promise<void> {
    return this.#run(options, (signal) => {
      this.#requireWritable();
      return this.#file.write(offset, bytes, this.#isBuffered, signal);
    });
  }

  /**
   * Writes at the end of the file, wherever it is then; resolves with that offset. Any number of clients may append to
   * one file, and none overwrites what another appended. While others have the file open the size grows before the
   * bytes are there: meanwhile, and for ever if this client dies or fails in between, readers see zeros.
   */
  append(bytes: Uint8Array, options?: WaitOptions): Promise<number> {
    return this.#run(options, (signal) => {
      this.#requireWritable();
      return this.#file.append(bytes, this.#isBuffered, signal);
    });
  }

  /** Sets the size. What lay beyond reads as zeros ever after. */
  truncate(sizeBytes: number, options?: WaitOptions): Promise<void> {
    return this.#run(options, (signal) => {
      this.#requireWritable();
      return this.#file.truncate(sizeBytes, signal);
    });
  }

  /** Makes the range read as zeros and gives its space back; the size stays. */
  punch(offset: number, lengthBytes: number, options?: WaitOptions): Promise<void> {
    return this.#run(options, (signal) => {
      this.#requireWritable();
      return this.#file.punch(offset, lengthBytes, signal);
    });
  }

  /**
   * Makes the range read as zeros, as `punch` does; the file grows to the end of the range, unless `keepSize`. Whole
   * blocks in the range hold no data afterwards.
   */
  zeroRange(offset: number, lengthBytes: number, options?: KeepSizeOptions): Promise<void> {
    return this.#run(options, (signal) => {
      this.#requireWritable();
      return this.#file.zeroRange(offset, lengthBytes, options?.keepSize ?? false, signal);
    });
  }

  /**
   * The file grows to the end of the range, unless `keepSize`; its contents stay as they are. Space is not reserved:
   * storage is thin, and a write that finds none waits until there is some.
   */
  allocate(offset: number, lengthBytes: number, options?: KeepSizeOptions): Promise<void> {
    return this.#run(options, (signal) => {
      this.#requireWritable();
      return this.#file.allocate(offset, lengthBytes, options?.keepSize ?? false, signal);
    });
  }

  /**
   * Where the first data at or after the offset begin; undefined if there are none before the end of the file. Data
   * are what was written: whole blocks of 4 KiB, be they zeros.
   */
  seekData(offset: number, options?: WaitOptions): Promise<number | undefined> {
    return this.#run(options, (signal) => this.#file.seek("data", offset, signal));
  }

  /**
   * Where the first hole at or after the offset begins; the end of the file counts as one. Undefined if the offset is
   * not inside the file.
   */
  seekHole(offset: number, options?: WaitOptions): Promise<number | undefined> {
    return this.#run(options, (signal) => this.#file.seek("hole", offset, signal));
  }

  /**
   * Copies into another file of this cluster, many parts at once; holes stay holes. Resolves with the number of bytes
   * copied: fewer than asked for where this file ends. Fails with `invalid` if both are one file and the ranges
   * overlap.
   */
  copyRange(
    offset: number,
    target: FileHandle,
    targetOffset: number,
    lengthBytes: number,
    options?: WaitOptions,
  ): Promise<number> {
    return withinLimits(this.#clock, options, (signal) =>
      copyRange({ source: this, offset, target, targetOffset, lengthBytes }, { signal }),
    );
  }

  /**
   * Resolves when every write that had resolved before is on all replicas, and the MDS knows the size: what `close` does
   * first. Fails with the first failure of a buffered write that this handle was not told of yet.
   */
  flush(options?: WaitOptions): Promise<void> {
    return this.#run(options, (signal) => this.#telling(this.#file.flush(signal)));
  }

  /** Whether `checkWrites` would have nothing to tell. */
  get hasNoNews(): boolean {
    return this.#closing === undefined && this.#file.writeFailures.count <= this.#toldFailures;
  }

  /** Fails as `flush` does, but waits for nothing: what is on its way goes on. */
  checkWrites(): Promise<void> {
    return this.#run(undefined, () => this.#telling(Promise.resolve()));
  }

  /**
   * Resolves when every write that had resolved before, and the size, survive the loss of power everywhere. Fails as
   * `flush` does.
   */
  sync(options?: WaitOptions): Promise<void> {
    return this.#run(options, (signal) => this.#telling(this.#file.sync(signal)));
  }

  /** The present size, bytes. */
  size(options?: WaitOptions): Promise<number> {
    return this.#run(options, (signal) => this.#file.size(signal));
  }

  /**
   * Waits for requests under way, reports size and times, and gives the open back. Idempotent. It does not sync. Fails
   * if what was written could not be reported; the handle is closed all the same.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /**
   * Closes, and does not wait for the cluster: what is buffered goes on its way, and the file stays open there for some
   * seconds, so that opening it again costs nothing. What cannot be stored then is only logged.
   */
  release(): Promise<void> {
    this.releaseAtOnce();
    this.#closing ??= this.#release();
    return this.#closing;
  }

  /** The same, unless a request of the handle is under way: then false, and nothing was done. */
  releaseAtOnce(): boolean {
    if (this.#closing !== undefined || this.#runningCount > 0) return false;
    this.#closing = Promise.resolve();
    this.#files.release(this.#file, this.#countedAs);
    return true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #release(): Promise<void> {
    while (this.#runningCount > 0) await this.#idle.next();
    this.#files.release(this.#file, this.#countedAs);
  }

  async #close(): Promise<void> {
    while (this.#runningCount > 0) await this.#idle.next();
    await this.#telling(this.#files.close(this.#file, this.#countedAs));
  }

  /** A buffered write that could not be stored is told to every handle once, by the next that waits for writes. */
  async #telling(work: Promise<void>): Promise<void> {
    await work;
    const { count, last } = this.#file.writeFailures;
    const isNews = count > this.#toldFailures;
    this.#toldFailures = count;
    if (isNews && last !== undefined) throw last;
  }

  async #run<T>(
    options: WaitOptions | undefined,
    work: (signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    if (this.#closing !== undefined) throw storageError("closed", "the file handle was closed");
    this.#runningCount++;
    try {
      return await withinLimits(this.#clock, options, work);
    } finally {
      this.#runningCount--;
      if (this.#runningCount === 0) this.#idle.all();
    }
  }

  #requireWritable(): void {
    if (this.#access === "read") throw storageError("not_permitted", "the file is open for reading only");
  }
}
