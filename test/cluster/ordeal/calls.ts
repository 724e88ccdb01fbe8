import { setTimeout as sleep } from "node:timers/promises";
import { failureOf } from "../../../src/base/index.js";
import { PATIENCE_MS } from "./patience.js";

/**
 * Calls to the library while daemons fall: none may fail. Remembers how many there were and the longest one, and when
 * it was.
 */
export class Calls {
  readonly #beganMs = performance.now();
  readonly #underWay = new Map<symbol, { readonly what: string; readonly beganMs: number }>();
  #longest = { what: "nothing", ms: 0, atMs: 0 };
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get longestMs(): number {
    return this.#longest.ms;
  }

  /** The result of the call. A failure says which call it was and how long it took. */
  async run<T>(what: string, call: () => Promise<T>): Promise<T> {
    const key = Symbol(what);
    const beganMs = performance.now();
    this.#underWay.set(key, { what, beganMs });
    try {
      return await call();
    } catch (error) {
      const { code, detail } = failureOf(error) ?? { code: "no StorageError", detail: String(error) };
      const ms = Math.round(performance.now() - beganMs);
      throw new Error(`${what} failed after ${ms} ms: ${code}, ${detail}`, { cause: error });
    } finally {
      this.#underWay.delete(key);
      const ms = performance.now() - beganMs;
      this.#count++;
      if (ms > this.#longest.ms) this.#longest = { what, ms, atMs: beganMs - this.#beganMs };
    }
  }

  /** What is waited for now, for the message of a test that does not end. */
  waiting(): string {
    const now = performance.now();
    const lines = [...this.#underWay.values()].map(
      ({ what, beganMs }) => `${what} for ${Math.round(now - beganMs)} ms`,
    );
    return lines.length === 0 ? "nothing" : lines.join("; ");
  }

  toString(): string {
    const { what, ms, atMs } = this.#longest;
    return `${this.#count} calls, longest stall ${Math.round(ms)} ms (${what}, ${Math.round(atMs / 1000)} s after the beginning)`;
  }
}

/** The result of the work, or a failure that says what it was waiting for, if it takes longer than that. */
export async function inTime<T>(
  what: string,
  work: Promise<T>,
  timeoutMs: number,
  calls?: Calls,
): Promise<T> {
  const limit = new AbortController();
  const late = sleep(timeoutMs, undefined, { signal: limit.signal }).then(
    () => {
      const waiting = calls === undefined ? "" : `; waiting: ${calls.waiting()}`;
      throw new Error(`${what}: not done within ${timeoutMs} ms${waiting}`);
    },
    () => new Promise<never>(() => undefined),
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    limit.abort();
  }
}

/** Looks again and again until it is so; throws with the last thing seen. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > endMs)
      throw new Error(`it did not come true within ${timeoutMs} ms that ${what}`);
    await sleep(50);
  }
}
