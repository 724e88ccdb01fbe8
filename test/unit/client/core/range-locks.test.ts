import { expect, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { RangeLocks } from "../../../../src/client/core/range-locks.js";

test("what overlaps an earlier write waits for it, and nothing else does", () => {
  const locks = new RangeLocks();
  const first = locks.claim("write", 0, 10);
  const second = locks.claim("write", 5, 15);
  const read = locks.claim("read", 12, 20);
  const apart = locks.claim("write", 20, 30);

  expect([first, second, read, apart].map(({ isGranted }) => isGranted)).toEqual([true, false, false, true]);
  expect(locks.release(first.id)).toEqual([second.id]);
  expect(locks.release(second.id)).toEqual([read.id]);
});

test("a read holds nobody up", () => {
  const locks = new RangeLocks();
  locks.claim("read", 0, 10);
  expect(locks.claim("write", 0, 10).isGranted).toBe(true);
});

test("a claim that is given up while it waits lets those behind it go on", () => {
  const locks = new RangeLocks();
  const first = locks.claim("write", 0, 10);
  const waiting = locks.claim("write", 5, 25);
  const last = locks.claim("write", 20, 30);
  expect(last.isGranted).toBe(false);

  expect(locks.release(waiting.id)).toEqual([last.id]);
  expect(locks.release(first.id)).toEqual([]);
});

test("against a dumb twin: whoever goes on overlaps no earlier write, and whoever waits does", () => {
  const prng = new Prng(7);
  for (let round = 0; round < 50; round++) {
    const locks = new RangeLocks();
    const live = new Map<number, { type: "read" | "write"; begin: number; end: number; on: boolean }>();
    for (let step = 0; step < 60; step++) {
      if (live.size > 0 && prng.chance(0.45)) {
        const id = prng.pick([...live.keys()]);
        live.delete(id);
        for (const granted of locks.release(id)) {
          const claim = live.get(granted);
          expect(claim?.on).toBe(false);
          if (claim !== undefined) claim.on = true;
        }
      } else {
        const begin = prng.below(100);
        const end = begin + 1 + prng.below(20);
        const type = prng.chance(0.6) ? "write" : "read";
        const wasFree = locks.isFree(begin, end);
        const { id, isGranted } = locks.claim(type, begin, end);
        expect(wasFree).toBe(isGranted);
        live.set(id, { type, begin, end, on: isGranted });
      }
      for (const [id, claim] of live) {
        const blocked = [...live].some(
          ([other, { type, begin, end }]) =>
            other < id && type === "write" && begin < claim.end && claim.begin < end,
        );
        expect(claim.on).toBe(!blocked);
      }
    }
  }
});
