import { expect, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { type ChunkVersion, chunkVersion, RECOVERY_VERSION_GAP } from "../../../../src/chunk/index.js";
import { ChangeHistory } from "../../../../src/cs/core/change-history.js";

const v = chunkVersion;
const since = (version: ChunkVersion): ChangeHistory => new ChangeHistory({ since: version, spans: [] });
const changed = (history: ChangeHistory, version: number): number[] | undefined => {
  const regions = history.changedAfter(version);
  return regions && [...regions];
};

test("what changed after a version is what was on its way when the next began, and what was changed under it and later ones", () => {
  const history = since(v(3));
  history.note([1]);
  history.begin(v(4), [7]);
  history.note([2]);
  history.begin(v(6), []);
  history.note([9]);

  expect(changed(history, 3)).toEqual([2, 7, 9]);
  expect(changed(history, 4)).toEqual([9]);
  expect(changed(history, 5)).toEqual([9]);
  expect(changed(history, 6)).toEqual([]);
});

test("of what was before this replica began nothing is known", () => {
  expect(changed(since(v(3)), 2)).toBeUndefined();
  expect(changed(since(v(3)), 3)).toEqual([]);
});

test("a version that begins twice keeps what was noted", () => {
  const history = since(v(1));
  history.begin(v(2), [1]);
  history.note([5]);
  history.begin(v(2), []);

  expect(changed(history, 1)).toEqual([1, 5]);
});

test("a recovery of the metadata ends what was known: versions of the lost time may have been given out twice", () => {
  const history = since(v(1));
  history.begin(v(2), [1]);
  history.begin(v(2 + RECOVERY_VERSION_GAP), [3]);

  expect(changed(history, 2)).toBeUndefined();
  expect(changed(history, 2 + RECOVERY_VERSION_GAP)).toEqual([]);
});

test("however many versions there are, nothing that changed is left out, also after the record was stored and read", () => {
  const prng = new Prng(1);
  const all: { version: number; region: number }[] = [];
  let history = since(v(1));
  for (let version = 2; version < 60; version++) {
    history.begin(v(version), []);
    for (let i = prng.below(4); i > 0; i--) {
      const region = prng.below(256);
      history.note([region]);
      all.push({ version, region });
    }
    if (prng.chance(0.2)) history = new ChangeHistory(history.toRecord());
    for (let from = 1; from <= version; from++) {
      const told = new Set(changed(history, from));
      const missing = all.filter((change) => change.version > from && !told.has(change.region));
      expect(missing).toEqual([]);
    }
  }
  expect(history.toRecord().spans.length).toBeLessThanOrEqual(8);
});
