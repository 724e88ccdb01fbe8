import { assert, failureOf } from "../base/index.js";
import type { Clock } from "../io/index.js";

/**
 * Work that is known by a key and done one key at a time, a few keys at once. A key added while its work is under
 * way is worked on once more. Work that says it is not finished is taken up again by the next `retry`. What it works with may be
 * closed while it goes on, if these were closed before.
 */
export class BackgroundJobs<Key extends string | number> {
  readonly #work: (key: Key) => Promise<boolean>;
  readonly #concurrencyMax: number;
  readonly #queue = new Set<Key>();
  readonly #running = new Map<Key, { again: boolean }>();
  readonly #unfinished = new Set<Key>();
  #isClosed = false;

  /** `work` resolves with true when there is nothing left to do for the key. It must not reject. */
  constructor(concurrencyMax: number, work: (key: Key) => Promise<boolean>) {
    assert(concurrencyMax > 0, "some work is done at a time");
    this.#work = work;
    this.#concurrencyMax = concurrencyMax;
  }

  get size(): number {
    return this.#queue.size + this.#running.size + this.#unfinished.size;
  }

  add(key: Key): void {
    const running = this.#running.get(key);
    if (running !== undefined) running.again = true;
    else this.#queue.add(key);
    this.#pump();
  }

  /** Takes up again what could not be finished. */
  retry(): void {
    for (const key of this.#unfinished) this.#queue.add(key);
    this.#unfinished.clear();
    this.#pump();
  }

  close(): void {
    this.#isClosed = true;
    this.#queue.clear();
    this.#unfinished.clear();
  }

  #pump(): void {
    for (const key of this.#queue) {
      if (this.#isClosed || this.#running.size >= this.#concurrencyMax) return;
      this.#queue.delete(key);
      void this.#run(key);
    }
  }

  async #run(key: Key): Promise<void> {
    const state = { again: false };
    this.#running.set(key, state);
    const isDone = await this.#work(key).catch((error: unknown) => this.#end(error));
    this.#running.delete(key);
    if (this.#isClosed) return;
    if (state.again) this.#queue.add(key);
    else if (!isDone) this.#unfinished.add(key);
    this.#pump();
  }

  #end(error: unknown): boolean {
    if (this.#isClosed && isClosedFailure(error)) return false;
    throw error;
  }
}

/**
 * Calls `beat` every `periodMs` until closed; a beat is over before the next begins. It must not reject, but because what it works
 * with is closed too.
 */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #name: string;
  readonly #periodMs: number;
  readonly #beat: (lateMs: number) => Promise<void>;
  #isClosed = false;

  constructor(clock: Clock, name: string, periodMs: number, beat: (lateMs: number) => Promise<void>) {
    this.#clock = clock;
    this.#name = name;
    this.#periodMs = periodMs;
    this.#beat = beat;
  }

  start(): void {
    const dueMs = this.#clock.monotonicMs() + this.#periodMs;
    this.#clock.after(this.#name, this.#periodMs, () => {
      if (this.#isClosed) return;
      const lateMs = this.#clock.monotonicMs() - dueMs;
      void this.#beat(lateMs).then(
        () => {
          if (!this.#isClosed) this.start();
        },
        (error: unknown) => {
          if (!this.#isClosed || !isClosedFailure(error)) throw error;
        },
      );
    });
  }

  close(): void {
    this.#isClosed = true;
  }
}

const isClosedFailure = (error: unknown): boolean => failureOf(error)?.code === "closed";
