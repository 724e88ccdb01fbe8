import { expect, test } from "vitest";
import { MetadataCache } from "../../../../src/client/core/metadata-cache.js";
import { type Attributes, inodeNumber, MODE_FILE } from "../../../../src/meta/index.js";

const INO = inodeNumber(7);
const ATTRIBUTES = { ino: INO, mode: MODE_FILE, sizeBytes: 1, changeCount: 1 } as Attributes;
const WILD = { inos: [], names: [], isWild: true, keepsXattrs: false };

test("an answer is kept", () => {
  const cache = new MetadataCache();
  cache.keepAttributes(cache.ask(), ATTRIBUTES);
  expect(cache.attributes(INO)).toBe(ATTRIBUTES);
});

test("an answer to what was asked before all was forgotten is not kept", () => {
  const cache = new MetadataCache();
  const asked = cache.ask();
  cache.forgetAll();
  cache.keepAttributes(asked, ATTRIBUTES);
  expect(cache.attributes(INO)).toBeUndefined();
});

test("an answer to what was asked before an invalidation is not kept", () => {
  const cache = new MetadataCache();
  const asked = cache.ask();
  cache.invalidate([{ kind: "inode", ino: INO, name: new Uint8Array(0) }]);
  cache.keepAttributes(asked, ATTRIBUTES);
  expect(cache.attributes(INO)).toBeUndefined();
});

test("no answer about an inode is kept while a change is under way that may be of any", () => {
  const cache = new MetadataCache();
  const asked = cache.ask();
  const change = cache.beginChange(WILD);
  cache.keepAttributes(asked, ATTRIBUTES);
  cache.endChange(change, undefined, [], 0);
  expect(cache.attributes(INO)).toBeUndefined();
});
