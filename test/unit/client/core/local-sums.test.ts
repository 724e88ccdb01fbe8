import { expect, test } from "vitest";
import { BLOCK_BYTES, checksumsOf, REGION_BYTES } from "../../../../src/chunk/index.js";
import { LocalSums, matchesSums } from "../../../../src/client/core/local-sums.js";

const CHUNK_BYTES = 4 * REGION_BYTES;
const VERSION = 3;
const PATH = "/chunks/1";
const PAGE = Uint8Array.from({ length: (4 * REGION_BYTES) / BLOCK_BYTES }, (_, i) => i % 251);

/** Checksums of the second region of the second chunk are known. */
function withOnePage(): LocalSums {
  const sums = new LocalSums();
  sums.answered(sums.ask(1, 1, CHUNK_BYTES), VERSION, { path: PATH, checksums: PAGE });
  return sums;
}

const BLOCK_3 = REGION_BYTES + 3 * BLOCK_BYTES;
const find = (sums: LocalSums): Uint8Array | undefined =>
  sums.find(1, VERSION, BLOCK_3, 2 * BLOCK_BYTES)?.checksums;

test("checksums are found by the place of their blocks", () => {
  expect(find(withOnePage())).toEqual(PAGE.subarray(12, 20));
});

test("checksums of another version or region are not known", () => {
  const sums = withOnePage();

  expect(sums.find(1, VERSION + 1, BLOCK_3, BLOCK_BYTES)).toBeUndefined();
  expect(sums.find(1, VERSION, 0, BLOCK_BYTES)).toBeUndefined();
  expect(sums.find(0, VERSION, BLOCK_3, BLOCK_BYTES)).toBeUndefined();
});

test.each([
  ["a byte of the region", CHUNK_BYTES + REGION_BYTES + 5, CHUNK_BYTES + REGION_BYTES + 6, false],
  ["what ends before it", 0, CHUNK_BYTES + REGION_BYTES, true],
  ["what begins behind it", CHUNK_BYTES + 2 * REGION_BYTES, 3 * CHUNK_BYTES, true],
  ["everything from the middle of it on", CHUNK_BYTES + 1.5 * REGION_BYTES, Number.MAX_SAFE_INTEGER, false],
  ["everything behind it", CHUNK_BYTES + 2 * REGION_BYTES, Number.MAX_SAFE_INTEGER, true],
])("after a change of %s they are known only where nothing changed", (_, begin, end, isKnown) => {
  const sums = withOnePage();

  sums.changed(begin, end);

  expect(find(sums) !== undefined).toBe(isKnown);
});

test("what was asked for before a change is not kept", () => {
  const sums = new LocalSums();
  const question = sums.ask(1, 1, CHUNK_BYTES);

  sums.changed(CHUNK_BYTES + REGION_BYTES, CHUNK_BYTES + REGION_BYTES + 1);
  sums.answered(question, VERSION, { path: PATH, checksums: PAGE });

  expect(find(sums)).toBeUndefined();
});

test("nothing that was asked for under an earlier lease is kept", () => {
  const sums = withOnePage();
  const question = sums.ask(1, 1, CHUNK_BYTES);

  sums.forgetAll();
  sums.answered(question, VERSION, { path: PATH, checksums: PAGE });

  expect(find(sums)).toBeUndefined();
});

test("checksums that a file contradicted are asked for again", () => {
  const sums = withOnePage();

  sums.doubt(1, BLOCK_3);

  expect(find(sums)).toBeUndefined();
});

test("blocks that were never written become zeros, and all others must be what their checksums say", () => {
  const bytes = new Uint8Array(2 * BLOCK_BYTES).fill(7);
  const checksums = checksumsOf(bytes, 0);
  checksums.fill(0, 4);

  const matches = matchesSums(bytes, checksums);
  const hole = bytes.subarray(BLOCK_BYTES);
  bytes[5] = 8;

  expect([matches, hole.every((byte) => byte === 0), matchesSums(bytes, checksums)]).toEqual([
    true,
    true,
    false,
  ]);
});
