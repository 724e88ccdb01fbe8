import type { Clock, Timer } from "../../../src/io/index.js";
import type { SimProcess } from "./sim-process.js";

/** What is wrong with the clock of a host. Everything may be changed while it runs, except the rate. */
export interface ClockFaults {
  /** Monotonic milliseconds per millisecond of virtual time, fixed for a life of the process. */
  rate: number;
  /** The operator's clock is that far from the truth. */
  wallSkewMs: number;
  /** A timer fires up to that much late, as on a busy machine. */
  latenessMsMax: number;
}

/** The wall clock at the start of every run: 2026-01-01. */
const EPOCH_MS = 1_767_225_600_000;

/**
 * The clock of one life of a process.
 *
 * Fault model: monotonic time starts anew with every life and may run fast or slow; wall time may be wrong and
 * jump either way; timers fire late but never early; timers of a dead process never fire.
 */
export class SimClock implements Clock {
  readonly #process: SimProcess;
  readonly #faults: ClockFaults;
  readonly #rate: number;

  constructor(process: SimProcess, faults: ClockFaults) {
    this.#process = process;
    this.#faults = faults;
    this.#rate = faults.rate;
  }

  monotonicMs(): number {
    return (this.#process.simulator.nowMs - this.#process.bornAtMs) * this.#rate;
  }

  wallMs(): number {
    return EPOCH_MS + this.#process.simulator.nowMs + this.#faults.wallSkewMs;
  }

  after(name: string, delayMs: number, fire: () => void): Timer {
    const { latenessMsMax } = this.#faults;
    const latenessMs = latenessMsMax > 0 ? this.#process.prng.float() * latenessMsMax : 0;
    // A clock that is off gets a little more, because its numbers are rounded.
    const roundingMs = this.#rate === 1 ? 0 : 0.002;
    const realDelayMs = Math.max(0, delayMs) / this.#rate + latenessMs + roundingMs;
    return this.#process.schedule(`timer ${name}`, realDelayMs, fire);
  }

  sleep(name: string, delayMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const finish = (): void => {
        timer.cancel();
        signal?.removeEventListener("abort", finish);
        resolve();
      };
      const timer = this.after(name, delayMs, finish);
      signal?.addEventListener("abort", finish, { once: true });
    });
  }
}
