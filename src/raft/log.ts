import { assert, defined } from "../base/index.js";
import type { Entry, SnapshotMeta } from "./message.js";
import type { LogReader } from "./ready.js";

/**
 * The log as the core sees it: what is durable, read through `LogReader`, and a tail in memory that is not known to
 * be durable yet.
 *
 * Invariants: `applied <= commit <= lastIndex`; entries at or below `commit` never change; `stable` is the last
 * index whose *present* entry is durable. A write that is still under way when its entries are replaced gets no
 * credit for the replaced ones, also when the same entries come back later: the store may yet overwrite them.
 */
export class RaftLog {
  readonly #reader: LogReader;
  /** Entries from `#stable + 1` on. */
  #tail: Entry[] = [];
  #stable: number;
  /** Tail entries below this index have been handed out for writing. */
  #handedOut: number;
  /** Writes under way, oldest first: number of the Ready and the last index it may be credited with. */
  readonly #writes: { readonly number: number; lastIndex: number }[] = [];
  /** Set while the log's new start is not durable: the reader still shows the old log. */
  #pendingStart: { readonly meta: SnapshotMeta; readonly number: number | undefined } | undefined;
  #commit: number;
  #applied: number;
  /** Last index handed out for applying. */
  #applying: number;

  constructor(reader: LogReader, commit: number, applied: number) {
    this.#reader = reader;
    this.#stable = reader.lastIndex();
    this.#handedOut = this.#stable + 1;
    const start = reader.start().index;
    assert(applied >= start, "the state machine holds everything before the log's start");
    this.#commit = Math.max(commit, applied);
    this.#applied = applied;
    this.#applying = applied;
    assert(this.#commit <= this.#stable, "what was committed or applied is in the log");
  }

  get commit(): number {
    return this.#commit;
  }

  get applied(): number {
    return this.#applied;
  }

  /** The last index whose present entry is durable here. */
  get stable(): number {
    return this.#stable;
  }

  get lastIndex(): number {
    return this.#stable + this.#tail.length;
  }

  get lastTerm(): number {
    return defined(this.termAt(this.lastIndex), "the last entry has a term");
  }

  /** The place before the first entry. */
  get start(): SnapshotMeta {
    return this.#pendingStart?.meta ?? this.#reader.start();
  }

  /** Term at the index, the start included; undefined when it is compacted away or not there yet. */
  termAt(index: number): number | undefined {
    if (index > this.#stable) return this.#tail[index - this.#stable - 1]?.term;
    if (this.#pendingStart === undefined) return this.#reader.termAt(index);
    return index === this.#pendingStart.meta.index ? this.#pendingStart.meta.term : undefined;
  }

  matches(index: number, term: number): boolean {
    return this.termAt(index) === term;
  }

  /** Whether a candidate with that last entry has everything that could be committed here. */
  isUpToDate(lastIndex: number, lastTerm: number): boolean {
    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);
  }

  /** Entries [from, to), at most `maxBytes` of data but at least one. Must not reach below the first entry. */
  entries(from: number, to: number, maxBytes: number): readonly Entry[] {
    const end = Math.min(to, this.lastIndex + 1);
    if (from >= end) return [];
    if (from > this.#stable) {
      const first = from - this.#stable - 1;
      return limitBytes(this.#tail.slice(first, end - this.#stable - 1), maxBytes);
    }
    const durable = this.#reader.entries(from, Math.min(end, this.#stable + 1), maxBytes);
    const reached = from + durable.length;
    if (reached <= this.#stable || reached >= end) return durable;
    return limitBytes([...durable, ...this.#tail.slice(0, end - this.#stable - 1)], maxBytes);
  }

  /** Puts the entries behind `entries[0].index - 1`, which must exist, and drops what was there. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    assert(first.index > this.#commit, "committed entries never change");
    assert(first.index <= this.lastIndex + 1, "the log has no gaps");
    if (first.index <= this.lastIndex) this.#truncate(first.index);
    for (const entry of entries) this.#tail.push(entry);
  }

  #truncate(index: number): void {
    for (const write of this.#writes) write.lastIndex = Math.min(write.lastIndex, index - 1);
    this.#handedOut = Math.min(this.#handedOut, index);
    if (index > this.#stable) {
      this.#tail.length = index - this.#stable - 1;
    } else {
      this.#stable = index - 1;
      this.#tail = [];
    }
  }

  /**
   * The highest place at or below `index` whose term is at most `term`: where two logs may still agree. Skips whole
   * terms, so that a conflict costs a message a term and not one an entry.
   */
  lastAtMost(index: number, term: number): { readonly index: number; readonly term: number } {
    let place = Math.min(index, this.lastIndex);
    const floor = this.start.index;
    for (; place > floor; place--) {
      const found = this.termAt(place);
      if (found === undefined) break;
      if (found <= term) return { index: place, term: found };
    }
    return { index: place, term: this.termAt(place) ?? 0 };
  }

  /** Moves the commit index up, never down. True if it moved. */
  commitTo(index: number): boolean {
    if (index <= this.#commit) return false;
    assert(index <= this.lastIndex, "only what is in the log can be committed");
    this.#commit = index;
    return true;
  }

  /** The log starts anew at a snapshot that the state machine has already restored. */
  restore(meta: SnapshotMeta): void {
    assert(meta.index > this.#commit, "a snapshot only leads forward");
    this.#writes.length = 0;
    this.#tail = [];
    this.#stable = meta.index;
    this.#handedOut = meta.index + 1;
    this.#pendingStart = { meta, number: undefined };
    this.#commit = meta.index;
    this.#applied = meta.index;
    this.#applying = meta.index;
  }

  /** The state machine jumped ahead by a snapshot of a place that this log already holds. */
  skipTo(index: number): void {
    this.commitTo(index);
    this.#applied = Math.max(this.#applied, index);
    this.#applying = Math.max(this.#applying, index);
  }

  /** Whether there is something to write that was not handed out. */
  get hasUnwritten(): boolean {
    return (
      this.#handedOut <= this.lastIndex ||
      (this.#pendingStart !== undefined && this.#pendingStart.number === undefined)
    );
  }

  /** Hands out what has to be written with the Ready of that number. */
  takeUnwritten(number: number): { snapshot: SnapshotMeta | undefined; entries: readonly Entry[] } {
    const pending = this.#pendingStart;
    const snapshot = pending !== undefined && pending.number === undefined ? pending.meta : undefined;
    if (snapshot !== undefined) this.#pendingStart = { meta: snapshot, number };
    const entries = this.#tail.slice(this.#handedOut - this.#stable - 1);
    if (entries.length > 0) {
      this.#handedOut = this.lastIndex + 1;
      this.#writes.push({ number, lastIndex: this.lastIndex });
    }
    return { snapshot, entries };
  }

  /** Everything handed out up to the Ready of that number is durable. */
  persisted(number: number): void {
    const pending = this.#pendingStart?.number;
    if (pending !== undefined && pending <= number) this.#pendingStart = undefined;
    let stable = this.#stable;
    for (
      let write = this.#writes[0];
      write !== undefined && write.number <= number;
      write = this.#writes[0]
    ) {
      stable = Math.max(stable, write.lastIndex);
      this.#writes.shift();
    }
    this.#tail.splice(0, stable - this.#stable);
    this.#stable = stable;
  }

  /** Whether committed entries can be handed out for applying. */
  get hasUnapplied(): boolean {
    return this.#applying < Math.min(this.#commit, this.#stable);
  }

  /** Hands out the next committed entries that are durable here. */
  takeUnapplied(maxBytes: number): readonly Entry[] {
    if (!this.hasUnapplied) return [];
    const end = Math.min(this.#commit, this.#stable) + 1;
    const entries = this.entries(this.#applying + 1, end, maxBytes);
    this.#applying += entries.length;
    return entries;
  }

  appliedTo(index: number): void {
    assert(index <= this.#applying, "only what was handed out can be applied");
    this.#applied = Math.max(this.#applied, index);
  }
}

/** A prefix of at most `maxBytes` of data, but at least one entry. */
export function limitBytes(entries: readonly Entry[], maxBytes: number): readonly Entry[] {
  let bytes = 0;
  for (const [position, entry] of entries.entries()) {
    bytes += entry.data.length;
    if (bytes > maxBytes && position > 0) return entries.slice(0, position);
  }
  return entries;
}
