import { assert } from "../../base/index.js";
import type { ChunkId, ChunkVersion } from "../../chunk/index.js";
import type { InodeNumber } from "../../meta/index.js";
import type { CachedBlock, StoredBlock } from "./block-cache-layout.js";

/** A block that is in the cache. The object stands for this one filling of the slot: another one is another object. */
export interface KeptBlock extends CachedBlock {
  readonly slot: number;
}

interface Kept extends KeptBlock {
  wasUsed: boolean;
}

interface KeptFile {
  dataVersion: number;
  readonly blocks: Map<number, Kept>;
}

/** What a block must match to be true. */
export interface BlockProof {
  readonly dataVersion: number;
  readonly chunkId: ChunkId;
  readonly chunkVersion: ChunkVersion;
}

/** Blocks asked for once and not found, of which is remembered: at most, and at least. */
const ASKED_MAX = 1 << 18;
const ASKED_MIN = 1024;

/**
 * Which block of which file is in which slot of a read cache.
 *
 * All blocks of a file belong to one version of its data: that of the file when it was last looked at under a lease that
 * allows to cache. Found at another one, none of them counts. And each belongs to its chunk's version, which moves
 * whenever the chunk servers may have agreed on other bytes than were read before.
 *
 * A block is taken in when it is missed for the second time, so that what is read once does not wash out what is read
 * again and again. Slots are given up in a circle, those used since the last round spared once.
 */
export class BlockCacheIndex {
  readonly #slotCount: number;
  readonly #files = new Map<InodeNumber, KeptFile>();
  readonly #slots: (Kept | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #asked = new Set<string>();
  readonly #askedMax: number;
  #hand = 0;
  #blockCount = 0;

  constructor(slotCount: number) {
    assert(slotCount > 0, "a cache holds something");
    this.#slotCount = slotCount;
    this.#askedMax = Math.min(ASKED_MAX, Math.max(ASKED_MIN, slotCount));
  }

  get blockCount(): number {
    return this.#blockCount;
  }

