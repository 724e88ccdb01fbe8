import { BLOCK_BYTES, REGION_BYTES } from "../../chunk/index.js";
import { Bitmap } from "./bitmap.js";

/** Blocks of a region. */
export const REGION_BLOCKS = REGION_BYTES / BLOCK_BYTES;

interface DirtyRegion {
  /** Its mark is on the disk. */
  isDurable: boolean;
  /** Changes under way in it: received, and not yet acknowledged by everybody behind. */
  holdCount: number;
  lastUseMs: number;
  /** Being cleaned, and not written since that began. */
  isCleaning: boolean;
  /** Something was changed in it; otherwise it was only marked beside others. */
  isUsed: boolean;
}

/** Regions marked in a chunk that begins empty: most are written from their beginning on. */
const MARK_FIRST = 16;
/** Regions marked ahead of a sequential writer: doubled at every hit, so that it pays few syncs. */
const MARK_AHEAD_MAX = 32;
/** Regions marked around what a writer needs that jumps about: doubled at every miss, for the same reason. */
const MARK_AROUND_MAX = 64;
/** A region that is needed again so soon after it was cleaned should not have been. */
const REGRET_MS = 60_000;
/** How much longer than usual regions stay dirty at most. */
const PATIENCE_MAX = 16;

/** What must be done before a range may be written. */
export interface MarkPlan {
  /** The range's own marks are durable already. */
  readonly isReady: boolean;
  /** Regions newly marked in memory: their marks must be made durable. */
  readonly marks: readonly number[];
}

/**
 * Which regions of a chunk are dirty: their checksums are only in memory, so that after a crash they are computed
 * anew and distrusted. A region becomes dirty before anything in it is written or forwarded, and clean only when
 * its data and checksums are synced, nothing in it is under way, and nothing was written to it meanwhile.
 */
export class DirtyRegions {
  readonly #regions = new Map<number, DirtyRegion>();
  readonly #regionCount: number;
  #aheadCount = 1;
  #aroundCount = 1;
  /** When regions were cleaned. */
  readonly #cleanedAtMs = new Map<number, number>();
  #patience = 1;
  #regretAtMs = Number.NEGATIVE_INFINITY;

  constructor(regionCount: number, dirty: Iterable<number> = []) {
    this.#regionCount = regionCount;
    for (const region of dirty) this.#add(region, 0, true);
  }

  get count(): number {
    return this.#regions.size;
  }

