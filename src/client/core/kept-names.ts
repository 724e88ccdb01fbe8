import type { Entries, InodeNumber } from "../../meta/index.js";

/** What is known of one directory. */
interface KnownDirectory {
  /** As Latin-1; `null`: there is no such name. The oldest first. */
  readonly names: Map<string, InodeNumber | null>;
  /** How many of them are not `null`. */
  presentCount: number;
  /** Answers to listings, by what was asked. */
  readonly pages: Map<string, Entries>;
  usedMs: number;
}

/** Names of directories, and their listings; of the directory used longest ago they give way. */
export class KeptNames {
  readonly #countMax: number;
  readonly #directories = new Map<InodeNumber, KnownDirectory>();
  /** The last of them; undefined: none, or that is not known. */
  #newest: InodeNumber | undefined;
  #count = 0;
  /** Of all that gave way: when one of them was last asked about. */
  #evictedMs = Number.NEGATIVE_INFINITY;

  /** Names and entries of listings. */
  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#count;
  }

  get(directory: InodeNumber, name: string, nowMs: number): InodeNumber | null | undefined {
    const ino = this.#directories.get(directory)?.names.get(name);
    if (ino !== undefined) this.#use(directory, nowMs);
    return ino;
  }

  page(directory: InodeNumber, page: string, nowMs: number): Entries | undefined {
    const known = this.#directories.get(directory)?.pages.get(page);
    if (known !== undefined) this.#use(directory, nowMs);
    return known;
  }

  put(directory: InodeNumber, name: string, ino: InodeNumber | null, nowMs: number): void {
    const known = this.#use(directory, nowMs);
    this.#dropName(known, name);
    known.names.set(name, ino);
    this.#count++;
    if (ino !== null) known.presentCount++;
    this.#evict();
  }

  putPage(directory: InodeNumber, page: string, entries: Entries, nowMs: number): void {
    const { pages } = this.#use(directory, nowMs);
    this.#count += entries.entries.length + 1 - weight(pages.get(page));
    pages.set(page, entries);
    this.#evict();
  }

  /** The name stands for something else now: so no listing is true either. */
  drop(directory: InodeNumber, name: string): void {
    const known = this.#directories.get(directory);
    if (known === undefined) return;
    this.#dropName(known, name);
    this.#dropPages(known);
  }

  forget(directory: InodeNumber): void {
    const known = this.#directories.get(directory);
    if (known === undefined) return;
    this.#directories.delete(directory);
    if (directory === this.#newest) this.#newest = undefined;
    this.#count -= known.names.size;
    this.#dropPages(known);
  }

  /** The names that are known to be there and come after that one, in byte order: so many at most. */
  present(directory: InodeNumber, after: string, countMax: number): (readonly [string, InodeNumber])[] {
    const found: [string, InodeNumber][] = [];
    for (const [name, ino] of this.#directories.get(directory)?.names ?? []) {
      if (ino !== null && name > after) found.push([name, ino]);
    }
    return found.sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, countMax);
  }

  /** How many names are known to be there. */
  presentCount(directory: InodeNumber): number {
    return this.#directories.get(directory)?.presentCount ?? 0;
  }

  /** Something known of the directory was used. */
  use(directory: InodeNumber, nowMs: number): void {
    this.#use(directory, nowMs);
  }

  /** Nobody asked about anything known of the directory since. */
  usedMs(directory: InodeNumber): number {
    return this.#directories.get(directory)?.usedMs ?? this.#evictedMs;
  }

  clear(): void {
    this.#directories.clear();
    this.#newest = undefined;
    this.#count = 0;
  }

  #use(directory: InodeNumber, nowMs: number): KnownDirectory {
    const known = this.#directories.get(directory) ?? {
      names: new Map(),
      presentCount: 0,
      pages: new Map(),
      usedMs: nowMs,
    };
    known.usedMs = nowMs;
    // Most questions are about the directory that the last one was about.
    if (directory === this.#newest) return known;
    this.#newest = directory;
    this.#directories.delete(directory);
    this.#directories.set(directory, known);
    return known;
  }

  #dropName(known: KnownDirectory, name: string): void {
    const ino = known.names.get(name);
    if (!known.names.delete(name)) return;
    this.#count--;
    if (ino !== null) known.presentCount--;
  }

  #dropPages({ pages }: KnownDirectory): void {
    for (const page of pages.values()) this.#count -= weight(page);
    pages.clear();
  }

  #evict(): void {
    while (this.#count > this.#countMax) {
      const [oldest] = this.#directories.entries();
      if (oldest === undefined) return;
      const [directory, known] = oldest;
      const [name] = known.names.keys();
      this.#evictedMs = Math.max(this.#evictedMs, known.usedMs);
      // The only one left gives way in part.
      if (this.#directories.size > 1 || name === undefined) this.forget(directory);
      else {
        this.#dropName(known, name);
      }
    }
  }
}

const weight = (page: Entries | undefined): number => (page === undefined ? 0 : page.entries.length + 1);
