import type { ChunkId } from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import type { WaitKey } from "./core/command.js";

/** How long a wake is remembered: longer than any proposal takes to come back. */
const MEMORY_MS = 30_000;
const MEMORY_COUNT_MAX = 100_000;

interface Waiting {
  readonly key: WaitKey;
  readonly resumes: Set<() => void>;
}

/**
 * Requests that wait for a change of the state. A wake that happens between the answer `wait` and the call of
 * `wait` here is not lost: callers pass the moment (`now`) taken before they proposed.
 */
export class Waiters {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting>();
  /** Key to the number of its last wake, oldest first. */
  readonly #woken = new Map<string, { readonly number: number; readonly atMs: number }>();
  #number = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The present moment, in wakes. */
  get now(): number {
    return this.#number;
  }

  wake(key: WaitKey): void {
    const text = keyText(key);
    this.#woken.delete(text);
    this.#woken.set(text, { number: ++this.#number, atMs: this.#clock.monotonicMs() });
    this.#forget();
    const waiting = this.#waiting.get(text);
    this.#waiting.delete(text);
    for (const resume of waiting?.resumes ?? []) resume();
  }

  /** Somebody waits for that at this moment. */
  isWaitedFor(key: WaitKey): boolean {
    return this.#waiting.has(keyText(key));
  }

  /** The chunks that somebody waits for at this moment. */
  chunks(): ChunkId[] {
    return Array.from(this.#waiting.values(), ({ key }) => key).flatMap((key) =>
      key.type === "chunk" ? [key.chunkId] : [],
    );
  }

  /** Wakes everybody, for good: the requests must look at the world again. */
  wakeAll(): void {
    this.#number++;
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { resumes } of all) for (const resume of resumes) resume();
  }

  /** Resolves at the next wake of the key after the moment `since`, after `maxMs`, or when the signal aborts. */
  wait(key: WaitKey, since: number, maxMs: number, signal?: AbortSignal): Promise<void> {
    const text = keyText(key);
    if ((this.#woken.get(text)?.number ?? 0) > since || signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(text) ?? { key, resumes: new Set() };
      this.#waiting.set(text, waiting);
      const resume = (): void => {
        timer.cancel();
        signal?.removeEventListener("abort", resume);
        waiting.resumes.delete(resume);
        if (waiting.resumes.size === 0 && this.#waiting.get(text) === waiting) this.#waiting.delete(text);
        resolve();
      };
      const timer = this.#clock.after("mds.wait", maxMs, resume);
      waiting.resumes.add(resume);
      signal?.addEventListener("abort", resume, { once: true });
    });
  }

  #forget(): void {
    const oldestMs = this.#clock.monotonicMs() - MEMORY_MS;
    for (const [text, { atMs }] of this.#woken) {
      if (atMs >= oldestMs && this.#woken.size <= MEMORY_COUNT_MAX) return;
      this.#woken.delete(text);
    }
  }
}

function keyText(key: WaitKey): string {
  switch (key.type) {
    case "lease":
      return `lease ${key.ino}`;
    case "chunk":
      return `chunk ${key.chunkId}`;
    case "space":
      return "space";
  }
}
