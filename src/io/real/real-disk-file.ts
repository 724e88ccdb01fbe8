import {
  read as readCallback,
  readSync,
  write as writeCallback,
  writev as writevCallback,
  writevSync,
} from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { defined, storageError } from "../../base/index.js";
import type { DiskFile } from "../disk.js";
import { storageErrorOf } from "./errno.js";
import type { Promptness } from "./promptness.js";

/** What the files of one process' disks know of each other. */
export interface DiskCalls {
  readonly reads: Promptness;
  readonly writes: Promptness;
  /** Syncs under way: they hold writes up. */
  syncCount: number;
}

/** Longer calls are made by a thread: handing them over costs little beside what they do. */
const IN_PLACE_BYTES_MAX = 64 << 10;

/** An open file of this machine. Calls may overlap; the kernel orders those that touch the same bytes. */
export class RealDiskFile implements DiskFile {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #calls: DiskCalls;
  #callCount = 0;
  #onIdle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  constructor(handle: FileHandle, path: string, calls: DiskCalls) {
    this.#handle = handle;
    this.#path = path;
    this.#calls = calls;
  }

  read(buffer: Uint8Array, offset: number, _label: string): Promise<number> {
    return this.#call("read", async ({ fd }) => {
      let done = 0;
      while (done < buffer.length) {
        const { reads } = this.#calls;
        const isInPlace = buffer.length <= IN_PLACE_BYTES_MAX && reads.mayTry;
        const bytesRead = isInPlace
          ? reads.run(() => readSync(fd, buffer, done, buffer.length - done, offset + done))
          : await read(fd, buffer, done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  write(buffers: readonly Uint8Array[], offset: number, _label: string): Promise<void> {
    return this.#call("write", async ({ fd }) => {
      let rest = buffers.filter((buffer) => buffer.length > 0);
      let position = offset;
      const lengthBytes = rest.reduce((sum, { length }) => sum + length, 0);
      while (rest.length > 0) {
        const { writes, syncCount } = this.#calls;
        const isInPlace = lengthBytes <= IN_PLACE_BYTES_MAX && syncCount === 0 && writes.mayTry;
        const bytesWritten = isInPlace
          ? writes.run(() => writevSync(fd, rest, position))
          : await write(fd, rest, position);
        if (bytesWritten === 0) throw storageError("io_error", `write ${this.#path}: nothing was written`);
        rest = without(rest, bytesWritten);
        position += bytesWritten;
      }
    });
  }

  sync(_label: string): Promise<void> {
    return this.#call("sync", async (handle) => {
      this.#calls.syncCount++;
      try {
        await handle.datasync();
      } finally {
        this.#calls.syncCount--;
      }
    });
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
    await this.#handle.close();
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
