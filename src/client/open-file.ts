import { sliceRange } from "../chunk/index.js";
import {
  type Access,
  type Attributes,
  FILE_BYTES_MAX,
  type InodeNumber,
  type LeaseGrant,
} from "../meta/index.js";
import { ChunkIo, type ChunkIoWorld } from "./chunk-io.js";
import { checkRange } from "./core/file-range.js";
import { ioSlices } from "./core/io-slices.js";
import type { SyncTracker } from "./core/sync-tracker.js";
import { FileChunks } from "./file-chunks.js";
import { FileLease } from "./file-lease.js";
import { FileOpens } from "./file-opens.js";
import { FileSize } from "./file-size.js";
import { RangeTurns } from "./range-turns.js";
import type { Session } from "./session.js";

export interface OpenFileWorld extends ChunkIoWorld {
  readonly session: Session;
  /** The file cannot be used any more; who opens the inode next begins anew. */
  readonly onLost: (file: OpenFile) => void;
}

/**
 * One inode as this session has it open, whatever the number of its handles: its lease, maps, size, and what is under
 * way. Requests run side by side; only what overlaps a write waits for it.
 */
export class OpenFile {
  readonly ino: InodeNumber;
  readonly lease: FileLease;
  readonly chunks: FileChunks;
  readonly #world: OpenFileWorld;
  readonly #syncs: SyncTracker;
  readonly #io: ChunkIo;
  readonly #turns = new RangeTurns();
  readonly #opens: FileOpens;
  readonly #size: FileSize;
  #attributes: Attributes;

  constructor(world: OpenFileWorld, attributes: Attributes, syncs: SyncTracker) {
    const { session } = world;
    this.#world = world;
    this.#syncs = syncs;
    this.#attributes = attributes;
    this.ino = attributes.ino;
    this.lease = new FileLease({
      isUsable: () => session.isUsable,
      whenUsable: (signal) => session.whenUsable(signal),
      reacquire: () => this.#opens.openOnceMore(),
      report: (recall) => this.#size.answerRecall(recall),
      changed: (from, to, news) => this.#leaseChanged(from, to, news),
      lost: () => this.#leaseLost(),
    });
    this.#opens = new FileOpens(world, this.ino, this.lease);
    const sized = { ino: this.ino, lease: this.lease, sharedWrite: () => this.#opens.liftSometimes() };
    this.#size = new FileSize(world, sized, attributes);
    this.chunks = new FileChunks({ ...world, lease: () => this.lease.grant }, this.ino);
    this.#io = new ChunkIo(world, this);
  }

  get handleCount(): number {
    return this.#opens.handleCount;
  }

  get #chunkBytes(): number {
    return this.#attributes.storage.chunkBytes;
  }

  /** A handle was opened: the MDS said so. */
  opened(access: Access, grant: LeaseGrant, attributes: Attributes): void {
    this.#opens.opened(access);
    this.lease.granted(grant, attributes);
  }

  /** A handle is closed: what only this client knows is reported first. Fails as the report fails. */
  async closed(access: Access): Promise<void> {
    try {
      if (access !== "read") await this.flush();
    } finally {
      await this.#opens.closed(access);
    }
  }

  /** A new session began: the MDS knows nothing of this file's opens. */
  sessionLost(): void {
    this.#opens.sessionLost();
    this.lease.lose();
  }

  /** What the MDS says, with what only this client knows yet. */
  withLocalChanges(attributes: Attributes): Attributes {
    return this.#size.withLocalChanges(attributes);
  }

  /** Bytes from the offset on, fewer only at the end of the file. */
  async read(offset: number, lengthBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
    checkRange(offset, lengthBytes);
    return await this.#turns.take("read", offset, offset + lengthBytes, signal, async () => {
      const sizeBytes = await this.size(signal);
      const length = Math.max(0, Math.min(lengthBytes, sizeBytes - offset));
      const slices = ioSlices(offset, length, this.#chunkBytes);
      const parts = await allDone(slices.map((slice) => this.#io.read(slice, signal)));
      const [only] = parts;
      if (parts.length === 1 && only !== undefined) return only;
      const result = new Uint8Array(length);
      slices.forEach((slice, i) => {
        const part = parts[i];
        if (part !== undefined) result.set(part, slice.offsetInRequest);
      });
      return result;
    });
  }

  async write(offset: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    checkRange(offset, bytes.length);
    if (bytes.length === 0) return;
    await this.#turns.take("write", offset, offset + bytes.length, signal, () =>
      this.#writeLocked(offset, bytes, signal),
    );
  }

