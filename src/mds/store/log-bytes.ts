import type { Entry } from "../../raft/index.js";

/** A note is made each time that so many bytes were added. */
const GRAIN_BYTES = 1 << 20;

/** Up to the entry of that index, that many bytes were ever added. */
interface Note {
  readonly index: number;
  readonly totalBytes: number;
}

/** How many bytes of data the log has, and up to where there are how many: to a megabyte or an entry, never too few. */
export class LogBytes {
  /** Ascending. */
  #notes: Note[] = [];
  #totalBytes = 0;
  /** Of what is not in the log any more. */
  #goneBytes = 0;

  /** They are behind everything with lower indexes, and replace the rest. */
  appended(entries: readonly Entry[]): void {
    const first = entries[0]?.index ?? 0;
    while ((this.#notes.at(-1)?.index ?? 0) >= first && this.#notes.length > 0) this.#notes.pop();
    for (const { index, data } of entries) {
      this.#totalBytes += data.length;
      const notedBytes = this.#notes.at(-1)?.totalBytes ?? this.#goneBytes;
      if (this.#totalBytes - notedBytes >= GRAIN_BYTES)
        this.#notes.push({ index, totalBytes: this.#totalBytes });
    }
  }

  /** Entries up to there are not in the log any more. */
  dropped(upTo: number): void {
    const count = this.#notes.filter(({ index }) => index <= upTo).length;
    const last = this.#notes.splice(0, count).at(-1);
    this.#goneBytes = last?.totalBytes ?? this.#goneBytes;
  }

  clear(): void {
    this.#notes = [];
    this.#goneBytes = this.#totalBytes;
  }

  /** The last entry behind which there are so many bytes; 0 if there is none. */
  indexBefore(bytes: number): number {
    return this.#notes.findLast(({ totalBytes }) => this.#totalBytes - totalBytes >= bytes)?.index ?? 0;
  }

  /** How many bytes the log has up to that entry, and including it. */
  upTo(upTo: number): number {
    const found = this.#notes.findLast(({ index }) => index <= upTo);
    return found === undefined ? 0 : found.totalBytes - this.#goneBytes;
  }
}
