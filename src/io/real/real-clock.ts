import type { Clock, Timer } from "../clock.js";

/** The longest delay `setTimeout` takes; a longer one would fire at once. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** The clocks and timers of this machine. */
export class RealClock implements Clock {
  monotonicMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  after(_name: string, delayMs: number, fire: () => void): Timer {
    if (delayMs <= 0) {
      const soon = setImmediate(fire);
      return { cancel: () => clearImmediate(soon) };
    }
    const dueMs = this.monotonicMs() + delayMs;
    let handle: NodeJS.Timeout;
    const arm = (): void => {
      const remainingMs = dueMs - this.monotonicMs();
      handle = setTimeout(onTimeout, Math.min(Math.max(0, Math.ceil(remainingMs)), TIMEOUT_MS_MAX));
    };
    // Node counts from the start of the loop's turn and may fire a fraction of a millisecond early.
    const onTimeout = (): void => (this.monotonicMs() < dueMs ? arm() : fire());
    arm();
    return { cancel: () => clearTimeout(handle) };
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
