import { type Attributes, INLINE_BYTES_MAX, type InodeNumber, inodeNumber, isFile } from "../meta/index.js";
import { AscendingOpens } from "./core/ascending-opens.js";
import type { OpenFiles } from "./open-files.js";

/** Of files that are opened ahead at once. */
const BYTES_MAX = 1 << 20;
/** Among so many times as many numbers as files are wanted they are looked for. */
const SEARCH_FACTOR = 4;

/** What is known of files without asking. */
export interface KnownAttributes {
  readonly known: { attributes(ino: InodeNumber): Attributes | undefined } | undefined;
}

/**
 * Opens small files before anybody asks for them, many in one request, while a program reads one after the other: the answer brings
 * their contents. They are open as files are that were closed a moment ago, and go the same way if nobody wants them.
 */
export class OpenAhead {
  readonly #files: Pick<OpenFiles, "get" | "openAhead">;
  readonly #cache: KnownAttributes | undefined;
  readonly #opens = new AscendingOpens();

  constructor(files: Pick<OpenFiles, "get" | "openAhead">, cache: KnownAttributes | undefined) {
    this.#files = files;
    this.#cache = cache;
  }

  /** A file was opened for reading. */
  opened(ino: InodeNumber): void {
    if (this.#cache === undefined) return;
    const window = this.#opens.opened(ino);
    if (window === undefined) return;
    const found: InodeNumber[] = [];
    let sizeBytes = 0;
    const end = window.from + SEARCH_FACTOR * window.count;
    for (let next = window.from; next < end; next++) {
      if (found.length === window.count || sizeBytes >= BYTES_MAX) break;
      const size = this.#sizeToOpen(inodeNumber(next));
      if (size === undefined) continue;
      found.push(inodeNumber(next));
      sizeBytes += size;
    }
    const last = found.at(-1);
    if (last === undefined) return;
    // Not as far as was searched: what lies behind the last one may be known in a moment, when its directory is listed.
    this.#opens.openedAhead(last);
    void this.#files.openAhead(found);
  }

  /** The size of the file, if it is one that is worth opening ahead. */
  #sizeToOpen(ino: InodeNumber): number | undefined {
    const attributes = this.#cache?.known?.attributes(ino);
    if (attributes === undefined || !isFile(attributes.mode) || attributes.sizeBytes > INLINE_BYTES_MAX)
      return undefined;
    return this.#files.get(ino) === undefined ? attributes.sizeBytes : undefined;
  }
}
