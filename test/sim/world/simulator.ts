import { assert, Prng } from "../../../src/base/index.js";
import { EventQueue, type SimEvent } from "./event-queue.js";

export interface SimulatorOptions {
  /** The same seed and the same program give the same run, event by event. */
  readonly seed: number;
  /** Called with one line per event: virtual milliseconds, node, what. */
  readonly trace?: ((line: string) => void) | undefined;
  /** A run with more events than this fails; default 20 million. */
  readonly eventCountMax?: number | undefined;
}

export interface WaitOptions {
  /** Virtual time after which waiting fails; default ten minutes. */
  readonly timeoutMs?: number | undefined;
}

/** Events fired in one turn of Node's loop; see `#fireSome`. */
const EVENTS_PER_TURN = 64;
const TIMEOUT_MS_DEFAULT = 600_000;
/** Times are multiples of a power of two, so that sums and differences are exact and no timer fires early by a rounding. */
const TICKS_PER_MS = 1024;

/**
 * Virtual time: a queue of events, fired one after the other as fast as the machine can.
 *
 * Determinism rests on one rule: after an event, every microtask and `process.nextTick` it caused runs to the
 * end before the next event. Node guarantees that between two `setImmediate` callbacks, however deep the chains
 * of promises are. The code under simulation therefore must not touch anything that completes in a real turn of
 * the loop (timers, sockets, files, `crypto.subtle`, thread-pool `zlib`); then the order of everything depends on
 * the queue alone, and the queue on the seed.
 *
 * An error thrown by an event stops the run and is thrown by whoever drives it.
 */
export class Simulator {
  /** Chance for the simulator's parts; they fork their own streams from it. */
  readonly prng: Prng;
  readonly seed: number;
  readonly #queue = new EventQueue();
  readonly #trace: ((line: string) => void) | undefined;
  readonly #eventCountMax: number;
  #nowMs = 0;
  #sequence = 0;
  #eventCount = 0;
  #isDriven = false;

  constructor(options: SimulatorOptions) {
    this.seed = options.seed;
    this.prng = new Prng(options.seed);
    this.#trace = options.trace;
    this.#eventCountMax = options.eventCountMax ?? 20_000_000;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Whether anybody reads the notes: making them may cost more than what they tell of. */
  get isTraced(): boolean {
    return this.#trace !== undefined;
  }

  /** Events fired so far. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** Lets something happen later; at equal times what was scheduled first happens first. */
  schedule(node: string, what: string, delayMs: number, fire: () => void): { cancel(): void } {
    assert(delayMs >= 0, "nothing happens in the past");
    const dueMs = this.#nowMs + Math.ceil(delayMs * TICKS_PER_MS) / TICKS_PER_MS;
    const event: SimEvent = { dueMs, sequence: this.#sequence++, node, what, fire, isCancelled: false };
    this.#queue.push(event);
    return {
      cancel: () => {
        event.isCancelled = true;
      },
    };
  }

  /** Adds a line to the trace that is not an event: an injected fault, a step of a workload. */
  note(node: string, what: string): void {
    this.#trace?.(`${this.#nowMs.toFixed(3).padStart(12)} ${node.padEnd(10)} ${what}`);
  }

  /** Lets that much virtual time pass. */
  async runFor(durationMs: number): Promise<void> {
    const endMs = this.#nowMs + Math.ceil(durationMs * TICKS_PER_MS) / TICKS_PER_MS;
    await this.#drive(() => false, endMs);
    this.#nowMs = endMs;
  }

  /** Fires events until the condition holds. Fails when nothing is left to do, or too much time has passed. */
  async runUntil(condition: () => boolean, what: string, options: WaitOptions = {}): Promise<void> {
    const timeoutMs = options.timeoutMs ?? TIMEOUT_MS_DEFAULT;
    const outcome = await this.#drive(condition, this.#nowMs + timeoutMs);
    if (outcome === "done") return;
    const reason =
      outcome === "idle" ? "nothing is left to do" : `${timeoutMs} ms of virtual time have passed`;
    throw new Error(
      `seed ${this.seed} at ${this.#nowMs.toFixed(3)} ms: ${reason}, still waiting for ${what}`,
    );
  }

  /** Fires events until the promise is settled, and gives its result. */
  async run<T>(promise: Promise<T>, what: string, options: WaitOptions = {}): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    await this.runUntil(() => isSettled, what, options);
    return await promise;
  }

  async #drive(isDone: () => boolean, untilMs: number): Promise<"done" | "idle" | "late"> {
    assert(!this.#isDriven, "one caller drives the simulator at a time");
    this.#isDriven = true;
    try {
      for (;;) {
        const outcome = await this.#fireSome(isDone, untilMs);
        if (outcome !== undefined) return outcome;
      }
    } finally {
      this.#isDriven = false;
    }
  }

  /** Several immediates of one turn: Node drains the microtasks between them, and a turn costs more than they do. */
  #fireSome(isDone: () => boolean, untilMs: number): Promise<"done" | "idle" | "late" | undefined> {
    return new Promise((resolve, reject) => {
      let outcome: "done" | "idle" | "late" | undefined;
      let remaining = EVENTS_PER_TURN;
      let isOver = false;
      const step = (): void => {
        remaining--;
        if (isOver) return;
        try {
          outcome = this.#step(isDone, untilMs);
        } catch (error) {
          isOver = true;
          reject(error);
          return;
        }
        if (outcome === undefined && remaining > 0) return;
        isOver = true;
        resolve(outcome);
      };
      for (let i = 0; i < EVENTS_PER_TURN; i++) setImmediate(step);
    });
  }

  #step(isDone: () => boolean, untilMs: number): "done" | "idle" | "late" | undefined {
    if (isDone()) return "done";
    const next = this.#queue.peek();
    if (next === undefined) return "idle";
    if (next.dueMs > untilMs) return "late";
    this.#queue.shift();
    this.#nowMs = next.dueMs;
    if (++this.#eventCount > this.#eventCountMax) {
      throw new Error(`seed ${this.seed}: more than ${this.#eventCountMax} events, the last: ${next.what}`);
    }
    if (this.#trace !== undefined) this.note(next.node, next.what);
    next.fire();
    return undefined;
  }
}
