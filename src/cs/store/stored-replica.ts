import { assert } from "../../base/index.js";
import {
  BLOCK_BYTES,
  type ChainMember,
  type ChunkId,
  type ChunkLocation,
  type ChunkVersion,
  type Extent,
  REGION_BYTES,
} from "../../chunk/index.js";
import type { Clock, Kv } from "../../io/index.js";
import { Bitmap } from "../core/bitmap.js";
import { ChangeHistory } from "../core/change-history.js";
import { DirtyRegions, REGION_BLOCKS, regionsOf } from "../core/dirty-regions.js";
import {
  type ChecksumPage,
  computePage,
  dataRuns,
  firstBlock,
  isEmptyPage,
  PAGE_BYTES,
} from "./checksum-page.js";
import { ChecksumPages } from "./checksum-pages.js";
import { ChunkData, corrupt } from "./chunk-data.js";
import type { StoreFiles } from "./chunk-file.js";
import { ChunkSums } from "./chunk-sums.js";
import { encodeRecord, type ReplicaRecord, recordKey } from "./replica-record.js";
import { SyncGroup } from "./sync-group.js";
import { damagedOf, type StoredBlocks, withHoles } from "./verify-blocks.js";
import { writtenRuns } from "./written-runs.js";

export interface StoreContext extends StoreFiles {
  readonly kv: Kv;
  readonly clock: Clock;
  /** Replicas with dirty regions; they enter by themselves, the cleaner takes them out. */
  readonly dirtyReplicas: Set<StoredReplica>;
}

/** What `install` changes of a record. */
export interface RecordChange {
  readonly version: ChunkVersion;
  readonly chain: readonly ChainMember[];
  readonly needed: Bitmap | "all" | undefined;
  /** See `ReplicaRecord`; undefined: as it was. */
  readonly isBehind?: boolean | undefined;
  /** The whole chain is known to be equal. */
  readonly endSuspicion: boolean;
}

/**
 * One replica on the disk: record, data, checksums. Keeps true that a block's checksum and data never disagree after
 * a crash unless the block was being written: whoever changes a region calls `prepare` before and `release` after.
 * The caller orders operations that overlap.
 */
export class StoredReplica {
  readonly dirty: DirtyRegions;
  readonly history: ChangeHistory;
  readonly #context: StoreContext;
  #record: Omit<ReplicaRecord, "dirty" | "history">;
  readonly #data: ChunkData;
  readonly #sums: ChunkSums;
  readonly #pages: ChecksumPages;
  readonly #syncs = new SyncGroup(() => this.#syncOnce());
  /** Settles when the marks being made durable are, or have failed. */
  #marking: Promise<unknown> = Promise.resolve();
  #markingCount = 0;
  #isNameDurable = false;

  constructor(context: StoreContext, record: ReplicaRecord) {
    this.#context = context;
    this.#record = record;
    this.#data = new ChunkData(context, record.chunkId);
    this.#sums = new ChunkSums(context, record.chunkId);
    this.#pages = new ChecksumPages(record.chunkId);
    this.history = new ChangeHistory(record.history);
    this.dirty = new DirtyRegions(Math.ceil(record.chunkBytes / REGION_BYTES), record.dirty);
  }

  get chunkId(): ChunkId {
    return this.#record.chunkId;
  }

  get chunkBytes(): number {
    return this.#record.chunkBytes;
  }

