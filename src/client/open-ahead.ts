import { INLINE_BYTES_MAX, type InodeNumber, inodeNumber, isFile } from "../meta/index.js";
import type { CoherentCache } from "./coherent-cache.js";
import { AscendingOpens } from "./core/ascending-opens.js";
import type { OpenFiles } from "./open-files.js";

/** Of files that are opened ahead at once. */
const BYTES_MAX = 1 << 20;
/** Among so many times as many numbers as files are wanted they are looked for. */
const SEARCH_FACTOR = 4;

/**
 * Opens small files before anybody asks for them, many in one request, while a program reads one after the other: the answer brings
 * their contents. They are open as files are that were closed a moment ago, and go the same way if nobody wants them.
 */
export class OpenAhead {
  readonly #files: OpenFiles;
  readonly #cache: CoherentCache | undefined;
  readonly #opens = new AscendingOpens();

  constructor(files: OpenFiles, cache: CoherentCache | undefined) {
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
    let next = window.from;
    const end = window.from + SEARCH_FACTOR * window.count;
    for (; next < end && found.length < window.count && sizeBytes < BYTES_MAX; next++) {
      const size = this.#sizeToOpen(inodeNumber(next));
      if (size === undefined) continue;
      found.push(inodeNumber(next));
      sizeBytes += size;
    }
    if (found.length === 0) return;
    this.#opens.openedAhead(inodeNumber(next - 1));
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
