import { expect, test } from "vitest";
import { Prng } from "../../../src/base/index.js";
import { type Entry, NO_MEMBERS } from "../../../src/raft/index.js";
import { limitBytes, RaftLog } from "../../../src/raft/log.js";
import { SimStore } from "../../sim/raft/sim-store.js";

const start = { index: 0, term: 0, membership: NO_MEMBERS };

function entry(index: number, term: number, bytes = 1): Entry {
  return { index, term, type: "command", data: new Uint8Array(bytes) };
}

function entries(first: number, ...terms: number[]): Entry[] {
  return terms.map((term, i) => entry(first + i, term));
}

function open(stored: Entry[], commit = 0): { log: RaftLog; store: SimStore } {
  const store = new SimStore(start, stored, { term: 9, vote: undefined, commit });
  return { log: new RaftLog(store, commit, 0), store };
}

function termsOf(log: RaftLog): number[] {
  return log.entries(log.start.index + 1, log.lastIndex + 1, 1e9).map(({ term }) => term);
}

test("entries are read over the border between disk and memory", () => {
  const { log } = open(entries(1, 1, 1));
  log.append(entries(3, 1, 2));

  expect(termsOf(log)).toEqual([1, 1, 1, 2]);
  expect([log.stable, log.lastIndex, log.lastTerm]).toEqual([2, 4, 2]);
  expect(log.entries(2, 4, 1e9).map(({ index }) => index)).toEqual([2, 3]);
});

test("an append replaces what contradicts it, on disk and in memory", () => {
  const { log } = open(entries(1, 1, 1, 1));
  log.append(entries(4, 1, 1));
  log.append(entries(2, 3));

  expect(termsOf(log)).toEqual([1, 3]);
  expect(log.stable).toBe(1);
});

test("a write is not credited with entries that were replaced while it ran, not even if they come back", () => {
  const { log, store } = open([]);
  log.append(entries(1, 1, 2));
  const first = log.takeUnwritten(1);
  log.append(entries(2, 3));
  const second = log.takeUnwritten(2);
  log.append(entries(2, 2));
  const third = log.takeUnwritten(3);

  store.write({ ...first, hardState: undefined });
  log.persisted(1);
  expect(log.stable).toBe(1);
  store.write({ ...second, hardState: undefined });
  log.persisted(2);
  expect(log.stable).toBe(1);
  store.write({ ...third, hardState: undefined });
  log.persisted(3);
  expect(log.stable).toBe(2);
});

test("only what is committed and on disk is given out for applying, once", () => {
  const { log, store } = open([]);
  log.append(entries(1, 1, 1, 1));
  store.write({ ...log.takeUnwritten(1), hardState: undefined });
  log.commitTo(2);
  expect(log.takeUnapplied(1e9)).toEqual([]);

  log.persisted(1);

  expect(log.takeUnapplied(1e9).map(({ index }) => index)).toEqual([1, 2]);
  expect(log.hasUnapplied).toBe(false);
});

test("committed entries never change", () => {
  const { log } = open(entries(1, 1, 1), 2);

  expect(() => log.append(entries(2, 2))).toThrow("committed entries never change");
  expect(() => log.commitTo(3)).toThrow("only what is in the log");
});

test("a candidate is up to date by its last term, then by its last index", () => {
  const { log } = open(entries(1, 1, 2));

  expect(log.isUpToDate(2, 2)).toBe(true);
  expect(log.isUpToDate(1, 3)).toBe(true);
  expect(log.isUpToDate(9, 1)).toBe(false);
  expect(log.isUpToDate(1, 2)).toBe(false);
});

test("the search for the place where logs meet skips whole terms", () => {
  const { log } = open(entries(1, 1, 1, 3, 3, 5));

  expect(log.lastAtMost(5, 4)).toEqual({ index: 4, term: 3 });
  expect(log.lastAtMost(9, 2)).toEqual({ index: 2, term: 1 });
  expect(log.lastAtMost(5, 0)).toEqual({ index: 0, term: 0 });
});

test("a snapshot starts the log anew, before and after it is on disk", () => {
  const { log, store } = open(entries(1, 1, 1));
  const meta = { index: 7, term: 2, membership: NO_MEMBERS };
  log.restore(meta);
  log.append(entries(8, 3));
  expect([log.termAt(7), log.termAt(2), log.lastIndex, log.commit]).toEqual([2, undefined, 8, 7]);

  store.write({ ...log.takeUnwritten(1), hardState: undefined });
  log.persisted(1);

  expect([log.termAt(7), log.termAt(8), log.stable, log.applied]).toEqual([2, 3, 8, 7]);
});

test("a limit of bytes lets at least one entry through", () => {
  const some = [entry(1, 1, 10), entry(2, 1, 10), entry(3, 1, 10)];

  expect(limitBytes(some, 5)).toHaveLength(1);
  expect(limitBytes(some, 20)).toHaveLength(2);
  expect(limitBytes(some, 30)).toHaveLength(3);
});

test("under random appends, truncations and late writes the log agrees with a plain array, and so does the disk", () => {
  for (let seed = 0; seed < 200; seed++) {
    const prng = new Prng(seed);
    const { log, store } = open([]);
    let plain: Entry[] = [];
    const writes: { number: number; entries: readonly Entry[] }[] = [];
    let term = 1;
    for (let step = 1; step < 60; step++) {
      const action = prng.below(4);
      if (action === 0) {
        const first = prng.between(log.commit + 1, plain.length + 1);
        term += prng.below(2);
        const added = Array.from({ length: prng.between(1, 3) }, (_, i) => entry(first + i, term));
        log.append(added);
        plain = [...plain.slice(0, first - 1), ...added];
      } else if (action === 1) {
        writes.push({ number: step, ...log.takeUnwritten(step) });
      } else if (action === 2) {
        const write = writes.shift();
        if (write === undefined) continue;
        store.write({ snapshot: undefined, hardState: undefined, entries: write.entries });
        log.persisted(write.number);
      } else log.commitTo(prng.between(0, plain.length));
      const onDisk = store.lastIndex() === 0 ? [] : store.entries(1, store.lastIndex() + 1, 1e9);
      expect(termsOf(log)).toEqual(plain.map((item) => item.term));
      expect(onDisk.slice(0, log.stable)).toEqual(plain.slice(0, log.stable));
    }
  }
});
