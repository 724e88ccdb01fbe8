import { RangeLocks } from "./core/range-locks.js";
import { abortable, throwIfAborted } from "./waiting.js";

/** Runs requests on one file side by side; only what overlaps an earlier write waits for it. */
export class RangeTurns {
  readonly #locks = new RangeLocks();
  readonly #granting = new Map<number, () => void>();

  /** Whether nothing stands in the way of who asks now, and is done in the same moment. */
  isFree(begin: number, end: number): boolean {
    return this.#locks.isFree(begin, end);
  }

  /** Runs `work` when nothing that was asked for earlier stands in its way. `end` is after the last byte. */
  async take<T>(
    type: "read" | "write",
    begin: number,
    end: number,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal);
    const { id, isGranted } = this.#locks.claim(type, begin, end);
    try {
      if (!isGranted)
        await abortable(new Promise<void>((resolve) => this.#granting.set(id, resolve)), signal);
      return await work();
    } finally {
      this.#granting.delete(id);
      for (const next of this.#locks.release(id)) this.#granting.get(next)?.();
    }
  }
}
