import type { StorageError } from "../../../src/base/index.js";
import type { Clock, Timer } from "../../../src/io/index.js";
import type { Channel } from "../../../src/rpc/index.js";

/** A channel whose other end is the test. */
export class FakeChannel<Out, In> implements Channel<Out, In> {
  readonly peer = { address: "10.0.0.1:1", clusterId: "", hostId: "", roles: [] };
  readonly sent: Out[] = [];
  isClosed = false;
  isPaused = false;
  closedWith: StorageError | undefined;
  /** What `send` throws, if anything. */
  refusal: StorageError | undefined;
  #isClogged = false;
  #waiters: (() => void)[] = [];
  #onMessage: (message: In) => void = () => undefined;
  #onClose: (failure: StorageError | undefined) => void = () => undefined;

  send(message: Out): boolean {
    if (this.refusal !== undefined) throw this.refusal;
    this.sent.push(message);
    return !this.#isClogged;
  }

  drained(): Promise<void> {
    return this.#isClogged ? new Promise((resolve) => this.#waiters.push(resolve)) : Promise.resolve();
  }

  onMessage(handler: (message: In) => void): void {
    this.#onMessage = handler;
  }

  onClose(handler: (failure: StorageError | undefined) => void): void {
    this.#onClose = handler;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(failure?: StorageError): void {
    this.isClosed = true;
    this.closedWith = failure;
    this.#onClose(failure);
  }

  deliver(message: In): void {
    this.#onMessage(message);
  }

  clog(): void {
    this.#isClogged = true;
  }

  unclog(): void {
    this.#isClogged = false;
    for (const wake of this.#waiters.splice(0)) wake();
  }
}

/** Time that passes when the test says so. */
export class ManualClock implements Clock {
  #nowMs = 1000;
  #timers: { readonly atMs: number; readonly fire: () => void }[] = [];
  timerCount = 0;

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(_name: string, delayMs: number, fire: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, fire };
    this.timerCount++;
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  sleep(): Promise<void> {
    return Promise.resolve();
  }

  advance(timeMs: number): void {
    const endMs = this.#nowMs + timeMs;
    for (;;) {
      const [next] = this.#timers.filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = next.atMs;
      next.fire();
    }
    this.#nowMs = endMs;
  }
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
