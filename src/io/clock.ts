/** A timer that was set and can be called off. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/** Time, as a daemon may know it. Nothing else in the product reads a clock or sets a timer. */
export interface Clock {
  /** Milliseconds since some moment, with fractions; never goes back, unaffected by clock changes. */
  monotonicMs(): number;
  /** Milliseconds since 1970 UTC, with fractions; an operator may set it forwards or back. For stamps and logs only. */
  wallMs(): number;
  /** Runs `fire` once after `delayMs` of monotonic time, 0: when what has arrived by now was dealt with. `name` is for the simulator's trace. */
  after(name: string, delayMs: number, fire: () => void): Timer;
  /**
   * Resolves after `delayMs`, or at once when `signal` aborts (it never rejects: callers look at the
   * signal).
   */
  sleep(name: string, delayMs: number, signal?: AbortSignal): Promise<void>;
}
