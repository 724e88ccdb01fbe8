import { inodeNumber, type Numbers } from "../../meta/index.js";
import type { ReservedNumber } from "./early-predictions.js";

/** Numbers that are reserved for new inodes; each is used once. */
export class NumberRanges {
  readonly #ranges: Numbers[] = [];
  /** Of the first range. */
  #usedCount = 0;

  get left(): number {
    return this.#ranges.reduce((sum, { count }) => sum + count, -this.#usedCount);
  }

  /** The next one, which `use` uses up. */
  get next(): ReservedNumber | undefined {
    const [range] = this.#ranges;
    if (range === undefined) return undefined;
    const { firstInode, firstLease, inlineBytesMax } = range;
    const ino = inodeNumber(firstInode + this.#usedCount);
    return { ino, lease: firstLease + this.#usedCount, inlineBytesMax };
  }

  use(): void {
    const [range] = this.#ranges;
    this.#usedCount++;
    if (range === undefined || this.#usedCount < range.count) return;
    this.#ranges.shift();
    this.#usedCount = 0;
  }

  add(numbers: Numbers): void {
    this.#ranges.push(numbers);
  }

  clear(): void {
    this.#ranges.length = 0;
    this.#usedCount = 0;
  }
}
