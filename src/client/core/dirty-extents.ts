import { assert, concatBytes, defined } from "../../base/index.js";
import type { SlotMemory } from "./slot-memory.js";

/** Bytes of a file that belong together. */
export interface Extent {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A part of a file, `end` after its last byte. */
export interface Span {
  readonly begin: number;
  readonly end: number;
}

/** What was written in one piece, or one piece after the other. `bytes` has room for more. */
interface Run {
  readonly begin: number;
  end: number;
  bytes: Uint8Array;
}

/** One slot of the file: at most one batch of its bytes is on its way at any time, so that none overtakes another. */
interface Slot {
  readonly index: number;
  /** Written and not on their way, ascending, without overlap. */
  runs: Run[];
  dirtyCost: number;
  firstWriteMs: number;
  lastWriteMs: number;
  flying: readonly Extent[] | undefined;
  flyingCost: number;
  /** Batches that were sent off, and that have arrived. */
  takenCount: number;
  landedCount: number;
}

/** The least that a new run sets aside, bytes. */
const RUN_BYTES_MIN = 4096;
/** A piece as long as this at the beginning of a slot behind another one is part of a stream that will fill it. */
const STREAM_BYTES_MIN = 64 * 1024;
/**
 * What a run weighs besides its bytes: to send one by itself takes as long as to send so many bytes more. So whoever waits for
 * everything that was written waits no longer if it is in small pieces.
 */
export const RUN_COST = 12 << 10;

/**
 * Bytes of one file that were written here and are not in the cluster yet, in slots of a fixed size. A byte is `dirty`
 * until its slot is taken, then `flying` until it has landed; what is written meanwhile is dirty anew, on top of it.
 */
export class DirtyExtents {
  readonly #slotBytes: number;
  readonly #memory: SlotMemory;
  /** The one that became dirty first comes first. */
  readonly #slots = new Map<number, Slot>();
  #dirtyCost = 0;

  constructor(memory: SlotMemory) {
    assert(memory.slotBytes > 0, "a slot holds something");
    this.#slotBytes = memory.slotBytes;
    this.#memory = memory;
  }

  get isEmpty(): boolean {
    return this.#slots.size === 0;
  }

  /** What is dirty and not on its way, bytes. */
  get dirtyCost(): number {
    return this.#dirtyCost;
  }

  /** The slots that hold bytes, the oldest first. */
  slots(): Iterable<Readonly<Slot>> {
    return this.#slots.values();
  }

  slot(index: number): Readonly<Slot> | undefined {
    return this.#slots.get(index);
  }

