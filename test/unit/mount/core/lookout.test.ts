import { expect, test } from "vitest";
import { Lookout } from "../../../../src/mount/core/lookout.js";

/** So many requests come, each so long after the answer to the one before. */
function come(lookout: Lookout, count: number, gapMs: number): void {
  for (let i = 0; i < count; i++) {
    const doneMs = 1000 + i * 100;
    lookout.done(doneMs);
    lookout.came(doneMs + gapMs);
  }
}

test("it is worth looking after some requests came right behind the answers", () => {
  const lookout = new Lookout();
  expect(lookout.isWorthwhile).toBe(false);
  come(lookout, 3, 0.1);
  expect(lookout.isWorthwhile).toBe(false);
  come(lookout, 1, 0.1);
  expect(lookout.isWorthwhile).toBe(true);
});

test("requests that take their time make nobody look", () => {
  const lookout = new Lookout();
  come(lookout, 1000, 0.5);
  expect(lookout.isWorthwhile).toBe(false);
});

test("it goes on while four in five looks find something, and ends soon when they do not", () => {
  const lookout = new Lookout();
  come(lookout, 16, 0.1);
  for (let i = 0; i < 1000; i++) {
    expect(lookout.isWorthwhile).toBe(true);
    lookout.looked(i % 6 !== 0);
  }
  let missCount = 0;
  for (; lookout.isWorthwhile; missCount++) lookout.looked(false);
  expect(missCount).toBeLessThanOrEqual(4);
  for (let i = 0; i < 100; i++) lookout.looked(i % 2 === 0);
  expect(lookout.isWorthwhile).toBe(false);
});
