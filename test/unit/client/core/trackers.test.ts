import { describe, expect, test } from "vitest";
import { LeaseClock } from "../../../../src/client/core/lease-clock.js";
import { SequenceWindow } from "../../../../src/client/core/sequence-window.js";
import { SizeTracker } from "../../../../src/client/core/size-tracker.js";
import { SyncTracker } from "../../../../src/client/core/sync-tracker.js";

const at = (seconds: number) => ({ seconds, nanos: 0 });

describe("the clock of a lease", () => {
  test("ends before a term counted from the sending of the last answered message", () => {
    const lease = new LeaseClock();
    expect(lease.isValid(0)).toBe(false);
    lease.renew(1000, 15_000);

    expect(lease.isValid(1000 + 13_499)).toBe(true);
    expect(lease.isValid(1000 + 13_500)).toBe(false);
  });

  test("an answer that comes late does not shorten what a later one gave", () => {
    const lease = new LeaseClock();
    lease.renew(2000, 15_000);
    lease.renew(1000, 15_000);
    expect(lease.validUntilMs).toBe(15_500);
  });

  test("a session that is over allows nothing until the next one", () => {
    const lease = new LeaseClock();
    lease.renew(0, 15_000);
    lease.end();
    expect(lease.isValid(1)).toBe(false);
    lease.renew(10, 15_000);
    expect(lease.isValid(11)).toBe(true);
  });

  test("two keep-alives in a row may fail before the lease is over", () => {
    const lease = new LeaseClock();
    lease.renew(0, 15_000);
    expect(2 * lease.keepAliveMs + lease.answerMs).toBeLessThan(lease.validUntilMs);
  });
});

describe("a window of sequences", () => {
  test("everything before it is settled, and its first is not", () => {
    const window = new SequenceWindow();
    const [a, b, c] = [window.next(), window.next(), window.next()];
    expect(window.openFrom).toBe(a);
    window.settle(b);
    expect(window.openFrom).toBe(a);
    window.settle(a);
    expect(window.openFrom).toBe(c);
    window.settle(c);
    window.settle(c);
    expect(window.openFrom).toBe(4);
    expect(window.openCount).toBe(0);
  });

  test("an old one that is still open does not hold back what is settled behind it", () => {
    const window = new SequenceWindow();
    for (let i = 0; i < 20; i++) window.next();
    for (let i = 1; i <= 20; i++) if (![2, 5, 17].includes(i)) window.settle(i);
    expect(window.settled(20, 9)).toEqual({ below: 2, except: [] });
    expect(window.settled(5, 9)).toEqual({ below: 17, except: [2, 5] });
    expect(window.settled(5, 1)).toEqual({ below: 5, except: [2] });
    expect(window.settled(1, 9)).toEqual({ below: 21, except: [2, 5, 17] });
  });
});

describe("size and times", () => {
  test("what was written here and not reported outweighs what the MDS says", () => {
    const sizes = new SizeTracker(10, at(1));
    sizes.wrote(20, at(2));
    sizes.learn(10, at(1));
    expect([sizes.sizeBytes, sizes.isDirty]).toEqual([20, true]);
  });

  test("a report covers what was written before it and nothing after it", () => {
    const sizes = new SizeTracker(0, at(1));
    sizes.wrote(5, at(2));
    const report = sizes.report();
    sizes.wrote(7, at(3));
    sizes.confirmed(report);
    expect(sizes.isDirty).toBe(true);
    sizes.confirmed(sizes.report());
    expect(sizes.isDirty).toBe(false);
    sizes.learn(3, at(9));
    expect(sizes.sizeBytes).toBe(3);
  });

  test("how much was written is told once: with the report that is confirmed", () => {
    const sizes = new SizeTracker(0, at(1));
    sizes.wrote(5, at(2), 5);
    expect(sizes.report().writtenBytes).toBe(5);
    const report = sizes.report();
    sizes.wrote(7, at(3), 2);
    sizes.confirmed(report);
    expect(sizes.report().writtenBytes).toBe(2);
    sizes.set(0, at(4));
    expect(sizes.unreportedBytes).toBe(0);
  });

  test("where others could write too the size is what the MDS says, and a time not told yet stays", () => {
    const sizes = new SizeTracker(100, at(1));
    sizes.wrote(0, at(5));
    sizes.adopt(3000, at(4));
    expect([sizes.sizeBytes, sizes.mtime, sizes.isDirty]).toEqual([3000, at(5), true]);
    sizes.confirmed(sizes.report());
    sizes.adopt(7, at(6));
    expect([sizes.sizeBytes, sizes.mtime]).toEqual([7, at(6)]);
  });

  test("a write inside the file does not make it shorter", () => {
    const sizes = new SizeTracker(100, at(1));
    sizes.wrote(10, at(2));
    expect(sizes.sizeBytes).toBe(100);
  });
});

describe("chunks that are not synced", () => {
  test("a chunk stays unsynced until a sync that began after its last write has ended", () => {
    const syncs = new SyncTracker();
    syncs.wrote(3);
    const [first] = syncs.pending();
    // A second caller while the first sync is under way must wait for one of its own.
    expect(syncs.pending()).toHaveLength(1);
    syncs.wrote(3);
    if (first !== undefined) syncs.synced(first);
    expect(syncs.isClean).toBe(false);
    for (const pending of syncs.pending()) syncs.synced(pending);
    expect(syncs.isClean).toBe(true);
  });

  test("what a truncation cut off needs no sync", () => {
    const syncs = new SyncTracker();
    syncs.wrote(0);
    syncs.wrote(1);
    syncs.forgetFrom(1);
    expect(syncs.pending().map(({ index }) => index)).toEqual([0]);
  });
});
