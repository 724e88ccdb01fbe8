import { setMaxListeners } from "node:events";
import { assert, StorageError, storageError } from "../base/index.js";
import type { Clock } from "../io/index.js";

/** How long a call may wait. By default for ever: a cluster in trouble is waited for. */
export interface WaitOptions {
  /** Gives the call up with `cancelled`. What was sent may be carried out all the same. */
  readonly signal?: AbortSignal | undefined;
  /** Gives the call up with `timed_out`. */
  readonly timeoutMs?: number | undefined;
}

/** Runs `work` under one signal that stands for both ways to give up. */
export async function withinLimits<T>(
  clock: Clock,
  options: WaitOptions | undefined,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  const { signal, timeoutMs } = options ?? {};
  if (timeoutMs === undefined) return await untilAborted(signal, work);
  const limit = forMany(new AbortController());
  if (signal !== undefined) setMaxListeners(0, signal);
  const onAbort = (): void => limit.abort(storageError("cancelled", "the caller gave up"));
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener("abort", onAbort, { once: true });
  const timer = clock.after("client.timeout", timeoutMs, () => {
    limit.abort(storageError("timed_out", `not done within ${timeoutMs} ms`));
  });
  try {
    throwIfAborted(limit.signal);
    return await work(limit.signal);
  } catch (error) {
    // Whatever the work made of it, the reason it ended is the limit.
    if (error instanceof StorageError && limit.signal.aborted) throw abortFailure(limit.signal);
    throw error;
  } finally {
    timer.cancel();
    signal?.removeEventListener("abort", onAbort);
  }
}

/** The same with the caller's own signal: to make another one costs as much as a small request. */
async function untilAborted<T>(
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (signal === undefined) return await work(undefined);
  setMaxListeners(0, signal);
  try {
    throwIfAborted(signal);
    return await work(signal);
  } catch (error) {
    if (error instanceof StorageError && signal.aborted)
      throw storageError("cancelled", "the caller gave up");
    throw error;
  }
}

/** Its signal stands for many waits at once: that is no leak, and Node need not warn of it. */
export function forMany(controller: AbortController): AbortController {
  setMaxListeners(0, controller.signal);
  return controller;
}

/** Why the signal was aborted, as a failure. */
export function abortFailure(signal: AbortSignal): StorageError {
  const reason: unknown = signal.reason;
  return reason instanceof StorageError ? reason : storageError("cancelled", "the caller gave up", reason);
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortFailure(signal);
}

/** The outcome of the promise, unless the signal comes first. What the promise stands for goes on. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(abortFailure(signal));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise
      .then(resolve, reject)
      .finally(() => signal.removeEventListener("abort", onAbort))
      .catch(() => undefined);
  });
}

interface Waiter {
  readonly weight: number;
  readonly resolve: () => void;
}

/** Room for so much at a time: requests, or bytes. First come, first served; whoever finds no room waits. */
export class Room {
  readonly #capacity: number;
  readonly #waitingMax: number;
  readonly #waiters = new Set<Waiter>();
  #taken = 0;

  constructor(capacity: number, waitingMax = 65_536) {
    assert(capacity > 0, "there is room for something");
    this.#capacity = capacity;
    this.#waitingMax = waitingMax;
  }

  /** Whether `take` would find room at once. */
  has(weight: number): boolean {
    return this.#waiters.size === 0 && this.#fits(weight);
  }

  /** Resolves when there is room; the same weight must be given back. More than the capacity counts as all of it. */
  take(weight: number, signal?: AbortSignal): Promise<void> | undefined {
    throwIfAborted(signal);
    if (this.#waiters.size === 0 && this.#fits(weight)) {
      this.#taken += weight;
      return undefined;
    }
    if (this.#waiters.size >= this.#waitingMax) throw storageError("busy", "too many requests wait already");
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters.delete(waiter);
        if (signal !== undefined) reject(abortFailure(signal));
        this.#serve();
      };
      const waiter: Waiter = {
        weight,
        resolve: () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  give(weight: number): void {
    this.#taken -= weight;
    assert(this.#taken >= 0, "only what was taken is given back");
    this.#serve();
  }

  #serve(): void {
    for (const waiter of this.#waiters) {
      if (!this.#fits(waiter.weight)) return;
      this.#waiters.delete(waiter);
      this.#taken += waiter.weight;
      waiter.resolve();
    }
  }

  #fits(weight: number): boolean {
    return this.#taken === 0 || this.#taken + weight <= this.#capacity;
  }
}

/** One after the other, in the order of the calls. */
export class Turn {
  #last: Promise<unknown> = Promise.resolve();

  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

/** Wakes everybody who waits for something to change; they look again themselves. */
export class Wakeup {
  #waiting = new Set<() => void>();

  /** Resolves at the next `all`, or rejects by the signal. */
  next(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(abortFailure(signal));
        return;
      }
      const onAbort = (): void => {
        this.#waiting.delete(wake);
        if (signal !== undefined) reject(abortFailure(signal));
      };
      const wake = (): void => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.add(wake);
    });
  }

  all(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }
}
