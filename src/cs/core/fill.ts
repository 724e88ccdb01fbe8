import type { ChunkVersion } from "../../chunk/index.js";
import { BLOCK_BYTES } from "../../chunk/index.js";
import { Bitmap } from "./bitmap.js";

/** Regions fetched at the same time. */
export const FETCH_COUNT_MAX = 4;

/** What the source of a resynchronisation said about itself. */
export interface FillSource {
  readonly highWaterBytes: number;
  /** Regions that hold data. */
  readonly regions: Bitmap;
  /** Regions in which the source may differ from its peers. */
  readonly suspectRegions: Bitmap;
  /** Regions that changed after the version that was asked about. Undefined: not asked, or not known. */
  readonly changedRegions?: Bitmap | undefined;
}

/** What a replica that does not begin empty says of itself. */
export interface FillOptions {
  /** Regions that hold anything here, if others need not be fetched where the source has nothing either. */
  readonly held?: Bitmap | undefined;
  /** The last version under which this replica took part; what changed later is needed, too. */
  readonly since?: ChunkVersion | undefined;
}

/**
 * What a resynchronising replica still has to fetch. Every change of the chain that arrives touches its blocks: what
 * is fetched for them, then or later, is older than the change and is not put in.
 */
export class Fill {
  /** Regions in which this replica is not right, or "all" of one that began empty. */
  readonly #needed: Bitmap | "all";
  readonly #held: Bitmap | undefined;
  /** See `FillOptions`; undefined for one that missed nothing. */
  readonly since: ChunkVersion | undefined;
  /** Regions still to be fetched; those under way are in `#fetching`. Undefined before the source was described. */
  #missing: number[] | undefined;
  readonly #fetching = new Set<number>();
  /** Blocks changed by the chain since the resynchronisation began. */
  readonly #touched = new Bitmap();
  #highWaterBytes = Number.POSITIVE_INFINITY;
  /** Where the bytes of the chain's changes since then end. */
  #changedEndBytes = 0;

  constructor(needed: Bitmap | "all", { held, since }: FillOptions = {}) {
    this.#needed = needed;
    this.#held = held;
    this.since = since;
  }

  get isDescribed(): boolean {
    return this.#missing !== undefined;
  }

  /** Regions that are not here yet; undefined before the source was described. */
  get missing(): Bitmap | undefined {
    return this.#missing && Bitmap.of(...this.#missing, ...this.#fetching);
  }

  get isComplete(): boolean {
    return this.#missing?.length === 0 && this.#fetching.size === 0;
  }

  /** Where the source's data ended, lowered by truncations since. */
  get highWaterBytes(): number {
    return this.#highWaterBytes;
  }

  /** A replica that began empty lacks what the source has; another one what either of them distrusts, and what it missed. */
  describe(source: FillSource): void {
    this.#highWaterBytes = Math.min(this.#highWaterBytes, source.highWaterBytes);
    if (this.#needed === "all") {
      this.#missing = [...source.regions];
      return;
    }
    const held = this.#held;
    const needed = new Bitmap(this.#needed.toBytes());
    needed.addAll(source.suspectRegions);
    if (this.since !== undefined) needed.addAll(source.changedRegions ?? source.regions);
    // What it missed is not known: it has nothing of which it could be sure.
    if (this.since !== undefined && source.changedRegions === undefined && held !== undefined)
      needed.addAll(held);
    const holdsAnything = (region: number): boolean =>
      held === undefined || held.has(region) || source.regions.has(region);
    this.#missing = [...needed].filter(holdsAnything);
  }

  /** A change of the chain has arrived. */
  touch(offset: number, lengthBytes: number): void {
    this.#touched.addRange(Math.floor(offset / BLOCK_BYTES), Math.ceil((offset + lengthBytes) / BLOCK_BYTES));
  }

  /** A change of the chain cuts the chunk there. */
  truncate(endBytes: number): void {
    this.#highWaterBytes = Math.min(this.#highWaterBytes, endBytes);
    this.#changedEndBytes = Math.min(this.#changedEndBytes, endBytes);
  }

  /** A change of the chain wrote bytes up to there. */
  extend(endBytes: number): void {
    this.#changedEndBytes = Math.max(this.#changedEndBytes, endBytes);
  }

  /** Where the data end when everything was put in: what this replica had beyond is of no truth. */
  get endBytes(): number {
    return Math.max(this.#highWaterBytes, this.#changedEndBytes);
  }

  /** The next region to fetch, unless enough are under way. */
  next(): number | undefined {
    if (this.#fetching.size >= FETCH_COUNT_MAX) return undefined;
    const region = this.#missing?.shift();
    if (region !== undefined) this.#fetching.add(region);
    return region;
  }

  /** The region could not be fetched; it comes again. */
  failed(region: number): void {
    if (this.#fetching.delete(region)) this.#missing?.push(region);
  }

  /** The region was put in. */
  done(region: number): void {
    this.#fetching.delete(region);
  }

  /** Whether the block (of the chunk) may still be put in. To be asked at the last moment. */
  isWanted(block: number): boolean {
    return !this.#touched.has(block);
  }
}
