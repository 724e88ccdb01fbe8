import { expect, test } from "vitest";
import { Reads } from "../../../src/raft/reads.js";

test("a read is decided by a round that was sent after it", () => {
  const reads = new Reads(200);
  reads.startRound(0);
  reads.wait(7, 40);
  expect(reads.confirm(1)).toEqual([]);

  reads.startRound(10);

  expect(reads.confirm(2)).toEqual([{ context: 7, index: 40 }]);
  expect(reads.confirm(2)).toEqual([]);
});

test("reads that come during a round share the next", () => {
  const reads = new Reads(200);
  reads.wait(1, 40);
  reads.startRound(0);
  reads.wait(2, 41);
  reads.wait(3, 42);
  expect([reads.isRoundUnderWay, reads.needsRound]).toEqual([true, true]);

  expect(reads.confirm(1).map(({ context }) => context)).toEqual([1]);
  reads.startRound(5);

  expect(reads.confirm(2).map(({ context }) => context)).toEqual([2, 3]);
  expect(reads.needsRound).toBe(false);
});

test("the lease runs from the sending of the latest confirmed round, not from its answer", () => {
  const reads = new Reads(200);
  reads.startRound(1000);
  reads.startRound(1100);
  expect(reads.hasLease(1110)).toBe(false);

  reads.confirm(1);

  expect(reads.hasLease(1199)).toBe(true);
  expect(reads.hasLease(1200)).toBe(false);
  reads.confirm(2);
  expect(reads.hasLease(1299)).toBe(true);
});

test("a lease that was given up does not come back", () => {
  const reads = new Reads(200);
  reads.giveUpLease();
  reads.startRound(1000);
  reads.confirm(1);

  expect(reads.hasLease(1001)).toBe(false);
});

test("aborting tells who was waiting", () => {
  const reads = new Reads(200);
  reads.wait(1, 40);
  reads.startRound(0);
  reads.wait(2, 40);

  expect(reads.abort()).toEqual([1, 2]);
  expect(reads.confirm(1)).toEqual([]);
});
