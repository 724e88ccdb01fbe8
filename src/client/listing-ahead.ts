import { failureOf } from "../base/index.js";
import type { Entries, InodeNumber } from "../meta/index.js";

/** So many names of a directory are asked for one by one before it is listed. */
const MISS_COUNT_MIN = 8;
/** To be told a name and its attributes in a listing costs a small part of asking for it alone. */
const ENTRIES_PER_MISS = 64;
/** No larger directory is listed unasked. */
const ENTRY_COUNT_MAX = 20_000;
const PAGE_COUNT = 500;
/** Directories that are counted for. */
const DIRECTORY_COUNT_MAX = 64;
const BEGINNING = new Uint8Array(0);

interface Counted {
  missCount: number;
  /** It is listed when so many names were asked for. */
  due: number;
  isListing: boolean;
}

/** Asks for a page of a directory, with attributes, and keeps what is answered. */
export type ListPage = (directory: InodeNumber, after: Uint8Array, count: number) => Promise<Entries>;

/**
 * Lists directories in which many names are looked up one after the other, so that the next ones are known: who visits the files of
 * a directory pays for some round trips instead of one each. What it costs in vain is never more than the lookups before it.
 */
export class ListingAhead {
  readonly #list: ListPage;
  readonly #directories = new Map<InodeNumber, Counted>();

  constructor(list: ListPage) {
    this.#list = list;
  }

  /** A name had to be asked for. `entryCount`: how many names the directory has, if that is known. */
  missed(directory: InodeNumber, entryCount: number | undefined): void {
    const counted = this.#directories.get(directory) ?? {
      missCount: 0,
      due: MISS_COUNT_MIN,
      isListing: false,
    };
    this.#directories.delete(directory);
    this.#directories.set(directory, counted);
    if (this.#directories.size > DIRECTORY_COUNT_MAX) this.#forgetOldest();
    counted.missCount++;
    if (entryCount === undefined || entryCount > ENTRY_COUNT_MAX || counted.isListing) return;
    if (counted.missCount < Math.max(counted.due, entryCount / ENTRIES_PER_MISS)) return;
    counted.isListing = true;
    void this.#listAll(directory).then(() => {
      counted.isListing = false;
      // If that did not help, it is tried ever more seldom.
      counted.due = 2 * counted.missCount;
    });
  }

  async #listAll(directory: InodeNumber): Promise<void> {
    try {
      for (let after = BEGINNING; ; ) {
        const { entries, isEnd } = await this.#list(directory, after, PAGE_COUNT);
        const last = entries.at(-1);
        if (isEnd || last === undefined) return;
        after = Uint8Array.from(last.name);
      }
    } catch (error) {
      // Whoever looks a name up hears of it.
      if (failureOf(error) === undefined) throw error;
    }
  }

  #forgetOldest(): void {
    const [oldest] = this.#directories.keys();
    if (oldest !== undefined) this.#directories.delete(oldest);
  }
}
