import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { type CallWatch, Promptness } from "../../src/io/real/promptness.js";
import { ThreadTimes } from "../../src/io/real/thread-times.js";

/** Calls that take as long as they say, on a clock of their own. */
class TimedCalls {
  nowMs = 1000;
  readonly promptness: Promptness;

  constructor(watch?: CallWatch) {
    this.promptness = new Promptness(() => this.nowMs, watch);
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
  [30, 3000],
  [900, 60_000],
])("after a call that took %d ms there is none for %d ms", (tookMs, pauseMs) => {
  const calls = new TimedCalls();

  calls.call(tookMs);

  expect(calls.pause()).toBe(pauseMs);
});

test("a disk that stalls again and again is left alone for a minute, and forgiven when it has been prompt for long", () => {
  const calls = new TimedCalls();
  const pauses = Array.from({ length: 5 }, () => {
    calls.call(6);
    for (let i = 0; i < 100; i++) calls.call(0.05);
    // A slow call that is no stall changes nothing of that.
    calls.call(1);
    calls.pause();
    calls.call(6);
    return Math.round(calls.pause());
  });
  expect(pauses).toEqual([2400, 38_400, 60_000, 60_000, 60_000]);

  for (let i = 0; i < 1000; i++) calls.call(0.05);
  calls.call(6);

  expect(Math.round(calls.pause())).toBe(600);
});

test("a call that only waited for the processor proves nothing", () => {
  const calls = new TimedCalls({ begin: () => undefined, blockedMs: () => 0 });

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

test("a thread that waited for something else than a processor was blocked", () => {
  const times = new ThreadTimes();

  times.begin();
  const beganMs = performance.now();
  execFileSync("sleep", ["0.05"]);

  expect(times.blockedMs(performance.now() - beganMs)).toBeGreaterThan(5);
});

test("a thread that was busy all the time was not blocked, however many others were", () => {
  const times = new ThreadTimes();

  times.begin();
  const beganMs = performance.now();
  while (performance.now() - beganMs < 200);

  // The kernel keeps the time on a processor in ticks of up to 10 ms.
  expect(times.blockedMs(performance.now() - beganMs)).toBeLessThan(25);
});
