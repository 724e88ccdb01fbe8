import { assert } from "../../base/index.js";

/**
 * Numbers from 1 up for things that are answered in any order, and the first of them that is still open. Of mutations
 * (`answeredBelow`) and of writes (`acknowledgedBelow`): servers forget everything before it.
 */
export class SequenceWindow {
  #last = 0;
  #openFrom = 1;
  readonly #settled = new Set<number>();

  next(): number {
    return ++this.#last;
  }

  /** Everything before this number is settled. */
  get openFrom(): number {
    return this.#openFrom;
  }

  /** The number will never be sent again. */
  settle(sequence: number): void {
    assert(sequence >= 1 && sequence <= this.#last, "only what was begun is settled");
    if (sequence < this.#openFrom) return;
    this.#settled.add(sequence);
    while (this.#settled.delete(this.#openFrom)) this.#openFrom++;
  }

  get openCount(): number {
    return this.#last - this.#openFrom + 1 - this.#settled.size;
  }
}
