import { expect, test } from "vitest";
import { NewestAttributes } from "../../../../src/client/core/newest-attributes.js";
import { type Attributes, inodeNumber } from "../../../../src/meta/index.js";

const attributes = (ino: number, changeCount: number, generation = 1): Attributes =>
  ({ ino: inodeNumber(ino), changeCount, generation, sizeBytes: changeCount }) as Attributes;

test("what was asked before a report and arrives after it gives way to what the report was answered", () => {
  const newest = new NewestAttributes();
  const before = attributes(5, 1);
  const after = attributes(5, 2);
  newest.told(after);
  expect(newest.newest(before)).toBe(after);
  expect(newest.newest(attributes(5, 3)).changeCount).toBe(3);
  expect(newest.newest(attributes(6, 1)).changeCount).toBe(1);
});

test("answers that overtake each other leave the newest, and another generation is another file", () => {
  const newest = new NewestAttributes();
  newest.told(attributes(5, 7));
  newest.told(attributes(5, 6));
  expect(newest.newest(attributes(5, 1)).changeCount).toBe(7);
  expect(newest.newest(attributes(5, 1, 2)).changeCount).toBe(1);
});

test("only so many inodes are remembered, the last ones", () => {
  const newest = new NewestAttributes();
  for (let ino = 1; ino <= 5000; ino++) newest.told(attributes(ino, 9));
  expect(newest.newest(attributes(5000, 1)).changeCount).toBe(9);
  expect(newest.newest(attributes(1, 1)).changeCount).toBe(1);
});
