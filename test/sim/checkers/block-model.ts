import { BLOCK_BYTES } from "../../../src/chunk/index.js";
import type { Model } from "./linearizability.js";

/** Where bytes of a block come from. Bytes of a file's position p are `bytes[p - offset]`. */
export interface Source {
  /** For people, and unique within the file: 0 for the zeros of the beginning. */
  readonly number: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** What happens to one block; `from` and `to` are within the block. */
export type BlockAction =
  | { readonly type: "set"; readonly from: number; readonly to: number; readonly source: Source }
  | { readonly type: "read"; readonly from: number; readonly to: number; readonly source: Source }
  /** Any byte may now be of any of these sources; which, the first read tells. */
  | { readonly type: "powerFailure"; readonly candidates: readonly Candidate[] };

/** A source that a byte of this range may have come to after loss of power. */
export interface Candidate {
  readonly from: number;
  readonly to: number;
  readonly source: Source;
}

/** A run of bytes up to `to` with one source, or with several possible ones. */
interface Segment {
  readonly to: number;
  readonly content: Source | readonly Candidate[];
}

export type BlockState = readonly Segment[];

/** Zeros, wherever they are in the file. */
export const ZEROS: Source = { number: 0, offset: 0, bytes: new Uint8Array(0) };

/**
 * One 4 KiB block of a file, read and written in any parts. Content is compared byte by byte, so it does not matter how the
 * writers made it, as long as they made it different.
 */
export class BlockModel implements Model<BlockState, BlockAction> {
  readonly initial: BlockState = [{ to: BLOCK_BYTES, content: ZEROS }];
  /** Of the block's first byte in the file. */
  readonly #start: number;

  constructor(index: number) {
    this.#start = index * BLOCK_BYTES;
  }

  step(state: BlockState, action: BlockAction): BlockState | undefined {
    switch (action.type) {
      case "set":
        return overlay(state, action.from, action.to, action.source);
      case "powerFailure":
        return [{ to: BLOCK_BYTES, content: action.candidates }];
      case "read":
        return this.#read(state, action.from, action.to, action.source);
    }
  }

  key(state: BlockState): string {
    return state
      .map(({ to, content }) => `${to}:${Array.isArray(content) ? "?" : (content as Source).number}`)
      .join(" ");
  }

  /** Undefined if the block did not hold what was read. What was uncertain is certain afterwards. */
  #read(state: BlockState, from: number, to: number, seen: Source): BlockState | undefined {
    let after = state;
    let at = 0;
    for (const { to: end, content } of state) {
      const low = Math.max(at, from);
      const high = Math.min(end, to);
      at = end;
      if (low >= high) continue;
      if (isUncertain(content)) {
        if (!this.#isPossible(content, low, high, seen)) return undefined;
        after = overlay(after, low, high, seen);
      } else if (!this.#isSame(content, low, high, seen)) {
        return undefined;
      }
    }
    return after;
  }

  #isSame(source: Source, from: number, to: number, seen: Source): boolean {
    const start = this.#start + from - seen.offset;
    const part = seen.bytes.subarray(start, start + to - from);
    if (source.number === 0) return part.every((byte) => byte === 0);
    const expected = this.#start + from - source.offset;
    return Buffer.compare(part, source.bytes.subarray(expected, expected + to - from)) === 0;
  }

  #isPossible(candidates: readonly Candidate[], from: number, to: number, seen: Source): boolean {
    for (let at = from; at < to; at++) {
      const byte = this.#byteOf(seen, at);
      const isKnown = candidates.some(
        (candidate) =>
          candidate.from <= at && at < candidate.to && this.#byteOf(candidate.source, at) === byte,
      );
      if (!isKnown) return false;
    }
    return true;
  }

  #byteOf({ number, bytes, offset }: Source, at: number): number {
    return number === 0 ? 0 : (bytes[this.#start + at - offset] ?? 0);
  }
}

function isUncertain(content: Segment["content"]): content is readonly Candidate[] {
  return Array.isArray(content);
}

/** The state with that range of one source. */
function overlay(state: BlockState, from: number, to: number, source: Source): BlockState {
  const result: Segment[] = [];
  const add = (segment: Segment, start: number): void => {
    if (segment.to <= start) return;
    const last = result.at(-1);
    if (last?.content === segment.content) result[result.length - 1] = segment;
    else result.push(segment);
  };
  let at = 0;
  let isIn = false;
  for (const segment of state) {
    if (segment.to > at && at < from) add({ ...segment, to: Math.min(segment.to, from) }, at);
    if (!isIn && segment.to >= from) {
      isIn = true;
      add({ to, content: source }, from);
    }
    if (segment.to > to) add(segment, Math.max(at, to));
    at = segment.to;
  }
  return result;
}
