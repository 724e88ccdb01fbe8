import { concatBytes, type Prng, type StorageError, storageError } from "../../../src/base/index.js";
import type { DiskFile } from "../../../src/io/index.js";
import type { DiskOperations } from "./disk-operations.js";
import { PAGE_BYTES, type SimFile } from "./sim-file.js";

/**
 * A file as one life of a process has it open; its pages are in `SimFile`.
 *
 * Fault model: a write that fails, runs out of space or dies with the process leaves a part of itself, up to a
 * border of pages. A read sees a large write that is under way half done.
 */
export class SimDiskFile implements DiskFile {
  readonly #operations: DiskOperations;
  readonly #file: SimFile;
  readonly #path: string;
  readonly #isWritable: boolean;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(operations: DiskOperations, file: SimFile, path: string, isWritable: boolean) {
    this.#operations = operations;
    this.#file = file;
    this.#path = path;
    this.#isWritable = isWritable;
  }

  read(buffer: Uint8Array, offset: number, label: string): Promise<number> {
    const what = `read ${this.#path} ${buffer.length}@${offset}`;
    const complete = (): number => this.#file.read(buffer, offset);
    return this.#track(what, () =>
      this.#operations.call({ operation: "read", what, labels: [label], bytes: buffer.length, complete }),
    );
  }

  /** Memory has every other page, and knows no faults. */
  readAtOnce(buffer: Uint8Array, offset: number): number | undefined {
    const isInMemory = this.#closing === undefined && Math.floor(offset / PAGE_BYTES) % 2 === 0;
    return isInMemory ? this.#file.read(buffer, offset) : undefined;
  }

  write(buffers: readonly Uint8Array[], offset: number, label: string): Promise<void> {
    // A copy: the simulated kernel takes the bytes at the call, the real one some time until it resolves.
    const bytes = concatBytes(...buffers);
    const what = `write ${this.#path} ${bytes.length}@${offset}`;
    const writePart = (prng: Prng): void => this.#writeHead(bytes, offset, prng);
    return this.#change(what, () =>
      this.#operations.call({
        operation: "write",
        what,
        labels: [label],
        bytes: bytes.length,
        complete: () => this.#writeAll(bytes, offset),
        breakOff: writePart,
        midway: bytes.length > PAGE_BYTES ? writePart : undefined,
      }),
    );
  }

  async writeSynced(buffers: readonly Uint8Array[], offset: number, label: string): Promise<void> {
    await this.write(buffers, offset, label);
    const lengthBytes = buffers.reduce((sum, { length }) => sum + length, 0);
    const what = `sync ${this.#path} ${lengthBytes}@${offset}`;
    await this.#track(what, () =>
      this.#operations.call({
        operation: "sync",
        what,
        labels: [label],
        complete: () => this.#file.syncRange(offset, lengthBytes),
        breakOff: (prng, cause) => {
          const point = this.#file.beginSync(offset, lengthBytes);
          if (cause === "death") this.#file.stopSync(point, prng);
          else this.#file.failSync(point, prng);
        },
      }),
    );
  }

  sync(label: string): Promise<void> {
    const what = `sync ${this.#path}`;
    return this.#track(what, () => {
      const point = this.#file.beginSync();
      return this.#operations.call({
        operation: "sync",
        what,
        labels: [label],
        complete: () => this.#file.completeSync(point),
        breakOff: (prng, cause) =>
          cause === "death" ? this.#file.stopSync(point, prng) : this.#file.failSync(point, prng),
      });
    });
  }

  truncate(lengthBytes: number, label: string): Promise<void> {
    const what = `truncate ${this.#path} ${lengthBytes}`;
    const complete = (): void => this.#file.truncate(lengthBytes, this.#operations.process.prng);
    return this.#change(what, () =>
      this.#operations.call({ operation: "write", what, labels: [label], complete }),
    );
  }

  sizeBytes(label: string): Promise<number> {
    const what = `stat ${this.#path}`;
    const complete = (): number => this.#file.sizeBytes;
    return this.#track(what, () =>
      this.#operations.call({ operation: "read", what, labels: [label], complete }),
    );
  }

  close(): Promise<void> {
    this.#closing ??= Promise.allSettled([...this.#underWay]).then(() => undefined);
    return this.#closing;
  }

  #change(what: string, act: () => Promise<void>): Promise<void> {
    return this.#isWritable ? this.#track(what, act) : Promise.reject(badDescriptor(what));
  }

  #track<T>(what: string, act: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) return Promise.reject(badDescriptor(what));
    const result = act();
    this.#underWay.add(result);
    const forget = (): void => {
      this.#underWay.delete(result);
    };
    result.then(forget, forget);
    return result;
  }

  #writeAll(bytes: Uint8Array, offset: number): void {
    const { media, process } = this.#operations;
    const growthBytes = this.#file.growthBytes(offset, bytes.length);
    try {
      media.reserve(growthBytes, `write ${this.#path}`);
    } catch (error) {
      this.#writeWhileRoom(bytes, offset);
      throw error;
    }
    this.#file.write(bytes, offset, process.prng);
  }

  /** As much as there is room for, page by page. */
  #writeWhileRoom(bytes: Uint8Array, offset: number): void {
    const { media, process } = this.#operations;
    for (const [start, end] of pagesOf(bytes, offset)) {
      if (this.#file.growthBytes(offset + start, end - start) > media.space().freeBytes) return;
      this.#file.write(bytes.subarray(start, end), offset + start, process.prng);
    }
  }

  #writeHead(bytes: Uint8Array, offset: number, prng: Prng): void {
    const pages = pagesOf(bytes, offset);
    for (const [start, end] of pages.slice(0, prng.between(0, pages.length))) {
      this.#file.write(bytes.subarray(start, end), offset + start, prng);
    }
  }
}

/** The pieces of the bytes that lie in different pages, as start and end. */
function pagesOf(bytes: Uint8Array, offset: number): [number, number][] {
  const pieces: [number, number][] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = Math.min(bytes.length, start + PAGE_BYTES - ((offset + start) % PAGE_BYTES));
    pieces.push([start, end]);
    start = end;
  }
  return pieces;
}

function badDescriptor(what: string): StorageError {
  return storageError("io_error", `${what}: EBADF`);
}
