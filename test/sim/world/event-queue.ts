import { defined } from "../../../src/base/index.js";

/** Something that will happen. Cancelling it twice, or after it happened, does nothing. */
export interface SimEvent {
  readonly dueMs: number;
  /** Order of scheduling: what was scheduled first happens first at equal times. */
  readonly sequence: number;
  readonly node: string;
  readonly what: string;
  readonly fire: () => void;
  isCancelled: boolean;
}

/** Events by time, then by order of scheduling: a binary heap. Cancelled ones are dropped when they come up. */
export class EventQueue {
  readonly #heap: SimEvent[] = [];

  push(event: SimEvent): void {
    this.#heap.push(event);
    let child = this.#heap.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.#isBefore(child, parent)) return;
      this.#swap(child, parent);
      child = parent;
    }
  }

  /** The next one, left in the queue. */
  peek(): SimEvent | undefined {
    while (this.#heap[0]?.isCancelled) this.#removeFirst();
    return this.#heap[0];
  }

  shift(): SimEvent | undefined {
    const first = this.peek();
    if (first !== undefined) this.#removeFirst();
    return first;
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= this.#heap.length) return;
      if (child + 1 < this.#heap.length && this.#isBefore(child + 1, child)) child++;
      if (!this.#isBefore(child, parent)) return;
      this.#swap(child, parent);
      parent = child;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const left = this.#at(a);
    const right = this.#at(b);
    return left.dueMs !== right.dueMs ? left.dueMs < right.dueMs : left.sequence < right.sequence;
  }

  #swap(a: number, b: number): void {
    const held = this.#at(a);
    this.#heap[a] = this.#at(b);
    this.#heap[b] = held;
  }

  #at(index: number): SimEvent {
    return defined(this.#heap[index], "the index is inside the heap");
  }
}