  /** Takes a copy of the bytes, which lie in one slot. Returns by how much the cost of all grew. */
  write(offset: number, bytes: Uint8Array, nowMs: number): number {
    const index = Math.floor(offset / this.#slotBytes);
    const end = offset + bytes.length;
    assert(bytes.length > 0 && end <= (index + 1) * this.#slotBytes, "a write lies in one slot");
    const slot = this.#slots.get(index) ?? this.#begin(index, nowMs);
    if (slot.runs.length === 0) slot.firstWriteMs = nowMs;
    slot.lastWriteMs = nowMs;
    const before = slot.dirtyCost;
    let position = firstEndingAfter(slot.runs, offset - 1);
    for (let at = offset; at < end; ) {
      const run = slot.runs[position];
      const next = slot.runs[position + 1];
      if (run !== undefined && run.begin <= at && at <= run.end) {
        // Over what the run has, and behind it up to the next one.
        const to = Math.min(end, next?.begin ?? end);
        this.#put(slot, run, at, bytes.subarray(at - offset, to - offset));
        at = to;
        position++;
        continue;
      }
      const to = Math.min(end, run?.begin ?? end);
      const room = this.#roomFor(index, at, to);
      room.set(bytes.subarray(at - offset, to - offset));
      slot.runs.splice(position, 0, { begin: at, end: to, bytes: room });
      slot.dirtyCost += to - at + RUN_COST;
      at = to;
      position++;
    }
    const grown = slot.dirtyCost - before;
    this.#dirtyCost += grown;
    return grown;
  }

  /** Whether every byte of the slot is dirty. */
  isComplete(index: number): boolean {
    const runs = this.#slots.get(index)?.runs ?? [];
    let end = index * this.#slotBytes;
    for (const run of runs) {
      if (run.begin !== end) return false;
      end = run.end;
    }
    return end === (index + 1) * this.#slotBytes;
  }

  /** Sends the dirty bytes of a slot off, none of whose are on their way: pieces with gaps between them. */
  take(index: number): readonly Extent[] {
    const slot = defined(this.#slots.get(index), "only a slot that holds bytes is taken");
    assert(slot.flying === undefined && slot.runs.length > 0, "what was taken before has landed");
    slot.flying = extentsOf(slot.runs);
    slot.flyingCost = slot.dirtyCost;
    this.#dirtyCost -= slot.dirtyCost;
    slot.dirtyCost = 0;
    slot.runs = [];
    slot.takenCount++;
    return slot.flying;
  }

  /**
   * What was taken has arrived, or is given up. Returns its cost. `isDone`: nobody else looks at the bytes that were taken any more,
   * so that their memory may be used again.
   */
  landed(index: number, isDone: boolean): number {
    const slot = defined(this.#slots.get(index), "what lands was taken");
    const cost = slot.flyingCost;
    if (isDone) for (const { bytes } of slot.flying ?? []) this.#memory.giveBack(bytes);
    slot.flying = undefined;
    slot.flyingCost = 0;
    slot.landedCount++;
    if (slot.runs.length === 0) this.#slots.delete(index);
    return cost;
  }

  /** Forgets everything, also what is on its way. Returns the cost of all. */
  clear(): number {
    let cost = 0;
    for (const slot of this.#slots.values()) cost += slot.dirtyCost + slot.flyingCost;
    this.#slots.clear();
    this.#dirtyCost = 0;
    return cost;
  }

  /** The smallest part of the range that has all its bytes that are not here; undefined if all are. */
  gap(begin: number, end: number): Span | undefined {
    const spans = this.spans(begin, end);
    const first = spans[0];
    const last = spans.at(-1);
    const from = first?.begin === begin ? first.end : begin;
    if (from >= end) return undefined;
    return { begin: from, end: last?.end === end ? last.begin : end };
  }

  /** Puts the bytes that are here over those of the target, which begins at `begin` of the file. */
  overlay(target: Uint8Array, begin: number): void {
    const end = begin + target.length;
    this.#eachExtent(begin, end, ({ offset, bytes }) => {
      const from = Math.max(offset, begin);
      const to = Math.min(offset + bytes.length, end);
      target.set(bytes.subarray(from - offset, to - offset), from - begin);
    });
  }

  /** The parts of the range whose bytes are here, ascending, with gaps between them. */
  spans(begin: number, end: number): Span[] {
    const found: Span[] = [];
    this.#eachExtent(begin, end, ({ offset, bytes }) => {
      found.push({ begin: Math.max(begin, offset), end: Math.min(end, offset + bytes.length) });
    });
    found.sort((a, b) => a.begin - b.begin);
    const merged: { begin: number; end: number }[] = [];
    for (const span of found) {
      const last = merged.at(-1);
      if (last !== undefined && span.begin <= last.end) last.end = Math.max(last.end, span.end);
      else merged.push({ ...span });
    }
    return merged;
  }

  /** Visits what touches the range; what was written later comes later. */
  #eachExtent(begin: number, end: number, visit: (extent: Extent) => void): void {
    const last = Math.ceil(end / this.#slotBytes);
    const first = Math.floor(begin / this.#slotBytes);
    // A range of a huge sparse file may span more slots than there are.
    if (last - first > this.#slots.size) {
      const touched = [...this.#slots.values()].filter(({ index }) => index >= first && index < last);
      for (const slot of touched) eachInSlot(slot, begin, end, visit);
      return;
    }
    for (let index = first; index < last; index++) {
      const slot = this.#slots.get(index);
      if (slot !== undefined) eachInSlot(slot, begin, end, visit);
    }
  }

  /** Puts bytes into a run that they touch, and lengthens it if need be. */
  #put(slot: Slot, run: Run, at: number, bytes: Uint8Array): void {
    const end = at + bytes.length;
    if (end > run.end) {
      const needed = end - run.begin;
      if (needed > run.bytes.length) {
        const roomMax = (slot.index + 1) * this.#slotBytes - run.begin;
        const grown = new Uint8Array(Math.min(roomMax, 2 * needed));
        grown.set(run.bytes.subarray(0, run.end - run.begin));
        run.bytes = grown;
      }
      slot.dirtyCost += end - run.end;
      run.end = end;
    }
    run.bytes.set(bytes, at - run.begin);
  }

  /** For a run that begins with these bytes. */
  #roomFor(index: number, begin: number, end: number): Uint8Array {
    const isStream = begin === index * this.#slotBytes && end - begin >= STREAM_BYTES_MIN;
    if (isStream && this.#slots.has(index - 1)) return this.#memory.take();
    return new Uint8Array(
      Math.max(end - begin, Math.min(RUN_BYTES_MIN, (index + 1) * this.#slotBytes - begin)),
    );
  }

  #begin(index: number, nowMs: number): Slot {
    const slot: Slot = {
      index,
      runs: [],
      dirtyCost: 0,
      firstWriteMs: nowMs,
      lastWriteMs: nowMs,
      flying: undefined,
      flyingCost: 0,
      takenCount: 0,
      landedCount: 0,
    };
    this.#slots.set(index, slot);
    return slot;
  }
}

function eachInSlot(slot: Slot, begin: number, end: number, visit: (extent: Extent) => void): void {
  for (const extent of slot.flying ?? []) {
    if (extent.offset < end && extent.offset + extent.bytes.length > begin) visit(extent);
  }
  for (let i = firstEndingAfter(slot.runs, begin); ; i++) {
    const run = slot.runs[i];
    if (run === undefined || run.begin >= end) return;
    visit({ offset: run.begin, bytes: run.bytes.subarray(0, run.end - run.begin) });
  }
}

/** Position of the first run that ends after the offset. */
function firstEndingAfter(runs: readonly Run[], offset: number): number {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs[middle]?.end ?? 0) > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Runs that touch become one extent. */
function extentsOf(runs: readonly Run[]): Extent[] {
  const extents: Extent[] = [];
  for (let i = 0; i < runs.length; ) {
    const parts: Uint8Array[] = [];
    const offset = runs[i]?.begin ?? 0;
    let end = offset;
    for (let run = runs[i]; run !== undefined && run.begin === end; run = runs[++i]) {
      parts.push(run.bytes.subarray(0, run.end - run.begin));
      end = run.end;
    }
    const [only] = parts;
    extents.push({ offset, bytes: parts.length === 1 && only !== undefined ? only : concatBytes(...parts) });
  }
  return extents;
}
