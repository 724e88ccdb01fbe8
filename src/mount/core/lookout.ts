/** An answer of ours and the next question: a program that asks one after the other, and what it takes to wake us. */
const QUICK_MS = 0.3;
const CREDIT_MAX = 16;
const CREDIT_MIN = 4;
/** What a look that finds nothing costs: it pays only if four in five do. */
const MISS = 4;

/**
 * Whether it is worth looking for the next request for a moment, instead of sleeping until it comes. A program that asks
 * one question after the other (`ls -l`, `stat`, small reads) has the next one ready some 20 us after an answer; to fall asleep, and to be woken on
 * another processor, takes both sides longer than that, on virtual machines several times longer.
 */
export class Lookout {
  #credit = 0;
  #doneMs = Number.NEGATIVE_INFINITY;

  /** Everything that was asked is answered. */
  done(nowMs: number): void {
    this.#doneMs = nowMs;
  }

  /** A request came that nobody looked for. */
  came(nowMs: number): void {
    if (nowMs - this.#doneMs < QUICK_MS) this.#add(1);
  }

  get isWorthwhile(): boolean {
    return this.#credit >= CREDIT_MIN;
  }

  looked(hasFound: boolean): void {
    this.#add(hasFound ? 1 : -MISS);
  }

  #add(credit: number): void {
    this.#credit = Math.min(CREDIT_MAX, Math.max(0, this.#credit + credit));
  }
}
