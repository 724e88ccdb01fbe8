import { expect, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { ReadStreams, WINDOW_BYTES_MAX } from "../../../../src/client/core/read-streams.js";

const KIB = 1024;
const PART = 128 * KIB;

test("a reader in sequence has more and more read ahead, nothing twice, and never runs into what was not asked for", () => {
  const streams = new ReadStreams();
  let aheadEnd = 0;
  for (let i = 0; i < 1000; i++) {
    const begin = i * PART;
    const ahead = streams.note(begin, begin + PART);
    if (ahead !== undefined) {
      expect(ahead.begin).toBe(aheadEnd);
      aheadEnd = ahead.end;
    }
    expect(aheadEnd).toBeGreaterThanOrEqual(begin + PART);
    expect(aheadEnd).toBeLessThanOrEqual(begin + PART + WINDOW_BYTES_MAX);
  }
  expect(aheadEnd).toBeGreaterThan(1000 * PART + WINDOW_BYTES_MAX / 2);
});

test("a read that is tried once more is the same read", () => {
  const [once, twice] = [new ReadStreams(), new ReadStreams()];
  for (let i = 0; i < 200; i++) {
    const begin = (i % 7 === 6 ? 2 ** 40 : 0) + i * PART;
    const ahead = once.note(begin, begin + PART);
    expect(twice.note(begin, begin + PART)).toEqual(ahead);
    expect(twice.note(begin, begin + PART)).toBeUndefined();
  }
});

test("reads at random have nothing read ahead", () => {
  const streams = new ReadStreams();
  const prng = new Prng(1);
  for (let i = 0; i < 10_000; i++) {
    const begin = 4 * KIB * (1 + (prng.uint32() % (1 << 20)));
    expect(streams.note(begin, begin + 4 * KIB)).toBeUndefined();
  }
});

test("several readers are told apart", () => {
  const streams = new ReadStreams();
  const aheadOf = [0, 0, 0];
  for (let i = 0; i < 100; i++) {
    for (const reader of [0, 1, 2]) {
      const begin = reader * 2 ** 40 + i * PART;
      const ahead = streams.note(begin, begin + PART);
      if (ahead !== undefined) aheadOf[reader] = ahead.end - reader * 2 ** 40;
    }
  }
  for (const end of aheadOf) expect(end).toBeGreaterThan(100 * PART);
});

test("parts that arrive in another order are one reader", () => {
  const streams = new ReadStreams();
  let aheadEnd = 0;
  for (let i = 0; i < 400; i++) {
    const part = i < 8 ? i : i ^ 1;
    const ahead = streams.note(part * PART, (part + 1) * PART);
    if (ahead !== undefined) {
      expect(ahead.begin).toBeGreaterThanOrEqual(aheadEnd);
      aheadEnd = ahead.end;
    }
  }
  expect(aheadEnd).toBeGreaterThan(400 * PART);
});
