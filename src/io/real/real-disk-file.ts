import {
  constants,
  read as readCallback,
  readSync,
  write as writeCallback,
  writev as writevCallback,
  writevSync,
} from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { defined, storageError } from "../../base/index.js";
import type { DiskFile } from "../disk.js";
import { storageErrorOf } from "./errno.js";
import type { Promptness } from "./promptness.js";

/** What the files of one process' disks know of each other. */
export interface DiskCalls {
  readonly reads: Promptness;
  readonly writes: Promptness;
  /** Syncs and long writes under way: they hold other calls up, even such as memory could answer. */
  heavyCount: number;
}

/** Longer calls are made by a thread: handing them over costs little beside what they do. */
const IN_PLACE_BYTES_MAX = 64 << 10;

/** An open file of this machine. Calls may overlap; the kernel orders those that touch the same bytes. */
export class RealDiskFile implements DiskFile {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #isWritable: boolean;
  readonly #calls: DiskCalls;
  #callCount = 0;
  #onIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  /** The same file, opened so that a write is synced before it returns: one call of a thread instead of two. */
  #syncing: Promise<FileHandle> | undefined;

  constructor(handle: FileHandle, path: string, isWritable: boolean, calls: DiskCalls) {
    this.#handle = handle;
    this.#path = path;
    this.#isWritable = isWritable;
    this.#calls = calls;
  }

  read(buffer: Uint8Array, offset: number, _label: string): Promise<number> {
    return this.#call("read", async ({ fd }) => {
      let done = 0;
      while (done < buffer.length) {
        const bytesRead = this.#mayReadInPlace(buffer)
          ? this.#readInPlace(buffer, done, offset + done)
          : await read(fd, buffer, done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  readAtOnce(buffer: Uint8Array, offset: number, _label: string): number | undefined {
    if (this.#closing !== undefined) return undefined;
    try {
      for (let done = 0; this.#mayReadInPlace(buffer); ) {
        const bytesRead = this.#readInPlace(buffer, done, offset + done);
        done += bytesRead;
        if (bytesRead === 0 || done === buffer.length) return done;
      }
    } catch {
      // `read` fails the same way.
    }
    return undefined;
  }

  #mayReadInPlace(buffer: Uint8Array): boolean {
    return this.#mayCallInPlace(buffer.length) && this.#calls.reads.mayTry;
  }

  #mayCallInPlace(lengthBytes: number): boolean {
    return lengthBytes <= IN_PLACE_BYTES_MAX && this.#calls.heavyCount === 0;
  }

  #readInPlace(buffer: Uint8Array, done: number, offset: number): number {
    const { fd } = this.#handle;
    return this.#calls.reads.run(() => readSync(fd, buffer, done, buffer.length - done, offset));
  }

  write(buffers: readonly Uint8Array[], offset: number, _label: string): Promise<void> {
    return this.#call("write", async ({ fd }) => {
      const lengthBytes = buffers.reduce((sum, { length }) => sum + length, 0);
      const byThread = (): Promise<void> =>
        this.#writeAll(buffers, offset, (rest, position) => write(fd, rest, position));
      if (lengthBytes > IN_PLACE_BYTES_MAX) return await this.#heavily(byThread);
      const { writes } = this.#calls;
      if (!this.#mayCallInPlace(lengthBytes) || !writes.mayTry) return await byThread();
      await this.#writeAll(buffers, offset, (rest, position) =>
        writes.run(() => writevSync(fd, rest, position)),
      );
    });
  }

  writeSynced(buffers: readonly Uint8Array[], offset: number, _label: string): Promise<void> {
    return this.#call("write", (handle) =>
      this.#heavily(async () => {
        const { fd } = await this.#openSyncing(handle);
        await this.#writeAll(buffers, offset, (rest, position) => write(fd, rest, position));
      }),
    );
  }

  sync(_label: string): Promise<void> {
    return this.#call("sync", (handle) => this.#heavily(() => handle.datasync()));
  }

  truncate(lengthBytes: number, _label: string): Promise<void> {
    return this.#call("truncate", (handle) => handle.truncate(lengthBytes));
  }

  sizeBytes(_label: string): Promise<number> {
    return this.#call("stat", async (handle) => (await handle.stat()).size);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The descriptor may belong to another file once it is closed: calls under way come first. */
  async #close(): Promise<void> {
    if (this.#callCount > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    const syncing = await this.#syncing?.catch(() => undefined);
    await Promise.all([this.#handle.close(), syncing?.close()]);
  }

  /** The name may be another file's by now: the descriptor is opened once more. */
  #openSyncing({ fd }: FileHandle): Promise<FileHandle> {
    const access = this.#isWritable ? constants.O_RDWR : constants.O_RDONLY;
    this.#syncing ??= open(`/proc/self/fd/${fd}`, access | constants.O_DSYNC);
    return this.#syncing;
  }

  /** `act` writes some of what it is given, and says how much. */
  async #writeAll(
    buffers: readonly Uint8Array[],
    offset: number,
    act: (rest: Uint8Array[], position: number) => number | Promise<number>,
  ): Promise<void> {
    let rest = buffers.filter((buffer) => buffer.length > 0);
    for (let position = offset; rest.length > 0; ) {
      const bytesWritten = await act(rest, position);
      if (bytesWritten === 0) throw storageError("io_error", `write ${this.#path}: nothing was written`);
      rest = without(rest, bytesWritten);
      position += bytesWritten;
    }
  }

  async #heavily<T>(act: () => Promise<T>): Promise<T> {
    this.#calls.heavyCount++;
    try {
      return await act();
    } finally {
      this.#calls.heavyCount--;
    }
  }

  async #call<T>(what: string, act: (handle: FileHandle) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw storageError("io_error", `${what} ${this.#path}: EBADF`);
    this.#callCount++;
    try {
      return await act(this.#handle);
    } catch (error) {
      throw storageErrorOf(error, `${what} ${this.#path}`);
    } finally {
      if (--this.#callCount === 0) this.#onIdle?.();
    }
  }
}

/** Calls with descriptor and callback cost half of what the methods of FileHandle do. */
function read(fd: number, buffer: Uint8Array, from: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    readCallback(fd, buffer, from, buffer.length - from, position, (error, count) => {
      if (error === null) resolve(count);
      else reject(error);
    });
  });
}

function write(fd: number, buffers: Uint8Array[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, count: number): void => {
      if (error === null) resolve(count);
      else reject(error);
    };
    const [only] = buffers;
    if (buffers.length > 1 || only === undefined) writevCallback(fd, buffers, position, done);
    else writeCallback(fd, only, 0, only.length, position, done);
  });
}

/** What is left of the buffers after their first `count` bytes. */
function without(buffers: Uint8Array[], count: number): Uint8Array[] {
  let skipped = 0;
  let index = 0;
  while (index < buffers.length) {
    const length = defined(buffers[index], "the index is inside the array").length;
    if (skipped + length > count) break;
    skipped += length;
    index++;
  }
  const [first, ...rest] = buffers.slice(index);
  return first === undefined ? [] : [first.subarray(count - skipped), ...rest];
}
