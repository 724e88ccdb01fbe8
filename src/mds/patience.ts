import { storageError } from "../base/index.js";
import type { Clock } from "../io/index.js";

/** How long an answer may wait. */
export interface Patience {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** Resolves when `begin` calls back; fails at the end of the patience. */
export function waitFor(
  clock: Clock,
  endMs: number,
  signal: AbortSignal,
  begin: (then: () => void) => unknown,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      timer.cancel();
      signal.removeEventListener("abort", onAbort);
    };
    const onAbort = (): void => {
      stop();
      reject(storageError("timed_out", "another client has not dropped what it keeps"));
    };
    const timer = clock.after("mds.coherence", Math.max(0, endMs - clock.monotonicMs()), onAbort);
    signal.addEventListener("abort", onAbort, { once: true });
    begin(() => {
      stop();
      resolve();
    });
    if (signal.aborted) onAbort();
  });
}
