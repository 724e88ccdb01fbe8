import type { Entry } from "../../raft/index.js";

/** The newest entries of the log, in memory: consecutive, of together at most `maxBytes` of data. */
export class EntryCache {
  readonly #maxBytes: number;
  #entries: Entry[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(index: number): Entry | undefined {
    const first = this.#entries[0];
    return first === undefined ? undefined : this.#entries[index - first.index];
  }

  /** Puts them at the end, replacing what has the same indexes or higher ones. */
  append(entries: readonly Entry[]): void {
    const next = entries[0];
    if (next === undefined) return;
    const first = this.#entries[0];
    if (first !== undefined) {
      const keep = next.index - first.index;
      if (keep < 0 || keep > this.#entries.length) this.clear();
      else for (const entry of this.#entries.splice(keep)) this.#bytes -= entry.data.length;
    }
    for (const entry of entries) {
      this.#entries.push(entry);
      this.#bytes += entry.data.length;
    }
    this.#evict();
  }

  dropUpTo(index: number): void {
    const first = this.#entries[0];
    if (first === undefined || first.index > index) return;
    for (const entry of this.#entries.splice(0, index - first.index + 1)) this.#bytes -= entry.data.length;
  }

  clear(): void {
    this.#entries = [];
    this.#bytes = 0;
  }

  /** Forgets a quarter when full, so that the cost of moving the rest is spread over many appends. */
  #evict(): void {
    if (this.#bytes <= this.#maxBytes) return;
    let count = 0;
    while (this.#bytes > (this.#maxBytes * 3) / 4 && count < this.#entries.length) {
      this.#bytes -= this.#entries[count++]?.data.length ?? 0;
    }
    this.#entries.splice(0, count);
  }
}