  /** Made anew at every call, with the bitmap of dirty regions: not for every request. */
  get record(): ReplicaRecord {
    return { ...this.#record, dirty: this.dirty.toBitmap(), history: this.history.toRecord() };
  }

  /** End of the last byte ever written; known after `open` or `prepare`. */
  get highWaterBytes(): number {
    return this.#data.sizeBytes;
  }

  /** See `ReplicaRecord`. */
  get needed(): ReplicaRecord["needed"] {
    return this.#record.needed;
  }

  get written(): Bitmap {
    return this.#record.written;
  }

  /** Starts empty: the first regions are marked at once, for the first writes nearly always go there. */
  async create(): Promise<void> {
    this.#data.begin();
    this.#pages.set(0);
    const marks = this.dirty.begin(this.#nowMs);
    this.#context.dirtyReplicas.add(this);
    await this.#put(true, "cs.record.create");
    this.dirty.durable(marks);
  }

  /** Makes the high-water mark known. */
  open(): Promise<void> {
    return this.#data.open();
  }

  /** To be called before the chain moves to the version: what is on its way at this moment counts as changed under it. */
  begin(version: ChunkVersion): void {
    this.history.begin(version, [...this.dirty.underWay(), ...this.#record.suspectRegions]);
  }

  async install(change: RecordChange): Promise<void> {
    this.begin(change.version);
    const { needed, suspectRegions, isHostCrashed, isBehind } = this.#record;
    // What was to be filled and is not any more stays different from what the others have.
    if (needed !== undefined && needed !== "all" && change.needed === undefined) {
      suspectRegions.addAll(needed);
      this.history.note(needed);
    }
    this.#record = {
      ...this.#record,
      version: change.version,
      chain: change.chain,
      needed: change.needed,
      isBehind: change.needed !== undefined && (change.isBehind ?? isBehind),
      isSuspect: false,
      // Until it is filled, what the host's crash took may be missing.
      isHostCrashed: isHostCrashed && change.needed !== undefined && change.needed !== "all",
      suspectRegions: change.endSuspicion ? new Bitmap() : suspectRegions,
    };
    // Before the MDS calls the version installed: a replica that came back older could not bring the chunk back.
    await this.#put(true, "cs.record.install");
  }

  /** Less is needed than was thought. It does no harm if the disk does not keep that. */
  async narrow(needed: Bitmap): Promise<void> {
    this.#record = { ...this.#record, needed };
    await this.#put(false, "cs.record.narrow");
  }

  /** Everything that was needed is here and synced; durable before anybody relies on it. */
  async filled(): Promise<void> {
    this.#record = { ...this.#record, needed: undefined, isBehind: false, isHostCrashed: false };
    await this.#put(true, "cs.record.filled");
  }

  /** The regions are durably marked dirty, held against cleaning, and their checksums are in memory. */
  prepare(regions: readonly number[]): Promise<void> | undefined {
    const { isReady, marks } = this.dirty.plan(regions, this.#nowMs);
    this.#context.dirtyReplicas.add(this);
    const marking = marks.length > 0 ? this.#mark(marks) : undefined;
    // Marks ahead of the writer: if they fail, so will those it waits for.
    marking?.catch(() => undefined);
    if (!isReady || !this.#data.isOpen || regions.some((region) => !this.#pages.has(region))) {
      return this.#prepareSlowly(regions, marking);
    }
    this.#hold(regions);
    return undefined;
  }

  release(regions: readonly number[]): void {
    this.dirty.unhold(regions, this.#nowMs);
  }

  /**
   * Writes whole blocks; bytes beyond `endBytes` are zeros and are left out. `isSynced`: they are safe when it resolves, and with them
   * everything that was written before the call.
   */
  async write(
    offset: number,
    payload: Uint8Array,
    checksums: Uint8Array,
    endBytes: number,
    isSynced = false,
  ): Promise<void> {
    const bytes = payload.subarray(0, Math.max(0, endBytes - offset));
    const isSyncedAtOnce = isSynced && this.#isNameDurable;
    await (isSyncedAtOnce ? this.#data.writeSynced(bytes, offset) : this.#data.write(bytes, offset));
    this.#pages.setSums(offset / BLOCK_BYTES, checksums);
    if (isSynced && !isSyncedAtOnce) await this.sync();
  }

  /** The same for several places, whose bytes lie one behind the other in the payload. */
  async writeExtents(extents: readonly Extent[], payload: Uint8Array, checksums: Uint8Array): Promise<void> {
    let end = 0;
    const parts = extents.map(({ offset, lengthBytes }) => {
      end += lengthBytes;
      return { offset, bytes: payload.subarray(end - lengthBytes, end) };
    });
    await this.#data.writeParts(parts);
    let sumsEnd = 0;
    for (const { offset, lengthBytes } of extents) {
      const sumsBegin = sumsEnd;
      sumsEnd += (4 * lengthBytes) / BLOCK_BYTES;
      this.#pages.setSums(offset / BLOCK_BYTES, checksums.subarray(sumsBegin, sumsEnd));
    }
  }

  /** Whole blocks become zeros; the end stays where it is. Blocks that are holes are zeros already. */
  async zero(offset: number, lengthBytes: number): Promise<void> {
    const isTail = offset + lengthBytes >= this.#data.sizeBytes;
    // Cut off and made longer again, everything up to the end becomes a hole of the data file too.
    if (isTail) await this.#data.zero(offset, lengthBytes);
    for (const [from, to] of writtenRuns(this.#record.written, offset, offset + lengthBytes)) {
      const runs = isTail ? [] : dataRuns(this.#pages.sums(from / BLOCK_BYTES, (to - from) / BLOCK_BYTES));
      for (const { begin, end } of runs)
        await this.#data.zero(from + begin * BLOCK_BYTES, (end - begin) * BLOCK_BYTES);
      this.#pages.setSums(from / BLOCK_BYTES, new Uint8Array((4 * (to - from)) / BLOCK_BYTES));
    }
  }

  /** Cuts the chunk: nothing was written beyond `endBytes` afterwards. `payload` is the block that holds the end. */
  async truncate(
    offset: number,
    payload: Uint8Array,
    checksums: Uint8Array,
    endBytes: number,
  ): Promise<void> {
    await this.write(offset, payload, checksums, endBytes);
    if (this.#data.sizeBytes > endBytes) await this.#data.resize(endBytes);
    const end = this.#record.chunkBytes;
    for (const [from, to] of writtenRuns(this.#record.written, offset + payload.length, end)) {
      this.#pages.setSums(from / BLOCK_BYTES, new Uint8Array(Math.ceil((4 * (to - from)) / BLOCK_BYTES)));
    }
  }

  /** Reads whole blocks and verifies them; a damaged one fails with `chunk_corrupt`. */
  async read(offset: number, lengthBytes: number): Promise<StoredBlocks> {
    const blocks = await this.readUnverified(offset, lengthBytes);
    const damaged = damagedOf(blocks)[0];
    if (damaged !== undefined) throw corrupt(this.chunkId, offset + damaged * BLOCK_BYTES);
    return blocks;
  }

  /** Whole blocks as the disk gives them, holes as zeros; fails with `chunk_corrupt` only where checksums are damaged. */
  async readUnverified(offset: number, lengthBytes: number): Promise<StoredBlocks> {
    await this.#load(regionsOf(offset, lengthBytes));
    const checksums = this.#pages.sums(offset / BLOCK_BYTES, lengthBytes / BLOCK_BYTES);
    const bytes = new Uint8Array(lengthBytes);
    if (checksums.every((byte) => byte === 0)) return { bytes, checksums };
    await this.#data.read(bytes, offset);
    return { bytes: withHoles(bytes, checksums), checksums };
  }

  /** What whole blocks should be on the disk, and where. */
  async locate(offset: number, lengthBytes: number): Promise<ChunkLocation> {
    await this.#load(regionsOf(offset, lengthBytes));
    const checksums = this.#pages.sums(offset / BLOCK_BYTES, lengthBytes / BLOCK_BYTES);
    return { checksums, path: this.#context.paths.data(this.chunkId) };
  }

  /** Writes bytes that the checksums are of already: what the disk should have had. The end stays where it is. */
  async putBack(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#data.write(bytes.subarray(0, Math.max(0, this.#data.sizeBytes - offset)), offset);
  }

  /** If the disk has the region's checksums wrong and memory has them right, they are written again. */
  async rewriteDamagedSums(region: number): Promise<void> {
    const page = this.#pages.get(region);
    if (page === undefined || this.dirty.has(region) || !this.#record.written.has(region)) return;
    if ((await this.#sums.read(region)) === undefined) await this.#sums.write([[region, page.slice()]]);
  }

  /**
   * Where the first block at or after the offset is that holds data, or with `isHole` none: the offset itself, or the
   * start of the block; the size of the chunk if there is none.
   */
  async seek(offset: number, isHole: boolean): Promise<number> {
    const blocks = Math.ceil(this.chunkBytes / BLOCK_BYTES);
    for (let block = Math.floor(offset / BLOCK_BYTES); block < blocks; ) {
      const region = Math.floor(block / REGION_BLOCKS);
      const end = Math.min(blocks, (region + 1) * REGION_BLOCKS);
      const isWritten = this.#record.written.has(region);
      if (isWritten) await this.#load([region]);
      const sums = isWritten ? this.#pages.sums(block, end - block) : new Uint8Array(4 * (end - block));
      const found = firstBlock(sums, isHole);
      if (found !== undefined) return Math.max(offset, (block + found) * BLOCK_BYTES);
      block = end;
    }
    return this.chunkBytes;
  }

  /** Moves the high-water mark down to there if it is higher. There are only zeros beyond. */
  async cutTo(endBytes: number): Promise<void> {
    await this.#data.open();
    if (this.#data.sizeBytes > endBytes) await this.#data.resize(endBytes);
  }

  /** Moves the high-water mark up to there if it is lower. */
  async raiseHighWater(highWaterBytes: number): Promise<void> {
    await this.#data.open();
    if (this.#data.sizeBytes < highWaterBytes) await this.#data.resize(highWaterBytes);
  }

  /**
   * Everything written before the call is safe from loss of power, together with the names. So is the record, but for marks
   * that were dropped: what is marked without need is recovered from the data, which are safe.
   */
  sync(): Promise<void> {
    return this.#syncs.run();
  }

  /** Makes regions clean: data and checksums synced, then the marks dropped (unless written meanwhile). */
  async clean(regions: readonly number[]): Promise<void> {
    this.dirty.beginCleaning(regions);
    let isSynced = false;
    try {
      const pages = this.#changedPages(regions);
      if (pages.length > 0) {
        await this.sync();
        await this.#sums.write(pages);
        await this.#syncName();
      }
      isSynced = true;
    } finally {
      if (this.dirty.endCleaning(regions, isSynced, this.#nowMs).length > 0 && isSynced) {
        await this.#put(false, "cs.record.clear");
      }
    }
  }

  /**
   * Copies of the checksums that may be others than those on the disk. A region that was only marked, beside one that was
   * written, has none in memory unless somebody read it: those on the disk are right.
   */
  #changedPages(regions: readonly number[]): (readonly [region: number, page: ChecksumPage])[] {
    const found: (readonly [number, ChecksumPage])[] = [];
    for (const region of regions) {
      const page = this.#pages.get(region);
      if (page !== undefined && this.#record.written.has(region)) found.push([region, page.slice()]);
    }
    return found;
  }

  /** After a crash: what was dirty is distrusted, and its checksums are whatever the data say now. */
  async recover(isHostCrash: boolean): Promise<void> {
    const { dirty } = this.record;
    this.history.note(dirty);
    if (!dirty.isEmpty) this.#data.distrust();
    for (const region of dirty) {
      const data = new Uint8Array(Math.min(REGION_BYTES, this.#record.chunkBytes - region * REGION_BYTES));
      await this.#data.open();
      if (region * REGION_BYTES < this.#data.sizeBytes) await this.#data.read(data, region * REGION_BYTES);
      const page = computePage(data);
      this.#record.suspectRegions.add(region);
      // Regions that were only marked ahead of a writer hold nothing.
      if (isEmptyPage(page) && !this.#record.written.has(region)) continue;
      this.#pages.set(region, page);
      this.#record.written.add(region);
    }
    if (dirty.isEmpty) return;
    this.#context.dirtyReplicas.add(this);
    const isHostCrashed = this.#record.isHostCrashed || isHostCrash;
    this.#record = { ...this.#record, isSuspect: true, isHostCrashed };
    await this.#put(true, "cs.record.recover");
  }

  /** Gives memory back: pages of clean regions can be read again. */
  dropCleanPages(): void {
    this.#pages.drop((region) => this.dirty.has(region));
  }

  get pageCount(): number {
    return this.#pages.count;
  }

  /** Removes everything. */
  async remove(): Promise<void> {
    const { kv, files, paths, disk } = this.#context;
    const { chunkId } = this;
    const key = recordKey(chunkId);
    await kv.batch([{ type: "delete", key }], { sync: false, label: "cs.record.delete" });
    for (const path of [paths.data(chunkId), paths.sums(chunkId)]) {
      await files.forget(path);
      await disk.remove(path, "cs.file.remove");
    }
  }

  get #nowMs(): number {
    return this.#context.clock.monotonicMs();
  }

  async #prepareSlowly(regions: readonly number[], first: Promise<void> | undefined): Promise<void> {
    await this.#data.open();
    for (let marking = first; ; ) {
      // Marks that somebody else is writing: if they fail, the next plan makes them ours.
      await (marking ?? this.#marking);
      await this.#load(regions);
      const { isReady, marks } = this.dirty.plan(regions, this.#nowMs);
      marking = marks.length > 0 ? this.#mark(marks) : undefined;
      if (isReady) {
        marking?.catch(() => undefined);
        break;
      }
      assert(this.#markingCount > 0, "a mark that is not durable is being written");
    }
    this.#hold(regions);
  }

  #hold(regions: readonly number[]): void {
    this.dirty.hold(regions, this.#nowMs);
    for (const region of regions) this.#record.written.add(region);
    this.history.note(regions);
  }

  async #mark(marks: readonly number[]): Promise<void> {
    this.#markingCount++;
    const putting = this.#put(true, "cs.record.mark");
    this.#marking = Promise.allSettled([this.#marking, putting]);
    try {
      await putting;
      this.dirty.durable(marks);
    } catch (error) {
      this.dirty.unmark(marks);
      throw error;
    } finally {
      this.#markingCount--;
    }
  }

  async #put(sync: boolean, label: string): Promise<void> {
    const value = encodeRecord(this.record);
    await this.#context.kv.batch([{ type: "put", key: recordKey(this.chunkId), value }], { sync, label });
  }

  async #syncOnce(): Promise<void> {
    const work = [this.#data.sync()];
    if (!this.#isNameDurable && this.#data.isThere) work.push(this.#syncName());
    await Promise.all(work);
  }

  async #syncName(): Promise<void> {
    const { disk, paths } = this.#context;
    await disk.syncDirectory(paths.directory(this.chunkId), "cs.directory.sync");
    this.#isNameDurable = true;
  }

  /** Brings the checksums of the regions into memory. */
  async #load(regions: readonly number[]): Promise<void> {
    await this.#pages.load(regions, async (region) => {
      if (!this.#record.written.has(region)) return new Uint8Array(PAGE_BYTES);
      const page = await this.#sums.read(region);
      if (page === undefined) throw corrupt(this.chunkId, region * REGION_BYTES);
      return page;
    });
  }
}
