import { expect, test } from "vitest";
import { InodeCache } from "../../../../src/client/core/inode-cache.js";
import { inodeNumber as n } from "../../../../src/meta/index.js";

const COUNT_MAX = 10;

test("what was used last stays, and there are never more than so many", () => {
  const cache = new InodeCache(COUNT_MAX);
  const used = cache.at(n(1));
  for (let ino = 2; ino < 100; ino++) {
    cache.at(n(ino));
    expect(cache.count).toBeLessThanOrEqual(COUNT_MAX);
    expect(cache.get(n(1))).toBe(used);
    for (let recent = Math.max(2, ino - COUNT_MAX / 2 + 2); recent <= ino; recent++)
      expect(cache.get(n(recent))).toBeDefined();
  }
  expect(cache.get(n(2))).toBeUndefined();
});

test("what is forgotten is known in neither half", () => {
  const cache = new InodeCache(COUNT_MAX);
  for (let ino = 1; ino <= COUNT_MAX; ino++) cache.at(n(ino)).target = new Uint8Array(0);
  for (let ino = 1; ino <= COUNT_MAX; ino++) cache.forget(n(ino));
  expect(cache.count).toBe(0);
  for (let ino = 1; ino <= COUNT_MAX; ino++) expect(cache.get(n(ino))).toBeUndefined();
});
