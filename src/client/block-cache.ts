import { BoundedQueue, crc32, failureOf } from "../base/index.js";
import type { Clock, Disk } from "../io/index.js";
import type { InodeNumber } from "../meta/index.js";
import type { Logger } from "../telemetry/index.js";
import { BlockCacheFile, type BlockCachePlace } from "./block-cache-file.js";
import { BlockCacheIndex, type BlockProof, type KeptBlock } from "./core/block-cache-index.js";
import { CACHE_BLOCK_BYTES, type StoredBlock } from "./core/block-cache-layout.js";

export interface BlockCacheWorld {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Logger;
}

/** How a read cache does. Counts are since it was opened. */
export interface BlockCacheStatus {
  readonly path: string;
  readonly megabytes: number;
  readonly blockBytes: number;
  /** Why nothing is cached; undefined if all is well. */
  readonly offReason: string | undefined;
  readonly blocksMax: number;
  readonly blocksUsed: number;
  /** Blocks that were asked for, and were there or not. */
  readonly hits: number;
  readonly misses: number;
  readonly readBytes: number;
  readonly storedBytes: number;
  /** Blocks that were not taken in because others were still being written. */
  readonly passedBlocks: number;
  /** Blocks on the disk that were not what had been written there. */
  readonly wrongBlocks: number;
  /** Requests that the disk failed. */
  readonly failures: number;
}

/** A block to be stored. The bytes do not change any more. */
export interface BlockFill {
  readonly ino: InodeNumber;
  readonly block: number;
  readonly proof: BlockProof;
  readonly bytes: Uint8Array;
}

interface Job extends BlockFill {
  proof: BlockProof;
  isCancelled: boolean;
}

/** Blocks that wait to be written: 8 MiB. More are not taken in. */
const WAITING_MAX = 128;
/** After a failed write nothing is taken in for so long. */
const QUIET_MS = 60_000;

/**
 * The read cache of a client in a file on a fast disk: whole blocks, each with a checksum. It is never in the way: what it
 * cannot give is read from the cluster, what it cannot take is not kept, and whatever its disk does is a miss. Who asks
 * proves that a block is what the file has now (`BlockProof`).
 */
