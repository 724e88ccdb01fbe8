import { type ChunkId, type ChunkMap, type ChunkVersion, isLaterTicket } from "../../chunk/index.js";

/** What is known of one chunk of a file. `isCurrent` turns false, for whoever still holds it, when it is forgotten. */
export interface KnownChunk {
  readonly index: number;
  /** Undefined: the chunk was never written, and reads as zeros. */
  readonly map: ChunkMap | undefined;
  /** Without a map: it begins with these bytes, which the MDS keeps. Never in the cache. */
  readonly inline?: Uint8Array | undefined;
  readonly isCurrent: boolean;
}

interface Entry extends KnownChunk {
  map: ChunkMap | undefined;
  isCurrent: boolean;
}

/**
 * The chunk maps of one file. A map older than what the MDS has announced is never taken in, however late its
 * answer arrives. What a read fetched by a map that is not current any more is thrown away.
 */
export class MapCache {
  readonly #entries = new Map<number, Entry>();
  /** The version announced by `chunkMapChanged`, while it is newer than what is known. */
  readonly #announced = new Map<ChunkId, ChunkVersion>();
  /** The MDS knows that this session may write there: it was asked by `allocateChunk` under the present lease. */
  readonly #writable = new Set<ChunkId>();
  /** Grows whenever everything is forgotten: answers asked for before do not count. */
  #epoch = 0;
  /** Grows with every change here. */
  #changeCount = 0;

  get epoch(): number {
    return this.#epoch;
  }

  get changeCount(): number {
    return this.#changeCount;
  }

  get(index: number): KnownChunk | undefined {
    return this.#entries.get(index);
  }

  /**
   * Takes in a map asked for during `epoch`. Returns what is known now, or undefined if the map is already out of
   * date: then ask again.
   */
  put(map: ChunkMap, epoch: number): KnownChunk | undefined {
    if (epoch !== this.#epoch) return undefined;
    const announced = this.#announced.get(map.chunkId);
    if (announced !== undefined && map.version < announced) return undefined;
    this.#announced.delete(map.chunkId);
    const known = this.#entries.get(map.index);
    if (known?.map?.chunkId === map.chunkId && !isNews(map, known.map)) {
      if (hasLaterTicket(map, known.map)) known.map = map;
      return known;
    }
    return this.#enter(map.index, map);
  }

  /**
   * These chunks were never written, says an answer to a question asked at `changeCount`. If anything changed here
   * since, it may have been overtaken by a write of our own, and is not taken in.
   */
  putHoles(indexes: readonly number[], changeCount: number): void {
    if (changeCount !== this.#changeCount) return;
    for (const index of indexes) this.#enter(index, undefined);
  }

  /** Maps of this chunk older than the version are out of use, also those still on their way here. */
  announce(chunkId: ChunkId, version: ChunkVersion): void {
    for (const entry of this.#entries.values()) {
      if (entry.map?.chunkId !== chunkId) continue;
      if (entry.map.version >= version) return;
      this.#drop(entry);
      break;
    }
    this.#changeCount++;
    if (this.#announced.size >= ANNOUNCED_MAX) this.forgetAll();
    this.#announced.set(chunkId, version);
  }

  /** Not to be used any more; the next one to need it asks. */
  forget(known: KnownChunk): void {
    const entry = this.#entries.get(known.index);
    if (entry !== undefined && entry === known) this.#drop(entry);
  }

  forgetFrom(index: number): void {
    this.#changeCount++;
    for (const entry of this.#entries.values()) if (entry.index >= index) this.#drop(entry);
  }

  /** With `exclusive` gone others may write where nothing was. */
  forgetHoles(): void {
    for (const entry of this.#entries.values()) if (entry.map === undefined) this.#drop(entry);
  }

  /** Everything, answers on their way included. */
  forgetAll(): void {
    this.#epoch++;
    this.#changeCount++;
    for (const entry of this.#entries.values()) entry.isCurrent = false;
    this.#entries.clear();
    this.#announced.clear();
  }

  mayWrite(chunkId: ChunkId): boolean {
    return this.#writable.has(chunkId);
  }

  noteWriter(chunkId: ChunkId): void {
    this.#writable.add(chunkId);
  }

  /** The lease that the permissions were given under has changed. */
  forgetWriters(): void {
    this.#writable.clear();
  }

  #enter(index: number, map: ChunkMap | undefined): KnownChunk {
    const known = this.#entries.get(index);
    if (known !== undefined) this.#drop(known);
    if (this.#entries.size >= ENTRIES_MAX) this.#dropOldest();
    this.#changeCount++;
    const entry: Entry = { index, map, isCurrent: true };
    this.#entries.set(index, entry);
    return entry;
  }

  #dropOldest(): void {
    for (const entry of this.#entries.values()) {
      this.#drop(entry);
      return;
    }
  }

  #drop(entry: Entry): void {
    this.#changeCount++;
    entry.isCurrent = false;
    this.#entries.delete(entry.index);
  }
}

/** Under one version the client may get permission to write, and members that were being filled become readable. */
function isNews(map: ChunkMap, known: ChunkMap): boolean {
  if (map.version !== known.version) return map.version > known.version;
  return map.writable !== known.writable || readableCount(map) > readableCount(known);
}

/** What was read under the earlier one stays good. */
function hasLaterTicket({ version, ticket }: ChunkMap, known: ChunkMap): boolean {
  if (version !== known.version || ticket === undefined) return false;
  return known.ticket === undefined || isLaterTicket(ticket, known.ticket);
}

const readableCount = ({ chain }: ChunkMap): number => chain.filter(({ syncing }) => !syncing).length;

/** Of one file. */
const ENTRIES_MAX = 16_384;
/** Announcements whose maps were not seen since. */
const ANNOUNCED_MAX = 4096;
