import type { FileHandle } from "node:fs/promises";
import { defined, storageError } from "../../base/index.js";
import type { DiskFile } from "../disk.js";
import { storageErrorOf } from "./errno.js";

/** An open file of this machine. Calls may overlap; the kernel orders those that touch the same bytes. */
export class RealDiskFile implements DiskFile {
  readonly #handle: FileHandle;
  readonly #path: string;
  #closing: Promise<void> | undefined;

  constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  read(buffer: Uint8Array, offset: number, _label: string): Promise<number> {
    return this.#call("read", async (handle) => {
      let done = 0;
      while (done < buffer.length) {
        const { bytesRead } = await handle.read(buffer, done, buffer.length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  write(buffers: readonly Uint8Array[], offset: number, _label: string): Promise<void> {
    return this.#call("write", async (handle) => {
      let rest = buffers.filter((buffer) => buffer.length > 0);
      let position = offset;
      while (rest.length > 0) {
        const { bytesWritten } = await handle.writev(rest, position);
        if (bytesWritten === 0) throw storageError("io_error", `write ${this.#path}: nothing was written`);
        rest = without(rest, bytesWritten);
        position += bytesWritten;
      }
    });
  }

  sync(_label: string): Promise<void> {
    return this.#call("sync", (handle) => handle.datasync());
  }

  truncate(lengthBytes: number, _label: string): Promise<void> {
    return this.#call("truncate", (handle) => handle.truncate(lengthBytes));
  }

  sizeBytes(_label: string): Promise<number> {
    return this.#call("stat", async (handle) => (await handle.stat()).size);
  }

  close(): Promise<void> {
    // The kernel keeps the descriptor until calls under way are done: FileHandle counts them.
    this.#closing ??= this.#handle.close();
    return this.#closing;
  }

  async #call<T>(what: string, act: (handle: FileHandle) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw storageError("io_error", `${what} ${this.#path}: EBADF`);
    try {
      return await act(this.#handle);
    } catch (error) {
      throw storageErrorOf(error, `${what} ${this.#path}`);
    }
  }
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
