import type { Clock } from "../io/index.js";

/** Spreads work over time: each piece begins when the ones before it have had their share. */
export class RateLimit {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number | undefined;
  #freeAtMs = 0;

  /** Without a rate nothing waits. */
  constructor(clock: Clock, bytesPerSecond: number | undefined) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
  }

  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === undefined) return;
    const nowMs = this.#clock.monotonicMs();
    const startMs = Math.max(nowMs, this.#freeAtMs);
    this.#freeAtMs = startMs + (bytes * 1000) / this.#bytesPerSecond;
    if (startMs > nowMs) await this.#clock.sleep("cs.fill.rate", startMs - nowMs, signal);
  }
}
