/**
 * So many things at the same time and no more. Whoever has something to start waits for a slot; what fails is told to
 * `onFailure` and does not stop the others.
 */
export class Slots {
  readonly #onFailure: (error: unknown) => void;
  readonly #waiting: (() => void)[] = [];
  #freeCount: number;

  constructor(count: number, onFailure: (error: unknown) => void) {
    this.#freeCount = count;
    this.#onFailure = onFailure;
  }

  /** Resolves when the work has begun, with a promise inside that resolves when it has ended, and never rejects. */
  async begin(work: () => Promise<void>): Promise<{ readonly ended: Promise<void> }> {
    if (this.#freeCount > 0) this.#freeCount--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return { ended: this.#run(work) };
  }

  async #run(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#onFailure(error);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#freeCount++;
      else next();
    }
  }
}
