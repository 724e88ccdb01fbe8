import { expect, test } from "vitest";
import { Progress } from "../../../src/raft/progress.js";

test("a probe sends one append and waits", () => {
  const progress = new Progress(5, 3);
  progress.sent(7);

  expect([progress.isPaused, progress.next]).toEqual([true, 5]);
  progress.resume();
  expect(progress.isPaused).toBe(false);
});

test("an answer to a probe opens the window", () => {
  const progress = new Progress(5, 3);
  progress.sent(7);

  expect(progress.accepted(7)).toBe(true);

  expect([progress.state, progress.match, progress.next]).toEqual(["replicate", 7, 8]);
});

test("a full window stops the sending until the oldest append is answered", () => {
  const progress = new Progress(1, 2);
  progress.accepted(0);
  progress.sent(3);
  progress.sent(5);
  expect([progress.isPaused, progress.mayCarryEntries, progress.next]).toEqual([true, false, 6]);

  progress.accepted(3);

  expect([progress.isPaused, progress.mayCarryEntries]).toEqual([false, true]);
});

test("a heartbeat's answer lets a member with a full window have one empty append", () => {
  const progress = new Progress(1, 1);
  progress.accepted(0);
  progress.sent(3);
  progress.resume();

  expect([progress.isPaused, progress.mayCarryEntries]).toEqual([false, false]);
  progress.sent(undefined);
  expect(progress.isPaused).toBe(true);
});

test("a rejection in the window goes back to what is certain", () => {
  const progress = new Progress(1, 4);
  progress.accepted(4);
  progress.sent(6);

  expect(progress.rejected(4, 2)).toBe(false);
  expect(progress.rejected(6, 5)).toBe(true);
  expect([progress.state, progress.next]).toEqual(["probe", 5]);
});

test("a rejected probe goes on at the hint, never below what is certain", () => {
  const progress = new Progress(9, 4);

  expect(progress.rejected(7, 3)).toBe(false);
  expect(progress.rejected(8, 3)).toBe(true);
  expect(progress.next).toBe(4);
  progress.rejected(3, 0);
  expect(progress.next).toBe(1);
});

test("during a snapshot nothing is sent; afterwards the entries behind it", () => {
  const progress = new Progress(2, 4);
  progress.startSnapshot(20);
  expect(progress.isPaused).toBe(true);
  expect(progress.rejected(1, 0)).toBe(false);

  progress.accepted(20);
  progress.endSnapshot(true);

  expect([progress.state, progress.next]).toEqual(["replicate", 21]);
});

test("after a snapshot that failed the member is probed where it was, once it is heard of", () => {
  const progress = new Progress(2, 4);
  progress.startSnapshot(20);
  progress.endSnapshot(false);

  expect([progress.state, progress.next, progress.isPaused]).toEqual(["probe", 1, true]);
});

test("a member counts as there in the period after the one it was heard of in, and no longer", () => {
  const progress = new Progress(1, 3);
  progress.isRecentlyActive = true;

  progress.beginPeriod();
  expect([progress.isRecentlyActive, progress.isActive]).toEqual([false, true]);
  progress.beginPeriod();
  expect(progress.isActive).toBe(false);
});
