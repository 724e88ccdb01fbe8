import { expect, test } from "vitest";
import { blockFate } from "../../../../src/cs/core/block-fate.js";
import {
  begun,
  begunWhenDue,
  decodeRound,
  encodeRound,
  ended,
  isSuspicious,
  NO_ROUND,
  pauseMs,
  yieldMsMax,
} from "../../../../src/cs/core/scrub-round.js";

const ORDERS = { periodMs: 1_000_000, bytesPerSecond: 10 * 2 ** 20 };

test("servers that were made together begin their first rounds at different times, all within a period", () => {
  const due = [1025, 1026, 1027, 1028].map((id) => begunWhenDue(NO_ROUND, ORDERS, 5_000, id).dueMs);

  expect(new Set(due.map((ms) => Math.round(ms / 100_000))).size).toBe(4);
  for (const ms of due) expect(ms > 5_000 && ms < 1_005_000).toBe(true);
});

test("a round begins when it is due, and the next one a period after it began", () => {
  const waiting = { ...NO_ROUND, dueMs: 10_000 };

  expect(begunWhenDue(waiting, ORDERS, 9_999, 1025)).toBe(waiting);
  const round = begunWhenDue(waiting, ORDERS, 10_000, 1025);
  expect(round).toMatchObject({ isRunning: true, beganMs: 10_000, dueMs: 1_010_000, doneChunkId: 0 });
  const over = ended(round, 600_000);
  expect(begunWhenDue(over, ORDERS, 1_009_999, 1025)).toBe(over);
  expect(begunWhenDue(over, ORDERS, 1_010_000, 1025)).toMatchObject({ isRunning: true, beganMs: 1_010_000 });
});

test("a wall clock that was far ahead delays the next round by a period at most", () => {
  const round = begunWhenDue({ ...NO_ROUND, dueMs: 10 ** 12 }, ORDERS, 1_000, 1025);

  expect(round.dueMs).toBe(1_001_000);
});

test("without a period nothing begins by itself, and what runs goes on", () => {
  const never = { ...ORDERS, periodMs: 0 };

  expect(begunWhenDue({ ...NO_ROUND, dueMs: 1 }, never, 1_000_000, 1025).isRunning).toBe(false);
  expect(begunWhenDue(begun(NO_ROUND, never, 5), never, 6, 1025).isRunning).toBe(true);
});

test("a disk is suspicious until a whole round found nothing", () => {
  const found = { ...begun(NO_ROUND, ORDERS, 1), damagedCount: 3 };
  const next = begun(ended(found, 2), ORDERS, 3);

  expect([found, ended(found, 2), next, ended(next, 4)].map(isSuspicious)).toEqual([true, true, true, false]);
  // Begun anew, a round does not wash away what it had found.
  expect(isSuspicious(begun(found, ORDERS, 3))).toBe(true);
});

test("a piece is followed by a pause that keeps to the rate, and stands back longer than that for clients", () => {
  expect(pauseMs(2 ** 20, ORDERS)).toBe(100);
  expect(yieldMsMax(2 ** 20, ORDERS)).toBe(1_000);
  expect(pauseMs(2 ** 30, { ...ORDERS, bytesPerSecond: 1 })).toBe(60_000);
});

test("a round is found again as it was kept, and anything else begins anew", () => {
  const round = { ...begun(NO_ROUND, ORDERS, 77), doneChunkId: 12, checkedBytes: 5, damagedCount: 1 };

  expect(decodeRound(encodeRound(round))).toEqual(round);
  for (const text of [undefined, "", "{", "[]", "7", "null", '{"beganMs":-1,"doneChunkId":"x"}']) {
    expect(decodeRound(text)).toEqual(NO_ROUND);
  }
});

test("a replica is filled anew only where somebody has other bytes, never where its bytes may be all there is", () => {
  expect(blockFate([], false)).toBe("lost");
  expect(blockFate(["damaged", "damaged"], false)).toBe("lost");
  expect(blockFate(["damaged", "absent"], false)).toBe("postponed");
  expect(blockFate(["absent", "different"], false)).toBe("strange");
  expect(blockFate([], true)).toBe("lost");
  expect(blockFate(["damaged"], true)).toBe("strange");
});
