import { describe, expect, test } from "vitest";
import { toHex } from "../../src/base/index.js";
import { WORLDS } from "./worlds.js";

describe.each(WORLDS)("$name randomness", ({ run }) => {
  test("gives as many bytes as were asked for, different each time", () =>
    run(async ({ random }) => {
      const draws = Array.from({ length: 50 }, () => random.bytes(16));

      expect(draws.every((bytes) => bytes.length === 16)).toBe(true);
      expect(new Set(draws.map(toHex)).size).toBe(50);
      expect(random.bytes(0)).toHaveLength(0);
    }));

  test("gives integers over the whole range of 32 bits", () =>
    run(async ({ random }) => {
      const draws = Array.from({ length: 2_000 }, () => random.uint32());

      expect(draws.every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32)).toBe(true);
      const quarters = new Set(draws.map((value) => Math.floor(value / 2 ** 30)));
      expect([...quarters].sort()).toEqual([0, 1, 2, 3]);
    }));

  test("gives bytes that belong to the caller", () =>
    run(async ({ random }) => {
      const first = random.bytes(32);
      const copy = toHex(first);
      random.bytes(32).fill(0);

      expect(toHex(first)).toBe(copy);
    }));
});
