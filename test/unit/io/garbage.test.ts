import { expect, test } from "vitest";
import { garbagePercent } from "../../../src/io/real/garbage.js";

const MIB = 1 << 20;

test("a small heap is left alone until there is something to gain, a large one does not double", () => {
  expect(garbagePercent(0, 96 * MIB)).toBe(1000);
  expect(garbagePercent(24 * MIB, 96 * MIB)).toBe(400);
  expect(garbagePercent(96 * MIB, 96 * MIB)).toBe(100);
  expect(garbagePercent(1000 * MIB, 96 * MIB)).toBe(60);
});
