import { assert } from "../../base/index.js";

/** What is settled: all below the number, but for a few, ascending. */
export interface Settled {
  readonly below: number;
  readonly except: readonly number[];
}

/**
 * Numbers from 1 up for things that are answered in any order, and which of them are still open. Of mutations
 * (`answeredBelow`) and of writes (`acknowledgedBelow`): servers forget everything that is settled.
 */
export class SequenceWindow {
  #last = 0;
  /** Ascending, as they were given out. */
  readonly #open = new Set<number>();

  next(): number {
    this.#open.add(++this.#last);
    return this.#last;
  }

  /** Everything before this number is settled. */
  get openFrom(): number {
    for (const first of this.#open) return first;
    return this.#last + 1;
  }

  /** The number will never be sent again. */
  settle(sequence: number): void {
    assert(sequence >= 1 && sequence <= this.#last, "only what was begun is settled");
    this.#open.delete(sequence);
  }

  /**
   * What is settled, up to the first open one among the last `recentCount` numbers. Older open ones are exceptions, as
   * long as they are not more than `exceptMax`.
   */
  settled(recentCount: number, exceptMax: number): Settled {
    const except: number[] = [];
    for (const open of this.#open) {
      if (open > this.#last - recentCount || except.length >= exceptMax) return { below: open, except };
      except.push(open);
    }
    return { below: this.#last + 1, except };
  }

  get openCount(): number {
    return this.#open.size;
  }
}
