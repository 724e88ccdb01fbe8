import type { Prng } from "../../../src/base/index.js";
import type { Timer } from "../../../src/io/index.js";
import type { Simulator } from "./simulator.js";

interface Pending {
  readonly what: string;
  readonly run: () => void;
}

/**
 * One life of a simulated process: whatever calls into its code comes through here.
 *
 * Fault model: it can be stopped and continued (SIGSTOP: what happens meanwhile is handed over afterwards, in
 * order, timers late), and killed. After its death nothing is handed to it any more, its promises stay pending
 * for ever, and its handles have no effect on disk or network; so nothing of it leaks into the next life.
 */
export class SimProcess {
  readonly name: string;
  readonly simulator: Simulator;
  /** Chance of everything that belongs to this life. */
  readonly prng: Prng;
  readonly bornAtMs: number;
  #backlog: Pending[] = [];
  #isPaused = false;
  #isDraining = false;
  #isAlive = true;

  constructor(name: string, simulator: Simulator, prng: Prng) {
    this.name = name;
    this.simulator = simulator;
    this.prng = prng;
    this.bornAtMs = simulator.nowMs;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Calls into the process now, after it was continued, or never. */
  dispatch(what: string, run: () => void): void {
    if (!this.#isAlive) return;
    if (this.#isPaused || this.#isDraining) this.#backlog.push({ what, run });
    else run();
  }

  /** Calls into the process after a delay. */
  schedule(what: string, delayMs: number, run: () => void): Timer {
    if (!this.#isAlive) return { cancel: () => undefined };
    let isCancelled = false;
    const event = this.simulator.schedule(this.name, what, delayMs, () =>
      this.dispatch(what, () => {
        if (!isCancelled) run();
      }),
    );
    return {
      cancel: () => {
        isCancelled = true;
        event.cancel();
      },
    };
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#isDraining) this.#drain();
  }

  kill(): void {
    this.#isAlive = false;
    this.#backlog = [];
  }

  /** One thing per event, so that the microtasks of each run before the next. */
  #drain(): void {
    this.#isDraining = this.#backlog.length > 0;
    if (!this.#isDraining) return;
    this.simulator.schedule(this.name, "continues", 0, () => {
      if (!this.#isAlive) return;
      if (this.#isPaused) {
        this.#isDraining = false;
        return;
      }
      this.#backlog.shift()?.run();
      this.#drain();
    });
  }
}