  /** Writes behind the last byte, and returns where that was. */
  async append(bytes: Uint8Array, signal?: AbortSignal): Promise<number> {
    return await this.#turns.take("write", 0, FILE_BYTES_MAX, signal, async () => {
      const offset = await this.#size.placeAppend(bytes.length, signal);
      try {
        if (bytes.length > 0) await this.#writeLocked(offset, bytes, signal);
        return offset;
      } finally {
        this.#size.appendEnded();
      }
    });
  }

  /** Makes the range read as zeros and gives its space back. The size stays. */
  async punch(offset: number, lengthBytes: number, signal?: AbortSignal): Promise<void> {
    await this.zeroRange(offset, lengthBytes, true, signal);
  }

  /** Makes the range read as zeros; the file grows to its end unless `keepSize`. */
  async zeroRange(
    offset: number,
    lengthBytes: number,
    keepSize: boolean,
    signal?: AbortSignal,
  ): Promise<void> {
    checkRange(offset, lengthBytes);
    await this.#turns.take("write", offset, offset + lengthBytes, signal, async () => {
      const sizeBytes = await this.size(signal);
      const end = Math.min(offset + lengthBytes, sizeBytes);
      if (end > offset) await this.#zeroLocked(offset, end, signal);
      const newEnd = keepSize ? end : offset + lengthBytes;
      if (end > offset || newEnd > sizeBytes) await this.#size.noteWritten(newEnd, signal);
    });
  }

  /** The file grows to the end of the range, unless `keepSize`. */
  async allocate(
    offset: number,
    lengthBytes: number,
    keepSize: boolean,
    signal?: AbortSignal,
  ): Promise<void> {
    checkRange(offset, lengthBytes);
    const end = offset + lengthBytes;
    await this.#turns.take("write", offset, end, signal, async () => {
      if (keepSize || (await this.size(signal)) >= end) return;
      await this.#size.noteWritten(end, signal);
      await this.#size.report();
    });
  }

  /** Where data, or a hole, begin at or after the offset. The end of the file is a hole. */
  async seek(what: "data" | "hole", offset: number, signal?: AbortSignal): Promise<number | undefined> {
    checkRange(offset, 0);
    const sizeBytes = await this.size(signal);
    if (offset >= sizeBytes) return undefined;
    for (let at = offset; at < sizeBytes; ) {
      const index = Math.floor(at / this.#chunkBytes);
      const { map } = await this.chunks.find(index, signal);
      if ((map !== undefined) === (what === "data")) return at;
      at = (index + 1) * this.#chunkBytes;
    }
    return what === "hole" ? sizeBytes : undefined;
  }

  async truncate(sizeBytes: number, signal?: AbortSignal): Promise<void> {
    checkRange(sizeBytes, 0);
    await this.#turns.take("write", 0, FILE_BYTES_MAX, signal, async () => {
      // Whoever only reads here may cut the file all the same: that is a matter of the MDS.
      if (this.#opens.isWriter) await this.lease.ready("write", signal);
      await this.#size.truncate(sizeBytes, () => {
        const firstGone = Math.ceil(sizeBytes / this.#chunkBytes);
        this.chunks.cache.forgetFrom(firstGone);
        this.#syncs.forgetFrom(firstGone);
      });
    });
  }

  /** Everything acknowledged before the call survives the loss of power everywhere, size included. */
  async sync(signal?: AbortSignal): Promise<void> {
    const pending = this.#syncs.pending();
    await allDone(
      pending.map(async (unsynced) => {
        await this.#io.sync(unsynced.index, signal);
        this.#syncs.synced(unsynced);
      }),
    );
    await this.flush();
  }

  /** What was written is on all replicas, and the MDS knows size and times. */
  async flush(_signal?: AbortSignal): Promise<void> {
    await this.#size.report();
  }

  size(signal?: AbortSignal): Promise<number> {
    return this.#size.now(signal);
  }

  /** The last handle is closed. */
  dispose(): void {
    this.#size.dispose();
  }

  async #writeLocked(offset: number, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    await allDone(
      ioSlices(offset, bytes.length, this.#chunkBytes).map(async (slice) => {
        const part = bytes.subarray(slice.offsetInRequest, slice.offsetInRequest + slice.lengthBytes);
        await this.#io.write(slice, part, signal);
        this.#syncs.wrote(slice.index);
      }),
    );
    await this.#size.noteWritten(offset + bytes.length, signal);
  }

  async #zeroLocked(begin: number, end: number, signal: AbortSignal | undefined): Promise<void> {
    const slices = sliceRange(begin, end - begin, this.#chunkBytes, ZERO_BYTES_MAX);
    await allDone(
      slices.map(async (slice) => {
        if (await this.#io.zero(slice, signal)) this.#syncs.wrote(slice.index);
      }),
    );
  }

  #leaseChanged(from: LeaseGrant, to: LeaseGrant, attributes: Attributes): void {
    this.#attributes = attributes;
    this.#size.leaseChanged(from, attributes);
    const { cache } = this.chunks;
    const isOther = from.sequence !== to.sequence || to.kind === "none";
    if (isOther) cache.forgetAll();
    if (isOther || to.kind === "read") cache.forgetWriters();
    if (to.kind === "shared") cache.forgetHoles();
  }

  #leaseLost(): boolean {
    this.chunks.cache.forgetAll();
    this.chunks.cache.forgetWriters();
    if (!this.#opens.isWriter) return true;
    this.#world.onLost(this);
    return false;
  }
}

/** Of one request that makes zeros. */
const ZERO_BYTES_MAX = 64 << 20;

/** All outcomes, or the first failure, but not before everything has ended: what was begun is still under the lock. */
async function allDone<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results: T[] = [];
  for (const outcome of await Promise.allSettled(promises)) {
    if (outcome.status === "rejected") throw outcome.reason;
    results.push(outcome.value);
  }
  return results;
}
