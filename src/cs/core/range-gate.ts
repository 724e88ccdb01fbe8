import { assert, defined } from "../../base/index.js";
import { type ChunkRange, overlap } from "../../chunk/index.js";

/**
 * What an operation on a range of a chunk does there:
 *
 * - `change` alters it: first it is stored here, then the rest of the chain acknowledges it and it leaves.
 * - `read` looks at it.
 * - `fill` puts in what a resynchronising replica fetched.
 */
export type RangeUse = "change" | "read" | "fill";

interface Operation {
  readonly use: RangeUse;
  readonly range: ChunkRange;
  isStored: boolean;
  /** Operations before it that it still waits for. */
  blockerCount: number;
  /** Changes and fills that wait until this change is stored. */
  readonly waitForStored: number[];
  /** Operations that wait until this one leaves. */
  readonly waitForLeave: number[];
}

/**
 * The order of operations on one chunk. Those that overlap begin in the order they came; others do not wait.
 *
 * A change or a fill begins when every overlapping earlier change is stored and every overlapping earlier read or
 * fill has left. A read begins when every overlapping earlier operation has left: it never sees a change that some
 * server of the chain may still lack, nor half of one. Nothing waits for a later operation, so nothing waits for
 * ever as long as the earliest one moves on.
 */
export class RangeGate {
  readonly #operations = new Map<number, Operation>();

  get size(): number {
    return this.#operations.size;
  }

  /** True if the operation may begin at once; otherwise its id is returned by a later `stored` or `leave`. */
  enter(id: number, use: RangeUse, range: ChunkRange): boolean {
    assert(!this.#operations.has(id), "an operation enters once");
    const operation: Operation = {
      use,
      range,
      isStored: false,
      blockerCount: 0,
      waitForStored: [],
      waitForLeave: [],
    };
    for (const earlier of this.#operations.values()) {
      if (!overlap(earlier.range, range)) continue;
      if (use !== "read" && earlier.use === "change") {
        if (earlier.isStored) continue;
        earlier.waitForStored.push(id);
      } else {
        earlier.waitForLeave.push(id);
      }
      operation.blockerCount++;
    }
    this.#operations.set(id, operation);
    return operation.blockerCount === 0;
  }

  /** A change is stored here. Returns the operations that may begin now. */
  stored(id: number): number[] {
    const operation = defined(this.#operations.get(id), "a stored change has entered");
    operation.isStored = true;
    return this.#unblock(operation.waitForStored.splice(0));
  }

  /** The operation is over, or was given up. Returns the operations that may begin now. */
  leave(id: number): number[] {
    const operation = this.#operations.get(id);
    if (operation === undefined) return [];
    this.#operations.delete(id);
    return this.#unblock([...operation.waitForStored, ...operation.waitForLeave]);
  }

  #unblock(ids: readonly number[]): number[] {
    return ids.filter((id) => {
      const operation = this.#operations.get(id);
      // It may have been given up while it waited.
      return operation !== undefined && --operation.blockerCount === 0;
    });
  }
}