  /** Of those, the ones that would have to be compared with other replicas after a crash. */
  get usedCount(): number {
    let count = 0;
    for (const { isUsed } of this.#regions.values()) if (isUsed) count++;
    return count;
  }

  /** How many times longer than usual a region should be left alone before it is cleaned: some come back later. */
  get patience(): number {
    return this.#patience;
  }

  has(region: number): boolean {
    return this.#regions.has(region);
  }

  /** As they are to be stored: whatever is marked in memory counts. */
  toBitmap(): Bitmap {
    return Bitmap.of(...this.#regions.keys());
  }

  /** The chunk is empty. Returns the marks to be made durable with its record, so that a writer waits for none of them. */
  begin(nowMs: number): readonly number[] {
    this.#aheadCount = MARK_FIRST;
    return this.#markRange(0, MARK_FIRST, nowMs);
  }

  /** Marks what a write into these regions (ascending) needs, and some more that such a writer will need soon. */
  plan(regions: readonly number[], nowMs: number): MarkPlan {
    const missing = regions.filter((region) => !this.#regions.has(region));
    for (const region of missing) {
      this.#regret(region, nowMs);
      this.#add(region, nowMs, false);
    }
    const isReady = regions.every((region) => this.#regions.get(region)?.isDurable === true);
    const first = regions[0];
    const isSequential = first !== undefined && this.#regions.has(first - 1);
    const more = isSequential
      ? this.#markAhead(regions, missing, nowMs)
      : this.#markAround(regions, missing, nowMs);
    return { isReady, marks: [...missing, ...more] };
  }

  /** The marks of these regions are on the disk. */
  durable(regions: readonly number[]): void {
    for (const region of regions) {
      const entry = this.#regions.get(region);
      if (entry !== undefined) entry.isDurable = true;
    }
  }

  /** Their marks could not be made durable: whoever needs them marks them again. */
  unmark(regions: readonly number[]): void {
    for (const region of regions) {
      if (this.#regions.get(region)?.isDurable === false) this.#regions.delete(region);
    }
  }

  /** A change of these regions is under way from now on; they are marked. */
  hold(regions: readonly number[], nowMs: number): void {
    for (const region of regions) {
      const entry = this.#regions.get(region);
      if (entry === undefined) continue;
      entry.holdCount++;
      entry.isUsed = true;
      this.#use(entry, nowMs);
    }
  }

  /** The change is acknowledged by everybody behind, or given up. */
  unhold(regions: readonly number[], nowMs: number): void {
    for (const region of regions) {
      const entry = this.#regions.get(region);
      if (entry === undefined) continue;
      entry.holdCount--;
      this.#use(entry, nowMs);
    }
  }

  /** Regions that a change is under way in. */
  *underWay(): IterableIterator<number> {
    for (const [region, { holdCount }] of this.#regions) if (holdCount > 0) yield region;
  }

  /** Regions that could be cleaned: nothing under way, and not used since `idleSinceMs`. */
  cleanable(idleSinceMs: number): number[] {
    const result: number[] = [];
    for (const [region, { isDurable, holdCount, lastUseMs, isCleaning }] of this.#regions) {
      if (isDurable && holdCount === 0 && !isCleaning && lastUseMs <= idleSinceMs) result.push(region);
    }
    return result.sort((a, b) => a - b);
  }

  /** When each of these regions was used last. */
  lastUses(regions: readonly number[]): number[] {
    return regions.map((region) => this.#regions.get(region)?.lastUseMs ?? Number.NEGATIVE_INFINITY);
  }

  /** Their checksums are about to be copied and everything synced. */
  beginCleaning(regions: readonly number[]): void {
    for (const region of regions) {
      const entry = this.#regions.get(region);
      if (entry !== undefined) entry.isCleaning = true;
    }
  }

  /** Everything was synced (or failed). Returns the regions that are clean now: nothing was written meanwhile. */
  endCleaning(regions: readonly number[], isSynced: boolean, nowMs: number): number[] {
    const clean: number[] = [];
    for (const region of regions) {
      const entry = this.#regions.get(region);
      if (entry?.isCleaning !== true) continue;
      entry.isCleaning = false;
      if (!isSynced) continue;
      this.#regions.delete(region);
      this.#cleanedAtMs.set(region, nowMs);
      clean.push(region);
    }
    if (this.#regions.size === 0) {
      this.#aheadCount = 1;
      this.#aroundCount = 1;
      if (nowMs - this.#regretAtMs > REGRET_MS) this.#patience = 1;
    }
    return clean;
  }

  /** Marks cost syncs: if a region was cleaned too soon, all are left alone for longer. */
  #regret(region: number, nowMs: number): void {
    const cleanedAtMs = this.#cleanedAtMs.get(region);
    if (cleanedAtMs === undefined) return;
    this.#cleanedAtMs.delete(region);
    if (nowMs - cleanedAtMs > REGRET_MS) return;
    this.#regretAtMs = nowMs;
    this.#patience = Math.min(PATIENCE_MAX, this.#patience * 2);
  }

  #add(region: number, nowMs: number, isDurable: boolean): void {
    this.#regions.set(region, {
      isDurable,
      holdCount: 0,
      lastUseMs: nowMs,
      isCleaning: false,
      isUsed: isDurable,
    });
  }

  #use(entry: DirtyRegion, nowMs: number): void {
    entry.lastUseMs = nowMs;
    entry.isCleaning = false;
  }

  /** A writer that runs into unmarked regions right behind marked ones, or comes near the end of them, goes on. */
  #markAhead(regions: readonly number[], missing: readonly number[], nowMs: number): number[] {
    const last = regions.at(-1);
    if (last === undefined) return [];
    if (missing.length === 0 && this.#regions.has(last + Math.ceil(this.#aheadCount / 2))) return [];
    if (missing.length === 0 && this.#aheadCount === 1) return [];
    this.#aheadCount = Math.min(MARK_AHEAD_MAX, this.#aheadCount * 2);
    return this.#markRange(last + 1, last + 1 + this.#aheadCount, nowMs);
  }

  /** A writer that jumps about marks groups of regions, so that soon everything it uses is marked. */
  #markAround(regions: readonly number[], missing: readonly number[], nowMs: number): number[] {
    const first = regions[0];
    if (first === undefined || missing.length === 0) return [];
    const begin = first - (first % this.#aroundCount);
    const marks = this.#markRange(begin, begin + this.#aroundCount, nowMs);
    this.#aroundCount = Math.min(MARK_AROUND_MAX, this.#aroundCount * 2);
    return marks;
  }

  #markRange(begin: number, end: number, nowMs: number): number[] {
    const marks: number[] = [];
    for (let region = begin; region < Math.min(end, this.#regionCount); region++) {
      if (this.#regions.has(region)) continue;
      this.#add(region, nowMs, false);
      marks.push(region);
    }
    return marks;
  }
}

/** The regions that a range touches, ascending. */
export function regionsOf(offset: number, lengthBytes: number): number[] {
  const result: number[] = [];
  const end = offset + lengthBytes;
  for (let region = Math.floor(offset / REGION_BYTES); region * REGION_BYTES < end; region++)
    result.push(region);
  return result;
}
