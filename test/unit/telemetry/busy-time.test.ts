import { expect, test } from "vitest";
import { BusyTime } from "../../../src/telemetry/index.js";
import { ManualClock } from "../rpc/fake-channel.js";

test("time in which several things are under way counts once, and idle time not at all", async () => {
  const clock = new ManualClock();
  const busy = new BusyTime(clock);
  const ends: (() => void)[] = [];
  const begin = (): Promise<void> => busy.during(() => new Promise<void>((resolve) => ends.push(resolve)));
  const first = begin();
  clock.advance(10);
  const second = begin();
  clock.advance(10);
  ends[0]?.();
  await first;
  clock.advance(5);
  expect(busy.totalMs).toBe(25);
  ends[1]?.();
  await second;
  clock.advance(100);
  expect(busy.totalMs).toBe(25);
});

test("what fails ends, too", async () => {
  const clock = new ManualClock();
  const busy = new BusyTime(clock);
  await expect(busy.during(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  clock.advance(100);
  expect(busy.totalMs).toBe(0);
});