  /** The file was found at that version of its data: what is of another one is not so any more. */
  fileIsAt(ino: InodeNumber, dataVersion: number): void {
    if (this.#files.get(ino)?.dataVersion !== dataVersion) this.dropFile(ino);
  }

  /** The version moved by what this client did itself, whose blocks are dropped when it changes them. */
  fileMoved(ino: InodeNumber, from: number, to: number): void {
    const file = this.#files.get(ino);
    if (file?.dataVersion === from) file.dataVersion = to;
  }

  /** The block, if it is there and true. */
  find(ino: InodeNumber, block: number, proof: BlockProof): KeptBlock | undefined {
    const file = this.#files.get(ino);
    const kept = file?.blocks.get(block);
    if (kept === undefined || file?.dataVersion !== proof.dataVersion) return undefined;
    if (kept.chunkId !== proof.chunkId || kept.chunkVersion !== proof.chunkVersion) {
      this.#remove(kept);
      return undefined;
    }
    kept.wasUsed = true;
    return kept;
  }

  /** Whether the block is still the same filling of the same slot. */
  has(kept: KeptBlock): boolean {
    return this.#slots[kept.slot] === kept;
  }

  /** A block was not found. True if that was so before: then it is worth being kept. */
  missed(ino: InodeNumber, block: number): boolean {
    const key = `${ino}/${block}`;
    if (this.#asked.delete(key)) return true;
    this.#asked.add(key);
    if (this.#asked.size > this.#askedMax) {
      for (const oldest of this.#asked) {
        this.#asked.delete(oldest);
        break;
      }
    }
    return false;
  }

  /** A slot that holds nothing from here on, until it is filled or given back. */
  takeSlot(): number | undefined {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#slots.length < this.#slotCount) return this.#slots.push(undefined) - 1;
    // Every used block is met unused at the latest in the second round.
    for (let steps = 2 * this.#slotCount; steps > 0; steps--) {
      const slot = this.#hand;
      this.#hand = (this.#hand + 1) % this.#slotCount;
      const kept = this.#slots[slot];
      if (kept === undefined) continue;
      if (!kept.wasUsed) {
        this.#forget(kept);
        return slot;
      }
      kept.wasUsed = false;
    }
    return undefined;
  }

  giveBack(slot: number): void {
    assert(this.#slots[slot] === undefined, "a slot that holds a block is not given back");
    this.#free.push(slot);
  }

  /** The block is in the slot that was taken for it. False, and the slot given back, if that version is over. */
  fill(slot: number, { dataVersion, ...block }: StoredBlock): boolean {
    const known = this.#files.get(block.ino)?.dataVersion ?? dataVersion;
    if (known > dataVersion) {
      this.giveBack(slot);
      return false;
    }
    if (known < dataVersion) this.dropFile(block.ino);
    this.#enter(slot, block, dataVersion);
    return true;
  }

  /** What a file on disk tells of the slots, all of them in order; of each file only the newest version counts. */
  load(stored: Iterable<StoredBlock | undefined>): void {
    const all = [...stored].slice(0, this.#slotCount);
    const newest = new Map<InodeNumber, number>();
    const seen = new Map<string, number>();
    for (const entry of all) {
      if (entry === undefined) continue;
      newest.set(entry.ino, Math.max(newest.get(entry.ino) ?? 0, entry.dataVersion));
      const key = keyOf(entry);
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
    for (const [slot, entry] of all.entries()) {
      this.#slots[slot] = undefined;
      // Of two that claim to be the same block, nobody knows which is right.
      const isRight = entry?.dataVersion === newest.get(entry?.ino ?? NO_INODE);
      if (entry === undefined || !isRight || seen.get(keyOf(entry)) !== 1) this.#free.push(slot);
      else {
        const { dataVersion, ...block } = entry;
        this.#enter(slot, block, dataVersion);
      }
    }
  }

  /** The blocks of the range, both ends included, are others now. */
  drop(ino: InodeNumber, first: number, last: number): void {
    const file = this.#files.get(ino);
    if (file === undefined) return;
    if (last - first < file.blocks.size) {
      for (let block = first; block <= last; block++) this.#removeIfThere(file.blocks.get(block));
      return;
    }
    for (const kept of [...file.blocks.values()]) {
      if (kept.block >= first && kept.block <= last) this.#remove(kept);
    }
  }

  dropFile(ino: InodeNumber): void {
    for (const kept of [...(this.#files.get(ino)?.blocks.values() ?? [])]) this.#remove(kept);
  }

  /** What the slot holds. */
  stored(slot: number): StoredBlock | undefined {
    const kept = this.#slots[slot];
    const file = kept === undefined ? undefined : this.#files.get(kept.ino);
    return kept === undefined || file === undefined ? undefined : { ...kept, dataVersion: file.dataVersion };
  }

  #enter(slot: number, block: CachedBlock, dataVersion: number): void {
    assert(this.#slots[slot] === undefined, "a slot is filled once it was taken");
    const file = this.#files.get(block.ino) ?? { dataVersion, blocks: new Map<number, Kept>() };
    this.#removeIfThere(file.blocks.get(block.block));
    const kept: Kept = { ...block, slot, wasUsed: false };
    this.#files.set(block.ino, file);
    file.blocks.set(block.block, kept);
    this.#slots[slot] = kept;
    this.#blockCount++;
  }

  #removeIfThere(kept: Kept | undefined): void {
    if (kept !== undefined) this.#remove(kept);
  }

  #remove(kept: Kept): void {
    this.#forget(kept);
    this.#free.push(kept.slot);
  }

  #forget(kept: Kept): void {
    const file = this.#files.get(kept.ino);
    file?.blocks.delete(kept.block);
    if (file?.blocks.size === 0) this.#files.delete(kept.ino);
    this.#slots[kept.slot] = undefined;
    this.#blockCount--;
  }
}

const NO_INODE = 0 as InodeNumber;

const keyOf = ({ ino, block, dataVersion }: StoredBlock): string => `${ino}/${block}/${dataVersion}`;
