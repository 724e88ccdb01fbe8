import { assert } from "../../base/index.js";

/** A read or a write of [begin, end) of a file. */
interface Claim {
  readonly id: number;
  readonly type: "read" | "write";
  readonly begin: number;
  readonly end: number;
  isGranted: boolean;
}

/**
 * Who may go on with which range of a file: whatever overlaps an earlier write waits until it is over. Reads do not
 * hold anything up, and ranges that do not touch never wait for each other.
 */
export class RangeLocks {
  /** In the order they were made. */
  readonly #claims = new Map<number, Claim>();
  #lastId = 0;

  /** `isGranted` false: the id will be among those that some `release` returns. */
  claim(
    type: "read" | "write",
    begin: number,
    end: number,
  ): { readonly id: number; readonly isGranted: boolean } {
    assert(begin >= 0 && end >= begin, "a range lies inside a file");
    const claim: Claim = { id: ++this.#lastId, type, begin, end, isGranted: false };
    claim.isGranted = !this.#mustWait(claim);
    this.#claims.set(claim.id, claim);
    return claim;
  }

  /** The claim is over, or given up; returns the ids of those that may go on now. */
  release(id: number): number[] {
    const released = this.#claims.get(id);
    if (released === undefined) return [];
    this.#claims.delete(id);
    if (released.type === "read") return [];
    const granted: number[] = [];
    for (const claim of this.#claims.values()) {
      if (claim.id < id || claim.isGranted || !overlap(claim, released) || this.#mustWait(claim)) continue;
      claim.isGranted = true;
      granted.push(claim.id);
    }
    return granted;
  }

  /** Whether a claim made now would be granted at once. */
  isFree(begin: number, end: number): boolean {
    if (this.#claims.size === 0) return true;
    for (const claim of this.#claims.values())
      if (claim.type === "write" && claim.begin < end && begin < claim.end) return false;
    return true;
  }

  get size(): number {
    return this.#claims.size;
  }

  #mustWait(claim: Claim): boolean {
    for (const earlier of this.#claims.values()) {
      if (earlier.id >= claim.id) return false;
      if (earlier.type === "write" && overlap(earlier, claim)) return true;
    }
    return false;
  }
}

function overlap(a: Claim, b: Claim): boolean {
  return a.begin < b.end && b.begin < a.end;
}
