import type { InodeNumber } from "../../meta/index.js";

/** The next file is at most so many numbers farther. */
const GAP_MAX = 16;
/** So many files in a row are opened before any is opened ahead. */
const STREAK_MIN = 3;
const WINDOW_MIN = 8;
const WINDOW_MAX = 64;

/** Files to be opened ahead: so many of those with the number `from` or a higher one. */
export interface OpenWindow {
  readonly from: number;
  readonly count: number;
}

/**
 * Sees whether files are opened for reading in the order of their inode numbers, which is that in which they were made: programs that
 * visit a tree mostly do. While they are, the next ones are worth opening ahead, ever more of them.
 */
export class AscendingOpens {
  #last = Number.NEGATIVE_INFINITY;
  #streak = 0;
  #windowCount = WINDOW_MIN;
  /** Up to here files have been opened ahead. */
  #upTo = 0;

  /** A file was opened. What is worth opening ahead then, if anything. */
  opened(ino: InodeNumber): OpenWindow | undefined {
    const isNext = ino > this.#last && ino <= this.#last + GAP_MAX;
    if (ino === this.#last) return undefined;
    this.#last = ino;
    if (!isNext) {
      this.#streak = 0;
      this.#upTo = 0;
      this.#windowCount = WINDOW_MIN;
      return undefined;
    }
    if (++this.#streak < STREAK_MIN || this.#upTo - ino > this.#windowCount / 2) return undefined;
    return { from: Math.max(this.#upTo, ino) + 1, count: this.#windowCount };
  }

  /** They have been, up to that number. */
  openedAhead(upTo: InodeNumber): void {
    this.#upTo = upTo;
    this.#windowCount = Math.min(WINDOW_MAX, 2 * this.#windowCount);
  }
}