export class BlockCache {
  readonly #world: BlockCacheWorld;
  readonly #place: BlockCachePlace;
  readonly #file: BlockCacheFile | undefined;
  readonly #offReason: string | undefined;
  readonly #index: BlockCacheIndex;
  /** Slots whose entry on the disk names a block. */
  readonly #named = new Set<number>();
  readonly #queue = new BoundedQueue<Job>(WAITING_MAX);
  /** Those of the queue, and the one being written. */
  readonly #jobs = new Set<Job>();
  #working: Promise<void> | undefined;
  #isClosed = false;
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #hasTold = false;
  readonly #counts = {
    hits: 0,
    misses: 0,
    readBytes: 0,
    storedBytes: 0,
    passedBlocks: 0,
    wrongBlocks: 0,
    failures: 0,
  };

  private constructor(world: BlockCacheWorld, place: BlockCachePlace, file: BlockCacheFile | string) {
    this.#world = world;
    this.#place = place;
    this.#file = typeof file === "string" ? undefined : file;
    this.#offReason = typeof file === "string" ? file : undefined;
    this.#index = new BlockCacheIndex(this.#file?.blockCount ?? 1);
  }

  /** Always resolves: a file that cannot be used makes a cache that keeps nothing, and says so in the log. */
  static async open(world: BlockCacheWorld, place: BlockCachePlace): Promise<BlockCache> {
    let file: BlockCacheFile | undefined;
    try {
      file = await BlockCacheFile.open(world.disk, place);
      const cache = new BlockCache(world, place, file);
      cache.#load(await file.load());
      return cache;
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      await file?.close().catch(() => undefined);
      const reason = failure.detail === "" ? failure.code : failure.detail;
      world.log.warn("no read cache", { path: place.path, reason });
      return new BlockCache(world, place, reason);
    }
  }

  /** Whether anything can be kept at all. */
  get isOn(): boolean {
    return this.#file !== undefined && !this.#isClosed;
  }

  get status(): BlockCacheStatus {
    const { path, megabytes } = this.#place;
    return {
      path,
      megabytes,
      blockBytes: CACHE_BLOCK_BYTES,
      offReason: this.#offReason,
      blocksMax: this.#file?.blockCount ?? 0,
      blocksUsed: this.#index.blockCount,
      ...this.#counts,
    };
  }

  /** The file was found at that version of its data: what is here of another one is dropped. */
  fileIsAt(ino: InodeNumber, dataVersion: number): void {
    this.#index.fileIsAt(ino, dataVersion);
  }

  /** The version moved by what this client did itself. */
  fileMoved(ino: InodeNumber, from: number, to: number): void {
    this.#index.fileMoved(ino, from, to);
    for (const job of this.#jobs) {
      if (job.ino === ino && job.proof.dataVersion === from) job.proof = { ...job.proof, dataVersion: to };
    }
  }

  /** The block, if it is here and true: to be read at once with `read`. */
  find(ino: InodeNumber, block: number, proof: BlockProof): KeptBlock | undefined {
    const kept = this.isOn ? this.#index.find(ino, block, proof) : undefined;
    if (kept === undefined) this.#counts.misses++;
    return kept;
  }

  /** Whether a block that was not found should be offered to `store`. */
  isWanted(ino: InodeNumber, block: number): boolean {
    return this.isOn && this.#index.missed(ino, block);
  }

  /** The bytes of a block; undefined if it has gone meanwhile, or the disk does not have what was written there. */
  async read(kept: KeptBlock): Promise<Uint8Array | undefined> {
    try {
      const bytes = await this.#file?.readBlock(kept.slot);
      // Another block may have come into its place while it was read.
      if (bytes === undefined || !this.#index.has(kept)) return undefined;
      const block = bytes.subarray(0, kept.lengthBytes);
      if (block.length === kept.lengthBytes && crc32(block) === kept.checksum) {
        this.#counts.hits++;
        this.#counts.readBytes += block.length;
        return block;
      }
      this.#counts.wrongBlocks++;
      this.#tell("a block of the read cache is not what was written there", undefined);
    } catch (error) {
      this.#failed(error);
    }
    if (this.#index.has(kept)) this.#index.drop(kept.ino, kept.block, kept.block);
    return undefined;
  }

  /** Takes a block in soon, unless there is too much to do. Never waits. */
  store(fill: BlockFill): void {
    if (!this.isOn || this.#world.clock.monotonicMs() < this.#quietUntilMs) return;
    const job: Job = { ...fill, isCancelled: false };
    if (!this.#queue.push(job)) {
      this.#counts.passedBlocks++;
      return;
    }
    this.#jobs.add(job);
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  /** The blocks of the range, both ends included, are others now; also those that are still to be stored. */
  drop(ino: InodeNumber, first: number, last: number): void {
    this.#index.drop(ino, first, last);
    for (const job of this.#jobs) {
      if (job.ino === ino && job.block >= first && job.block <= last) job.isCancelled = true;
    }
  }

  dropFile(ino: InodeNumber): void {
    this.drop(ino, 0, Number.MAX_SAFE_INTEGER);
  }

  /** What is kept is found again by the next who opens it. Idempotent. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const job of this.#jobs) job.isCancelled = true;
    await this.#working;
    try {
      await this.#file?.closeInOrder((slot) => this.#index.stored(slot));
    } catch (error) {
      this.#failed(error);
    }
  }

  #load(stored: readonly (StoredBlock | undefined)[]): void {
    this.#index.load(stored);
    for (const [slot, entry] of stored.entries()) if (entry !== undefined) this.#named.add(slot);
  }

  async #work(): Promise<void> {
    for (let job = this.#queue.shift(); job !== undefined; job = this.#queue.shift()) {
      try {
        if (!job.isCancelled && this.#file !== undefined) await this.#write(this.#file, job);
      } finally {
        this.#jobs.delete(job);
      }
    }
  }

  /** The entry that names the block that was there goes first, then come the new one's bytes, then its entry. */
  async #write(file: BlockCacheFile, job: Job): Promise<void> {
    const slot = this.#index.takeSlot();
    if (slot === undefined) return;
    const checksum = crc32(job.bytes);
    let isFilled = false;
    try {
      if (this.#named.has(slot)) await file.writeEntry(slot, undefined);
      this.#named.delete(slot);
      await file.writeBlock(slot, job.bytes);
      if (job.isCancelled) return;
      this.#named.add(slot);
      await file.writeEntry(slot, storedBlock(job, checksum));
      if (job.isCancelled) return;
      isFilled = true;
      if (this.#index.fill(slot, storedBlock(job, checksum))) this.#counts.storedBytes += job.bytes.length;
    } catch (error) {
      this.#failed(error);
      this.#quietUntilMs = this.#world.clock.monotonicMs() + QUIET_MS;
    } finally {
      if (!isFilled) this.#index.giveBack(slot);
    }
  }

  #failed(error: unknown): void {
    if (failureOf(error) === undefined) throw error;
    this.#counts.failures++;
    this.#tell("the disk of the read cache fails", error);
  }

  /** Once: an SSD that dies would fill the log. The counters go on. */
  #tell(message: string, error: unknown): void {
    if (this.#hasTold) return;
    this.#hasTold = true;
    const failure = failureOf(error);
    this.#world.log.warn(message, { path: this.#place.path, code: failure?.code, detail: failure?.detail });
  }
}

function storedBlock({ ino, block, bytes, proof }: Job, checksum: number): StoredBlock {
  return { ino, block, ...proof, lengthBytes: bytes.length, checksum };
}
