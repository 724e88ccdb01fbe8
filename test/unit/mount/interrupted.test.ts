import { expect, test } from "vitest";
import type { Clock } from "../../../src/io/index.js";
import { givingUp } from "../../../src/mount/interrupted.js";

const TERM_CAUGHT = "ShdPnd:\t0000000000004000\nSigCgt:\t0000000000004000\n";
const TIMER_CAUGHT = "ShdPnd:\t0000000000002000\nSigCgt:\t0000000000002000\n";
const KILLED = "SigPnd:\t0000000000000100\n";

/** Time passes by sleeping. */
function world(statusAt: (ms: number) => string | undefined) {
  let nowMs = 0;
  const clock = {
    monotonicMs: () => nowMs,
    sleep: async (_name: string, ms: number) => {
      nowMs += ms;
    },
  } as unknown as Clock;
  const givesUp = givingUp(clock, async () => statusAt(nowMs));
  return { givesUp, now: () => nowMs };
}

test("who is killed gives up at once, also if that comes after a signal that means nothing", async () => {
  const { givesUp, now } = world((ms) => (ms < 500 ? TIMER_CAUGHT : KILLED));
  expect(await givesUp(7, new AbortController().signal)).toBe(true);
  expect(now()).toBe(500);
});

test("who is asked to end gives up after two seconds", async () => {
  const { givesUp, now } = world(() => TERM_CAUGHT);
  expect(await givesUp(7, new AbortController().signal)).toBe(true);
  expect(now()).toBe(2000);
});

test("a program that only has its timers goes on waiting until its request is answered", async () => {
  const over = new AbortController();
  const { givesUp, now } = world((ms) => {
    if (ms >= 60_000) over.abort();
    return TIMER_CAUGHT;
  });
  expect(await givesUp(7, over.signal)).toBe(false);
  expect(now()).toBeGreaterThanOrEqual(60_000);
});

test("who is gone, or cannot be seen from here, gives up", async () => {
  expect(await world(() => undefined).givesUp(7, new AbortController().signal)).toBe(true);
  expect(await world(() => TIMER_CAUGHT).givesUp(0, new AbortController().signal)).toBe(true);
});
