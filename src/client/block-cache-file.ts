import { failureOf, storageError } from "../base/index.js";
import type { Disk, DiskFile, Kv } from "../io/index.js";
import {
  blockOffset,
  CACHE_BLOCK_BYTES,
  CACHE_ENTRY_BYTES,
  CACHE_HEADER_BYTES,
  type CacheLayout,
  cacheLayout,
  decodeCacheEntry,
  decodeCacheHeader,
  encodeCacheEntry,
  encodeCacheHeader,
  entryOffset,
  type StoredBlock,
} from "./core/block-cache-layout.js";

/** Which file, and whose. */
export interface BlockCachePlace {
  readonly path: string;
  /** The file takes no more. */
  readonly megabytes: number;
  /** Blocks of another cluster are not looked at. */
  readonly clusterId: string;
}

/** Entries that are read or written at once. */
const ENTRIES_AT_ONCE = 16_384;

/**
 * The file of a read cache, held by this process alone as long as it is open: a lock that dies with its holder is kept in
 * the directory `PATH.lock` beside it.
 *
 * What the file says is believed if its header is ours and whole, and it was closed in order or the machine has not booted
 * since: then what a dead process had written is what a living one would read.
 */
export class BlockCacheFile {
  readonly #file: DiskFile;
  readonly #lock: Kv;
  readonly #place: BlockCachePlace;
  readonly #bootId: string;
  readonly #layout: CacheLayout;

  private constructor(file: DiskFile, lock: Kv, place: BlockCachePlace, bootId: string) {
    this.#file = file;
    this.#lock = lock;
    this.#place = place;
    this.#bootId = bootId;
    this.#layout = cacheLayout(place.megabytes);
  }

  /** Fails with `refused` if the file is something else, or another process uses it. Nothing in it is changed then. */
  static async open(disk: Disk, place: BlockCachePlace): Promise<BlockCacheFile> {
    const { path } = place;
    const lock = await lockOf(disk, path);
    try {
      await makeSecret(disk, path);
      const file = await disk.open(path, "read-write", "cache.open");
      return new BlockCacheFile(file, lock, place, disk.bootId());
    } catch (error) {
      await lock.close();
      throw error;
    }
  }

  get blockCount(): number {
    return this.#layout.blockCount;
  }

  /** What is in the slots, in order; empty if nothing of it can be believed, and then the file is made anew. */
  async load(): Promise<(StoredBlock | undefined)[]> {
    const { clusterId } = this.#place;
    const bytes = new Uint8Array(CACHE_HEADER_BYTES);
    const count = await this.#file.read(bytes, 0, "cache.header");
    const header = count === 0 ? "damaged" : decodeCacheHeader(bytes.subarray(0, count));
    if (header === "foreign") throw storageError("refused", "the file is not a read cache, and is not empty");
    const isRight =
      header !== "damaged" &&
      header.clusterId === clusterId &&
      header.blockCount === this.blockCount &&
      (header.isClosed || header.bootId === this.#bootId) &&
      (await this.#file.sizeBytes("cache.size")) === this.#layout.fileBytes;
    const stored = isRight ? await this.#readEntries() : [];
    if (!isRight) await this.#clear();
    await this.#writeHeader(false);
    return stored;
  }

  /** The bytes of a slot, as far as there are any. */
  async readBlock(slot: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(CACHE_BLOCK_BYTES);
    const count = await this.#file.read(bytes, blockOffset(this.#layout, slot), "cache.block.read");
    return bytes.subarray(0, count);
  }

  async writeBlock(slot: number, bytes: Uint8Array): Promise<void> {
    await this.#file.write([bytes], blockOffset(this.#layout, slot), "cache.block.write");
  }

  async writeEntry(slot: number, stored: StoredBlock | undefined): Promise<void> {
    await this.#file.write([encodeCacheEntry(stored)], entryOffset(slot), "cache.entry.write");
  }

  /** Closes it so that all that `storedIn` tells is believed next time, whatever happens to the machine. */
  async closeInOrder(storedIn: (slot: number) => StoredBlock | undefined): Promise<void> {
    try {
      for (let first = 0; first < this.blockCount; first += ENTRIES_AT_ONCE) {
        const count = Math.min(ENTRIES_AT_ONCE, this.blockCount - first);
        const entries = Array.from({ length: count }, (_, i) => encodeCacheEntry(storedIn(first + i)));
        await this.#file.write(entries, entryOffset(first), "cache.entry.write");
      }
      await this.#file.sync("cache.sync");
      await this.#writeHeader(true);
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    try {
      await this.#file.close();
    } finally {
      await this.#lock.close();
    }
  }

  async #readEntries(): Promise<(StoredBlock | undefined)[]> {
    const stored: (StoredBlock | undefined)[] = [];
    for (let first = 0; first < this.blockCount; first += ENTRIES_AT_ONCE) {
      const count = Math.min(ENTRIES_AT_ONCE, this.blockCount - first);
      const bytes = new Uint8Array(count * CACHE_ENTRY_BYTES);
      await this.#file.read(bytes, entryOffset(first), "cache.entry.read");
      for (let i = 0; i < count; i++) {
        const entry = decodeCacheEntry(bytes.subarray(i * CACHE_ENTRY_BYTES, (i + 1) * CACHE_ENTRY_BYTES));
        stored.push(entry !== undefined && entry.lengthBytes <= CACHE_BLOCK_BYTES ? entry : undefined);
      }
    }
    return stored;
  }

  async #clear(): Promise<void> {
    await this.#file.truncate(0, "cache.clear");
    await this.#file.truncate(this.#layout.fileBytes, "cache.clear");
  }

  async #writeHeader(isClosed: boolean): Promise<void> {
    const { blockCount } = this;
    const header = { clusterId: this.#place.clusterId, blockCount, bootId: this.#bootId, isClosed };
    await this.#file.write([encodeCacheHeader(header)], 0, "cache.header.write");
    await this.#file.sync("cache.sync");
  }
}

async function lockOf(disk: Disk, path: string): Promise<Kv> {
  try {
    return await disk.openKv(`${path}.lock`, "cache.lock");
  } catch (error) {
    if (failureOf(error) === undefined) throw error;
    throw storageError("refused", "another process uses the file, or its directory cannot be written", error);
  }
}

/** A missing file is made so that only its owner reads it: it will hold what files of the cluster hold. */
async function makeSecret(disk: Disk, path: string): Promise<void> {
  try {
    const file = await disk.open(path, "read", "cache.open");
    await file.close();
  } catch (error) {
    if (failureOf(error)?.code !== "not_found") throw error;
    await disk.replaceFile(path, new Uint8Array(0), "cache.create", 0o600);
  }
}
