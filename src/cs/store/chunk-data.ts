import { type StorageError, storageError } from "../../base/index.js";
import type { ChunkId } from "../../chunk/index.js";
import type { DiskFile } from "../../io/index.js";
import { ChunkFile, hasCode, type StoreFiles } from "./chunk-file.js";

/** Parts of a stream are as long as this at least. */
const STREAM_BYTES_MIN = 256 << 10;
/** So much of a stream may lie in memory before the disk begins to write it. */
const AHEAD_BYTES = 16 << 20;
const ZEROS = new Uint8Array(256 * 1024);

/** Bytes and where in the chunk they are to be. */
export interface DataPart {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * The data file of a chunk: sparse, its bytes where they are in the chunk, its size the high-water mark. So the end
 * of the last byte ever written is as safe as the bytes themselves.
 */
export class ChunkData {
  readonly #file: ChunkFile;
  #sizeBytes: number | undefined;
  #isThere = false;
  /** Changes made by this process (`distrust` stands for an earlier one's), and how many of them a sync has covered. */
  #changeCount = 0;
  #syncedCount = 0;
  /** Writes under way; the end of the file is moved only while there are none, or it would cut them off. */
  #writingCount = 0;
  #noneWriting: (() => void) | undefined;
  /** The end of the file is being moved. */
  #moving: Promise<void> | undefined;
  /** Of a stream, since the disk was last told to write. */
  #streamedBytes = 0;
  /** A sync that nobody waits for. Never rejects. */
  #aheadSync: Promise<void> | undefined;
  /** Why it failed: the kernel tells that only once. */
  #lost: unknown;

  constructor(store: StoreFiles, chunkId: ChunkId) {
    this.#file = new ChunkFile(store, chunkId, "data");
  }

  /** Known once `open` has resolved. */
  get sizeBytes(): number {
    return this.#sizeBytes ?? 0;
  }

  /** The file was made: before, its name cannot be made safe. The first write may still be on its way to it. */
  get isThere(): boolean {
    return this.#isThere;
  }

  get isOpen(): boolean {
    return this.#sizeBytes !== undefined;
  }

  get isSynced(): boolean {
    return this.#changeCount === this.#syncedCount;
  }

  async open(): Promise<void> {
    if (this.#sizeBytes !== undefined) return;
    const size = await this.#existing(0, (file) => file.sizeBytes("cs.data.size"));
    this.#sizeBytes ??= size;
  }

  /** An earlier process died over changes that it may not have synced: the next sync is not spared. */
  distrust(): void {
    this.#changeCount++;
  }

  /** Nothing is there yet: spares asking the disk. */
  begin(): void {
    this.#sizeBytes = 0;
  }

  /** Fills the buffer; beyond the end there are zeros. */
  async read(buffer: Uint8Array, offset: number): Promise<void> {
    const count = await this.#existing(0, (file) => file.read(buffer, offset, "cs.data.read"));
    buffer.fill(0, count);
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    if (bytes.length === 0) return;
    await this.writeParts([{ offset, bytes }]);
  }

  /** Writes all of these. Settles when the disk is done with every one of them. */
  async writeParts(parts: readonly DataPart[]): Promise<void> {
    for (const { offset, bytes } of parts) this.#sizeBytes = Math.max(this.sizeBytes, offset + bytes.length);
    await this.#write((file) => writeParts(file, parts));
    for (const { bytes } of parts) if (bytes.length >= STREAM_BYTES_MIN) this.#streamedBytes += bytes.length;
    if (this.#streamedBytes >= AHEAD_BYTES) this.#aheadSync ??= this.#syncAhead();
  }

  /**
   * Who streams into a chunk will want it synced. The kernel would keep gigabytes until then, and the disk do nothing meanwhile: it writes beside the
   * stream instead of after it.
   */
  async #syncAhead(): Promise<void> {
    this.#streamedBytes = 0;
    const count = this.#changeCount;
    try {
      // Of a chunk that is being removed there may be none any more.
      await this.#existing(undefined, async (file) => {
        await file.sync("cs.data.sync-ahead");
        this.#syncedCount = Math.max(this.#syncedCount, count);
      });
    } catch (error) {
      this.#lost = error;
    }
    this.#aheadSync = undefined;
  }

