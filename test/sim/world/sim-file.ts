import type { Prng } from "../../../src/base/index.js";

/** The unit of the page cache. */
export const PAGE_BYTES = 4096;
const SECTOR_BYTES = 512;
/** How often a page that is written again has reached the medium in between. */
const WRITEBACK_RATE = 0.2;

/** What a sync that is under way has promised to make durable. */
export interface SyncPoint {
  readonly sequence: number;
  readonly sizeBytes: number;
  readonly pages: ReadonlyMap<number, Uint8Array | undefined>;
}

/** How much of what was not synced a loss of power leaves: all, nothing, or something of everything. */
export type Survival = "all" | "none" | "some";

/**
 * A file: its pages in memory and on the medium.
 *
 * Fault model: what was written lives in memory (it survives the process) until a sync, or any moment the kernel
 * likes, brings it to the medium. Loss of power decides page by page whether the medium has the last version, an
 * earlier one, or a mix of both by sectors of 512 bytes; the size may stop anywhere between old and new, with zeros
 * where no data had arrived. A failed sync may forget that pages are dirty, as Linux does. Bits may rot.
 *
 * Pages are never changed in place, so that a sync can hold on to the versions it saw.
 */
export class SimFile {
  readonly type = "file";
  /** Pages that were never written are absent and read as zeros. */
  #pages = new Map<number, Uint8Array>();
  #durablePages = new Map<number, Uint8Array>();
  #dirty = new Set<number>();
  #sizeBytes = 0;
  #durableSizeBytes = 0;
  #syncSequence = 0;
  #syncedSequence = 0;
  /** Pages that were synced by themselves, and when: what a sync saw of them before is older. */
  readonly #syncedAlone = new Map<number, number>();
  /** Rotten versions of pages, and what they were before. */
  readonly #rotten = new Map<Uint8Array, Uint8Array>();

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get allocatedBytes(): number {
    return this.#pages.size * PAGE_BYTES;
  }

