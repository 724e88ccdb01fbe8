import type { LockKind, LockRange } from "../../meta/index.js";

/** A locked part of a file. */
export interface LockedRange extends LockRange {
  readonly kind: LockKind;
  readonly pid: number;
}

/** What an owner asks for a range: a kind of lock, or none. */
export interface RangeChange extends LockRange {
  readonly kind: LockKind | "none";
  readonly pid: number;
}

/**
 * What an owner has locked after a change. As fcntl has it: what was there in the range is replaced, what sticks out of
 * it stays, and neighbours of one kind become one. Ranges are in order, do not overlap, and are not empty.
 */
export function changedRanges(ranges: readonly LockedRange[], change: RangeChange): readonly LockedRange[] {
  const { kind, begin, end, pid } = change;
  const before: LockedRange[] = [];
  const after: LockedRange[] = [];
  for (const range of ranges) {
    if (range.begin < begin) before.push(range.end > begin ? { ...range, end: begin } : range);
    if (range.end > end) after.push(range.begin < end ? { ...range, begin: end } : range);
  }
  const here: LockedRange[] = kind === "none" ? [] : [{ kind, begin, end, pid }];
  return joined([...before, ...here, ...after]);
}

/** Whether the two have a byte in common. */
export function overlaps(a: LockRange, b: LockRange): boolean {
  return a.begin < b.end && b.begin < a.end;
}

/** The first of the ranges that another owner's lock of that kind cannot stand beside. */
export function conflictIn(
  ranges: readonly LockedRange[],
  wanted: LockRange & { readonly kind: LockKind },
): LockedRange | undefined {
  return ranges.find(
    (range) => overlaps(range, wanted) && (range.kind === "exclusive" || wanted.kind === "exclusive"),
  );
}

function joined(ranges: readonly LockedRange[]): LockedRange[] {
  const result: LockedRange[] = [];
  for (const range of ranges) {
    const last = result.at(-1);
    if (last !== undefined && last.end === range.begin && last.kind === range.kind && last.pid === range.pid)
      result[result.length - 1] = { ...last, end: range.end };
    else result.push(range);
  }
  return result;
}
