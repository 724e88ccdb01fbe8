import { expect, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { type ChunkRange, rangeAround } from "../../../../src/chunk/index.js";
import { RangeGate, type RangeUse } from "../../../../src/cs/core/range-gate.js";

interface Twin {
  readonly use: RangeUse;
  /** What it touches. */
  readonly places: ReadonlySet<number>;
  isStored: boolean;
}

/** These places, as extents of one each. */
function rangeOf(places: ReadonlySet<number>): ChunkRange {
  const extents = [...places].sort((a, b) => a - b).map((offset) => ({ offset, lengthBytes: 1 }));
  return { ...rangeAround(extents), extents };
}

/** From the first of these places to the last, all of which it adds. */
function filled(places: Set<number>): ChunkRange {
  const range = rangeAround(rangeOf(places).extents ?? []);
  for (let place = range.offset; place < range.offset + range.lengthBytes; place++) places.add(place);
  return range;
}

/** The rule word for word: may the operation begin, given all that came before it? */
function mayBegin(operations: ReadonlyMap<number, Twin>, id: number): boolean {
  const self = operations.get(id);
  if (self === undefined) return false;
  for (const [other, earlier] of operations) {
    if (other === id) return true;
    if (![...earlier.places].some((place) => self.places.has(place))) continue;
    const isOver = self.use !== "read" && earlier.use === "change" && earlier.isStored;
    if (!isOver) return false;
  }
  return true;
}

test("operations begin exactly when the rule says so, on random input", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const prng = new Prng(seed);
    const gate = new RangeGate();
    const twins = new Map<number, Twin>();
    const begun = new Set<number>();
    for (let step = 0; step < 120; step++) {
      const id = prng.pick([...begun, 0]);
      const twin = twins.get(id);
      if (prng.chance(0.5)) {
        const places = new Set(Array.from({ length: 1 + prng.below(4) }, () => prng.below(12)));
        const isScattered = prng.chance(0.5);
        const range = isScattered ? rangeOf(places) : filled(places);
        const use = prng.pick(["change", "change", "read", "fill"] as const);
        const fresh = step + 1;
        twins.set(fresh, { use, places, isStored: false });
        if (gate.enter(fresh, use, range)) begun.add(fresh);
      } else if (twin?.use === "change" && !twin.isStored) {
        twin.isStored = true;
        for (const next of gate.stored(id)) begun.add(next);
      } else if (twin !== undefined) {
        twins.delete(id);
        begun.delete(id);
        for (const next of gate.leave(id)) begun.add(next);
      }
      const expected = [...twins.keys()].filter((one) => mayBegin(twins, one));
      expect(
        [...begun].sort((a, b) => a - b),
        `seed ${seed} step ${step}`,
      ).toEqual(expected);
    }
  }
});

test("an operation that gives up while it waits lets those behind it go", () => {
  const gate = new RangeGate();
  const range = { offset: 0, lengthBytes: 4 };
  gate.enter(1, "change", range);
  gate.enter(2, "read", range);
  expect(gate.enter(3, "change", range)).toBe(false);
  gate.stored(1);

  expect(gate.leave(2)).toEqual([3]);
});
