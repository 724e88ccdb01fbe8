import { expect, test } from "vitest";
import { DirtyRegions } from "../../../../src/cs/core/dirty-regions.js";

/** How many writes into one region each had to wait for marks, which are durable at once otherwise. */
function countMisses(dirty: DirtyRegions, regions: readonly number[]): number {
  let misses = 0;
  for (const region of regions) {
    const { isReady, marks } = dirty.plan([region], 0);
    if (!isReady) misses++;
    dirty.durable(marks);
  }
  return misses;
}

/** Every number below the count once, in an order without a pattern. */
function jumping(count: number): number[] {
  return Array.from({ length: count }, (_, i) => (i * 149) % count);
}

test("a sequential writer waits for few marks", () => {
  const misses = countMisses(
    new DirtyRegions(256),
    Array.from({ length: 256 }, (_, region) => region),
  );

  expect(misses).toBeLessThanOrEqual(3);
});

test("a writer that jumps about waits for few marks", () => {
  const misses = countMisses(new DirtyRegions(256), jumping(256));

  expect(misses).toBeLessThanOrEqual(24);
});

test("a single write marks nothing but its own region", () => {
  const dirty = new DirtyRegions(256);

  const { marks } = dirty.plan([100], 0);

  expect(marks).toEqual([100]);
});

test("when everything has been cleaned, marks are few again", () => {
  const dirty = new DirtyRegions(256);
  countMisses(dirty, jumping(256));
  const all = dirty.cleanable(0);
  dirty.beginCleaning(all);
  dirty.endCleaning(all, true, 0);

  const { marks } = dirty.plan([100], 0);

  expect(all).toHaveLength(256);
  expect(marks).toEqual([100]);
});

test("no region beyond the end of the chunk is marked", () => {
  const dirty = new DirtyRegions(21);
  countMisses(dirty, jumping(20));
  countMisses(dirty, [20]);

  expect(Math.max(...dirty.toBitmap())).toBe(20);
});

test("a region is not cleaned while a change in it is under way, nor before it has been idle", () => {
  const dirty = new DirtyRegions(8);
  dirty.durable(dirty.plan([2], 0).marks);
  dirty.hold([2], 100);
  expect(dirty.cleanable(1_000)).toEqual([]);

  dirty.unhold([2], 200);

  expect([dirty.cleanable(199), dirty.cleanable(200)]).toEqual([[], [2]]);
});

test("a region that is written while it is being cleaned stays dirty", () => {
  const dirty = new DirtyRegions(8);
  dirty.durable(dirty.plan([2], 0).marks);
  dirty.beginCleaning([2]);
  dirty.hold([2], 100);

  expect(dirty.endCleaning([2], true, 0)).toEqual([]);
  expect(dirty.has(2)).toBe(true);
});

test("a region whose cleaning failed stays dirty", () => {
  const dirty = new DirtyRegions(8);
  dirty.durable(dirty.plan([2], 0).marks);
  dirty.beginCleaning([2]);

  expect(dirty.endCleaning([2], false, 0)).toEqual([]);
  expect(dirty.has(2)).toBe(true);
});

test("marks that could not be made durable are made again by whoever needs them", () => {
  const dirty = new DirtyRegions(8);
  const { marks, isReady } = dirty.plan([2], 0);
  dirty.unmark(marks);

  expect(isReady).toBe(false);
  expect(dirty.plan([2], 0).marks).toContain(2);
});

/** The region is written at that moment, and cleaned at that other one. */
function writeAndClean(dirty: DirtyRegions, region: number, writtenMs: number, cleanedMs: number): void {
  dirty.durable(dirty.plan([region], writtenMs).marks);
  dirty.beginCleaning([region]);
  dirty.endCleaning([region], true, cleanedMs);
}

test("regions that come back soon after they were cleaned are left alone for longer from then on", () => {
  const dirty = new DirtyRegions(256);
  writeAndClean(dirty, 7, 0, 2_000);
  const before = dirty.patience;

  writeAndClean(dirty, 7, 10_000, 12_000);

  expect([before, dirty.patience]).toEqual([1, 2]);
});

test("regions that come back late do not make others stay dirty", () => {
  const dirty = new DirtyRegions(256);
  writeAndClean(dirty, 7, 0, 2_000);

  writeAndClean(dirty, 7, 100_000, 102_000);

  expect(dirty.patience).toBe(1);
});

test("when nothing came back for a while, regions are cleaned as early as ever", () => {
  const dirty = new DirtyRegions(256);
  writeAndClean(dirty, 7, 0, 2_000);
  writeAndClean(dirty, 7, 10_000, 12_000);

  writeAndClean(dirty, 8, 100_000, 102_000);

  expect(dirty.patience).toBe(1);
});

test("a sequential writer of an empty chunk waits for no mark", () => {
  const dirty = new DirtyRegions(256);
  dirty.durable(dirty.begin(0));

  const misses = countMisses(
    dirty,
    Array.from({ length: 256 }, (_, region) => region),
  );

  expect(misses).toBe(0);
});

test("one small write to an empty chunk costs no second mark", () => {
  const dirty = new DirtyRegions(256);
  dirty.durable(dirty.begin(0));

  expect(dirty.plan([0], 0)).toEqual({ isReady: true, marks: [] });
});

test("regions that are only marked beside others do not count as used", () => {
  const dirty = new DirtyRegions(256);
  dirty.durable(dirty.begin(0));

  dirty.hold([0, 1], 0);

  expect([dirty.count, dirty.usedCount]).toEqual([16, 2]);
});
