import { expect, test } from "vitest";
import { Promptness } from "../../src/io/real/promptness.js";

/** Calls that take as long as they say, on a clock of their own. */
class TimedCalls {
  nowMs = 1000;
  readonly promptness: Promptness;

  constructor(wasSlow?: () => boolean) {
    this.promptness = new Promptness(() => this.nowMs, wasSlow);
  }

  call(tookMs: number): void {
    this.promptness.run(() => {
      this.nowMs += tookMs;
    });
  }

  /** Milliseconds until it may be tried again. */
  pause(): number {
    const beganMs = this.nowMs;
    while (!this.promptness.mayTry) this.nowMs += 1;
    return this.nowMs - beganMs;
  }
}

test("calls that are answered from memory are made in place all the time", () => {
  const calls = new TimedCalls();

  for (let i = 0; i < 1000; i++) calls.call(0.05);

  expect(calls.pause()).toBe(0);
});

test.each([
  [0.5, 50],
  [3, 300],
  [30, 60_000],
])("after a call that took %d ms there is none for %d ms", (tookMs, pauseMs) => {
  const calls = new TimedCalls();

  calls.call(tookMs);

  expect(calls.pause()).toBe(pauseMs);
});

test("a call that only waited for the processor proves nothing", () => {
  const calls = new TimedCalls(() => false);

  calls.call(30);

  expect(calls.pause()).toBe(0);
});

test("a call that fails counts by its time", () => {
  const calls = new TimedCalls();

  expect(() =>
    calls.promptness.run(() => {
      calls.nowMs += 30;
      throw new Error("EIO");
    }),
  ).toThrow("EIO");

  expect(calls.promptness.mayTry).toBe(false);
});
