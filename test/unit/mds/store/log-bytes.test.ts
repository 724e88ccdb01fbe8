import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { LogBytes } from "../../../../src/mds/store/log-bytes.js";
import type { Entry } from "../../../../src/raft/index.js";

const MIB = 1 << 20;

const entries = (first: number, sizes: readonly number[]): Entry[] =>
  sizes.map((size, i) => ({ index: first + i, term: 1, type: "command", data: new Uint8Array(size) }));

describe("how large the log is", () => {
  test("is known to an entry where entries are large", () => {
    const log = new LogBytes();
    log.appended(entries(1, [MIB, MIB, MIB, MIB]));
    assert.equal(log.upTo(4), 4 * MIB);
    assert.equal(log.upTo(2), 2 * MIB);
    assert.equal(log.indexBefore(3 * MIB), 1);
    assert.equal(log.indexBefore(5 * MIB), 0);
  });

  test("is known to a megabyte where they are small, and more is kept rather than less", () => {
    const log = new LogBytes();
    for (let index = 1; index <= 3000; index++) log.appended(entries(index, [1024]));
    const index = log.indexBefore(MIB);
    assert.ok(index > 0 && 3000 - index >= 1024 && 3000 - index <= 2048, String(index));
  });

  test("is less when entries were dropped, and follows what replaces others", () => {
    const log = new LogBytes();
    log.appended(entries(1, [MIB, MIB, MIB, MIB]));
    log.dropped(2);
    assert.equal(log.upTo(4), 2 * MIB);
    log.appended(entries(4, [2 * MIB]));
    assert.equal(log.indexBefore(2 * MIB), 3);
    log.clear();
    assert.equal(log.upTo(10), 0);
    assert.equal(log.indexBefore(1), 0);
  });
});
