import type { Clock } from "../io/index.js";

/** For how long altogether something was under way, however much of it at a time. */
export class BusyTime {
  readonly #clock: Clock;
  #count = 0;
  #sinceMs = 0;
  #totalMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds since it was made; only grows. */
  get totalMs(): number {
    return this.#count === 0 ? this.#totalMs : this.#totalMs + this.#clock.monotonicMs() - this.#sinceMs;
  }

  /** Counts from now until what `act` began has ended, well or not. */
  async during<T>(act: () => Promise<T>): Promise<T> {
    if (this.#count++ === 0) this.#sinceMs = this.#clock.monotonicMs();
    try {
      return await act();
    } finally {
      if (--this.#count === 0) this.#totalMs += this.#clock.monotonicMs() - this.#sinceMs;
    }
  }
}