  /**
   * Writes; these bytes, and all that was written before the call, are safe from loss of power when it resolves. Where nothing else
   * has to be made safe, that is one call to the disk.
   */
  async writeSynced(bytes: Uint8Array, offset: number): Promise<void> {
    const count = this.#changeCount;
    if (bytes.length === 0 || count !== this.#syncedCount) {
      await this.write(bytes, offset);
      await this.sync();
      return;
    }
    this.#sizeBytes = Math.max(this.sizeBytes, offset + bytes.length);
    await this.#write((file) => file.writeSynced([bytes], offset, "cs.data.write-synced"));
    // Of changes that ended meanwhile nothing is known: then the next sync covers this one once more.
    if (this.#changeCount === count + 1) this.#syncedCount = count + 1;
  }

  /** Zeros up to the end give their space back; before it they are written. */
  async zero(offset: number, lengthBytes: number): Promise<void> {
    const size = this.sizeBytes;
    if (offset >= size) return;
    if (offset + lengthBytes >= size && this.#writingCount === 0 && this.#moving === undefined) {
      await this.#moveEnd(async (file) => {
        await file.truncate(offset, "cs.data.truncate");
        await file.truncate(size, "cs.data.truncate");
      });
      return;
    }
    const end = Math.min(offset + lengthBytes, size);
    for (let at = offset; at < end; at += ZEROS.length) {
      const bytes = ZEROS.subarray(0, Math.min(ZEROS.length, end - at));
      await this.#write((file) => file.write([bytes], at, "cs.data.write"));
    }
  }

  /** Moves the end there, forwards or back. */
  async resize(sizeBytes: number): Promise<void> {
    if (sizeBytes === this.sizeBytes) return;
    const isLonger = sizeBytes > this.sizeBytes;
    this.#sizeBytes = sizeBytes;
    // Writes that come meanwhile may have moved it further.
    await this.#moveEnd((file) => file.truncate(isLonger ? this.sizeBytes : sizeBytes, "cs.data.truncate"));
  }

  /** Everything that was written before the call becomes safe from loss of power. */
  async sync(): Promise<void> {
    const count = this.#changeCount;
    if (count === this.#syncedCount && this.#lost === undefined) return;
    await this.#use("create", (file) => file.sync("cs.data.sync"));
    // Of two syncs side by side only one hears of a failure, which may concern what the other one was for.
    await this.#aheadSync;
    if (this.#lost !== undefined) throw this.#lost;
    this.#syncedCount = Math.max(this.#syncedCount, count);
  }

  async #write(act: (file: DiskFile) => Promise<void>): Promise<void> {
    while (this.#moving !== undefined) await this.#moving;
    this.#writingCount++;
    try {
      await this.#change(act);
    } finally {
      this.#writingCount--;
      if (this.#writingCount === 0) this.#noneWriting?.();
    }
  }

  /** Runs `act` while nothing is written; what comes meanwhile waits. */
  async #moveEnd(act: (file: DiskFile) => Promise<void>): Promise<void> {
    while (this.#moving !== undefined) await this.#moving;
    let ended = (): void => undefined;
    this.#moving = new Promise((resolve) => {
      ended = resolve;
    });
    try {
      if (this.#writingCount > 0) {
        await new Promise<void>((resolve) => {
          this.#noneWriting = resolve;
        });
        this.#noneWriting = undefined;
      }
      await this.#change(act);
    } finally {
      this.#moving = undefined;
      ended();
    }
  }

  async #change(act: (file: DiskFile) => Promise<void>): Promise<void> {
    await this.#use("create", act);
    this.#changeCount++;
  }

  #use<T>(mode: "create" | "read-write", act: (file: DiskFile) => Promise<T>): Promise<T> {
    return this.#file.use(mode, (file) => {
      this.#isThere = true;
      return act(file);
    });
  }

  async #existing<T>(otherwise: T, act: (file: DiskFile) => Promise<T>): Promise<T> {
    try {
      return await this.#use("read-write", act);
    } catch (error) {
      if (hasCode(error, "not_found")) return otherwise;
      throw error;
    }
  }
}

async function writeParts(file: DiskFile, parts: readonly DataPart[]): Promise<void> {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined)
    return await file.write([only.bytes], only.offset, "cs.data.write");
  const writes = parts.map(({ offset, bytes }) => file.write([bytes], offset, "cs.data.write"));
  for (const outcome of await Promise.allSettled(writes))
    if (outcome.status === "rejected") throw outcome.reason;
}

/** The checksum of a block, or of all its region, does not hold. */
export function corrupt(chunkId: ChunkId, offset: number): StorageError {
  return storageError("chunk_corrupt", `chunk ${chunkId} is damaged at byte ${offset}`);
}