  /** Bytes that a write there would allocate. */
  growthBytes(offset: number, lengthBytes: number): number {
    let growth = 0;
    for (let page = pageOf(offset); page <= pageOf(offset + lengthBytes - 1); page++) {
      if (!this.#pages.has(page)) growth += PAGE_BYTES;
    }
    return growth;
  }

  read(buffer: Uint8Array, offset: number): number {
    const length = Math.max(0, Math.min(buffer.length, this.#sizeBytes - offset));
    for (let done = 0; done < length; ) {
      const { page, within, count } = pieceAt(offset + done, length - done);
      const bytes = this.#pages.get(page);
      if (bytes === undefined) buffer.fill(0, done, done + count);
      else buffer.set(bytes.subarray(within, within + count), done);
      done += count;
    }
    return length;
  }

  write(bytes: Uint8Array, offset: number, prng: Prng): void {
    for (let done = 0; done < bytes.length; ) {
      const { page, within, count } = pieceAt(offset + done, bytes.length - done);
      const old = this.#pages.get(page);
      const changed = new Uint8Array(PAGE_BYTES);
      if (old !== undefined) changed.set(old);
      changed.set(bytes.subarray(done, done + count), within);
      this.#replacePage(page, changed, prng);
      done += count;
    }
    if (bytes.length > 0) this.#sizeBytes = Math.max(this.#sizeBytes, offset + bytes.length);
  }

  truncate(lengthBytes: number, prng: Prng): void {
    for (const page of [...this.#pages.keys()]) {
      const keptBytes = lengthBytes - page * PAGE_BYTES;
      if (keptBytes >= PAGE_BYTES) continue;
      this.#replacePage(page, keptBytes > 0 ? headOf(this.#pages.get(page), keptBytes) : undefined, prng);
    }
    this.#sizeBytes = lengthBytes;
  }

  /** Of all pages, or of those in a range. */
  beginSync(offset = 0, lengthBytes = Number.POSITIVE_INFINITY): SyncPoint {
    const end = offset + lengthBytes;
    const dirty = [...this.#dirty].filter(
      (page) => page * PAGE_BYTES < end && (page + 1) * PAGE_BYTES > offset,
    );
    const pages = new Map(dirty.map((page) => [page, this.#pages.get(page)]));
    return { sequence: ++this.#syncSequence, sizeBytes: this.#sizeBytes, pages };
  }

  completeSync(point: SyncPoint): void {
    // A later sync has already brought newer versions down.
    if (point.sequence < this.#syncedSequence) return;
    this.#syncedSequence = point.sequence;
    for (const [page, bytes] of this.#pagesOf(point)) {
      setOrDelete(this.#durablePages, page, bytes);
      if (this.#pages.get(page) === bytes) this.#dirty.delete(page);
    }
    this.#durableSizeBytes = point.sizeBytes;
  }

  /** The pages of the range are on the medium as they are now, and the file reaches them; nothing is said of others. */
  syncRange(offset: number, lengthBytes: number): void {
    const { sequence, pages } = this.beginSync(offset, lengthBytes);
    for (const [page, bytes] of pages) {
      setOrDelete(this.#durablePages, page, bytes);
      this.#dirty.delete(page);
      this.#syncedAlone.set(page, sequence);
    }
    const endBytes = Math.min(this.#sizeBytes, offset + lengthBytes);
    this.#durableSizeBytes = Math.max(this.#durableSizeBytes, endBytes);
  }

  /** Each page may be on the medium, still dirty, or lost without anybody knowing. */
  failSync(point: SyncPoint, prng: Prng): void {
    if (point.sequence < this.#syncedSequence) return;
    for (const [page, bytes] of this.#pagesOf(point)) {
      const fate = prng.below(3);
      if (fate === 0) continue;
      if (this.#pages.get(page) === bytes) this.#dirty.delete(page);
      if (fate === 1) setOrDelete(this.#durablePages, page, bytes);
    }
  }

  /** The process died during the sync: each page is on the medium, or still dirty for the next life to sync. */
  stopSync(point: SyncPoint, prng: Prng): void {
    if (point.sequence < this.#syncedSequence) return;
    for (const [page, bytes] of this.#pagesOf(point)) {
      if (prng.chance(0.5)) continue;
      setOrDelete(this.#durablePages, page, bytes);
      if (this.#pages.get(page) === bytes) this.#dirty.delete(page);
    }
  }

  losePower(survival: Survival, prng: Prng): void {
    for (const page of this.#dirty) {
      const merged = mergePage(this.#durablePages.get(page), this.#pages.get(page), survival, prng);
      setOrDelete(this.#durablePages, page, merged);
    }
    this.#dirty.clear();
    this.#pages = new Map(this.#durablePages);
    this.#sizeBytes = survivingSize(this.#durableSizeBytes, this.#sizeBytes, survival, prng);
    this.truncate(this.#sizeBytes, prng);
    this.completeSync(this.beginSync());
  }

  /** Flips one bit, in memory and on the medium; false when the file has no written page. */
  rot(prng: Prng): boolean {
    const candidates = [...this.#pages.keys()].filter((page) => page * PAGE_BYTES < this.#sizeBytes);
    if (candidates.length === 0) return false;
    const page = prng.pick(candidates);
    const original = this.#pages.get(page) ?? new Uint8Array(PAGE_BYTES);
    const rotten = Uint8Array.from(original);
    const index = prng.below(Math.min(PAGE_BYTES, this.#sizeBytes - page * PAGE_BYTES));
    rotten[index] = (rotten[index] ?? 0) ^ (1 << prng.below(8));
    this.#rotten.set(rotten, original);
    this.#pages.set(page, rotten);
    if (this.#durablePages.has(page)) this.#durablePages.set(page, rotten);
    return true;
  }

  /** Undoes `rot` in pages that were not written since. */
  mend(): void {
    for (const pages of [this.#pages, this.#durablePages]) {
      for (const [page, bytes] of pages) {
        let sound = bytes;
        for (let before = this.#rotten.get(sound); before !== undefined; before = this.#rotten.get(sound)) {
          sound = before;
        }
        if (sound !== bytes) pages.set(page, sound);
      }
    }
    this.#rotten.clear();
  }

  /** A file of these bytes, durable from the start. */
  static durable(bytes: Uint8Array, prng: Prng): SimFile {
    const file = new SimFile();
    file.write(bytes, 0, prng);
    file.completeSync(file.beginSync());
    return file;
  }

  /** What the sync saw, without what was synced by itself since. */
  #pagesOf({ sequence, pages }: SyncPoint): [number, Uint8Array | undefined][] {
    return [...pages].filter(([page]) => (this.#syncedAlone.get(page) ?? 0) < sequence);
  }

  #replacePage(page: number, bytes: Uint8Array | undefined, prng: Prng): void {
    if (this.#dirty.has(page) && prng.chance(WRITEBACK_RATE)) {
      setOrDelete(this.#durablePages, page, this.#pages.get(page));
    }
    setOrDelete(this.#pages, page, bytes);
    this.#dirty.add(page);
  }
}

function pageOf(offset: number): number {
  return Math.floor(offset / PAGE_BYTES);
}

/** The part of a range that lies in its first page. */
function pieceAt(offset: number, length: number): { page: number; within: number; count: number } {
  const page = pageOf(offset);
  const within = offset - page * PAGE_BYTES;
  return { page, within, count: Math.min(length, PAGE_BYTES - within) };
}

function headOf(bytes: Uint8Array | undefined, keptBytes: number): Uint8Array | undefined {
  if (bytes === undefined) return undefined;
  const result = new Uint8Array(PAGE_BYTES);
  result.set(bytes.subarray(0, keptBytes));
  return result;
}

function setOrDelete(pages: Map<number, Uint8Array>, page: number, bytes: Uint8Array | undefined): void {
  if (bytes === undefined) pages.delete(page);
  else pages.set(page, bytes);
}

function mergePage(
  durable: Uint8Array | undefined,
  current: Uint8Array | undefined,
  survival: Survival,
  prng: Prng,
): Uint8Array | undefined {
  if (survival !== "some") return survival === "all" ? current : durable;
  const fate = prng.below(3);
  if (fate < 2) return fate === 0 ? durable : current;
  const torn = new Uint8Array(PAGE_BYTES);
  for (let start = 0; start < PAGE_BYTES; start += SECTOR_BYTES) {
    const source = prng.chance(0.5) ? durable : current;
    if (source !== undefined) torn.set(source.subarray(start, start + SECTOR_BYTES), start);
  }
  return torn;
}

function survivingSize(durable: number, current: number, survival: Survival, prng: Prng): number {
  if (survival !== "some") return survival === "all" ? current : durable;
  if (current <= durable || prng.chance(0.5)) return prng.chance(0.5) ? current : durable;
  return prng.between(durable, current);
}
