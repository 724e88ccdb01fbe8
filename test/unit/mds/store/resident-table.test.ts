import { describe, expect, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { ResidentTable } from "../../../../src/mds/store/resident-table.js";
import { SMALL_LAYOUTS } from "../../../../src/mds/store/table-layouts.js";
import { type InodeNumber, inodeNumber, sessionId } from "../../../../src/meta/index.js";

const ANN = sessionId(1);

function filled(...numbers: number[]): ResidentTable<[number, number], InodeNumber> {
  const table = new ResidentTable<[number, number], InodeNumber>(SMALL_LAYOUTS.sessionOpens);
  for (const number of numbers) table.put(inodeNumber(number), ANN, number);
  return table;
}

describe("a listing", () => {
  test("is in key order, whatever came and went", () => {
    const random = new Prng(7);
    const table = filled();
    const known = new Set<number>();
    for (let step = 0; step < 3000; step++) {
      const number = 1 + random.below(60);
      if (random.chance(0.5)) {
        table.put(inodeNumber(number), ANN, number);
        known.add(number);
      } else {
        table.delete(ANN, number);
        known.delete(number);
      }
      if (random.chance(0.3)) continue;
      expect([...table.valuesOf(ANN)]).toEqual([...known].sort((a, b) => a - b));
      expect(table.size).toBe(known.size);
    }
    expect([...table.valuesOf(sessionId(2))]).toEqual([]);
  });

  test("does not meet what is removed meanwhile, and meets nothing twice", () => {
    const table = filled(1, 2, 3, 4, 5);
    const met: number[] = [];
    for (const number of table.valuesOf(ANN)) {
      met.push(number);
      table.delete(ANN, number);
      table.delete(ANN, 4);
      table.put(inodeNumber(2), ANN, 2);
    }
    expect(met).toEqual([1, 2, 3, 5]);
    expect([...table.values()]).toEqual([2]);
  });

  test("finds the first few of many without going through all, again and again", () => {
    const count = 20_000;
    const table = filled(...Array.from({ length: count }, (_, i) => i + 1));
    for (let number = 1; number <= count; number++) {
      expect(table.valuesOf(ANN).next().value).toBe(number);
      table.delete(ANN, number);
    }
    expect(table.size).toBe(0);
  }, 10_000);
});
