import { expect, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { chunkId, chunkVersion } from "../../../../src/chunk/index.js";
import { BlockCacheIndex, type BlockProof } from "../../../../src/client/core/block-cache-index.js";
import {
  CACHE_ENTRY_BYTES,
  cacheLayout,
  decodeCacheEntry,
  decodeCacheHeader,
  encodeCacheEntry,
  encodeCacheHeader,
  type StoredBlock,
} from "../../../../src/client/core/block-cache-layout.js";
import { type InodeNumber, inodeNumber } from "../../../../src/meta/index.js";

const FILE = inodeNumber(7);
const proofOf = (dataVersion: number, version = 1): BlockProof => ({
  dataVersion,
  chunkId: chunkId(1),
  chunkVersion: chunkVersion(version),
});
const stored = (
  ino: InodeNumber,
  block: number,
  dataVersion: number,
  version = 1,
  checksum = 0,
): StoredBlock => ({
  ...proofOf(dataVersion, version),
  ino,
  block,
  lengthBytes: 100,
  checksum,
});

function put(index: BlockCacheIndex, entry: StoredBlock): void {
  const slot = index.takeSlot();
  if (slot === undefined) throw new Error("there is always a slot");
  index.fill(slot, entry);
}

/** Every block with what it was filled with, and when it stopped being true; nothing is ever evicted. */
class Twin {
  readonly versions = new Map<InodeNumber, number>();
  readonly blocks = new Map<string, StoredBlock>();

  drop(ino: InodeNumber, first: number, last: number): void {
    for (const [key, entry] of this.blocks)
      if (entry.ino === ino && entry.block >= first && entry.block <= last) this.blocks.delete(key);
  }
}

test("whatever happens, what is found is what was put there and not changed since, and slots are never short", () => {
  let found = 0;
  for (let seed = 1; seed <= 30; seed++) {
    const prng = new Prng(seed);
    const index = new BlockCacheIndex(12);
    const twin = new Twin();
    const versionOf = (ino: InodeNumber): number => twin.versions.get(ino) ?? 0;
    for (let step = 0; step < 600; step++) {
      const ino = inodeNumber(1 + prng.below(3));
      const block = prng.below(8);
      switch (prng.below(6)) {
        case 0:
        case 1: {
          const entry = stored(ino, block, versionOf(ino), 1 + prng.below(2), step);
          twin.blocks.set(`${ino}/${block}`, entry);
          put(index, entry);
          break;
        }
        case 2: {
          const kept = index.find(ino, block, proofOf(versionOf(ino), 1 + prng.below(2)));
          if (kept === undefined) break;
          found++;
          expect(twin.blocks.get(`${ino}/${block}`)?.checksum).toBe(kept.checksum);
          expect(index.has(kept)).toBe(true);
          break;
        }
        case 3: {
          const last = block + prng.below(4);
          twin.drop(ino, block, last);
          index.drop(ino, block, last);
          break;
        }
        case 4:
          // Others wrote, or we did, or nothing happened at all.
          if (prng.chance(0.3)) {
            twin.versions.set(ino, versionOf(ino) + 1);
            twin.drop(ino, 0, 100);
          }
          index.fileIsAt(ino, versionOf(ino));
          break;
        case 5:
          index.fileMoved(ino, versionOf(ino), versionOf(ino) + 1);
          twin.versions.set(ino, versionOf(ino) + 1);
      }
      expect(index.blockCount).toBeLessThanOrEqual(12);
    }
  }
  expect(found).toBeGreaterThan(300);
});

test("a block is wanted when it is missed again", () => {
  const index = new BlockCacheIndex(4);
  expect(index.missed(FILE, 1)).toBe(false);
  expect(index.missed(FILE, 2)).toBe(false);
  expect(index.missed(FILE, 1)).toBe(true);
});

test("blocks that were used since the last round stay when room is made", () => {
  const index = new BlockCacheIndex(4);
  for (let block = 0; block < 4; block++) put(index, stored(FILE, block, 1));
  for (const block of [0, 2]) index.find(FILE, block, proofOf(1));
  put(index, stored(FILE, 10, 1));
  put(index, stored(FILE, 11, 1));
  const there = [0, 1, 2, 3, 10, 11].filter((block) => index.find(FILE, block, proofOf(1)) !== undefined);
  expect(there).toEqual([0, 2, 10, 11]);
});

test("a block of another version of its data, or of its chunk, is not found", () => {
  const index = new BlockCacheIndex(4);
  put(index, stored(FILE, 0, 5, 3));
  expect(index.find(FILE, 0, proofOf(6, 3))).toBeUndefined();
  expect(index.find(FILE, 0, proofOf(5, 3))).toBeDefined();
  expect(index.find(FILE, 0, proofOf(5, 4))).toBeUndefined();
  expect(index.find(FILE, 0, proofOf(5, 3))).toBeUndefined();
});

test("what is loaded is of the newest version of each file, and never two of one block", () => {
  const index = new BlockCacheIndex(8);
  const other = inodeNumber(8);
  index.load([stored(FILE, 0, 1), stored(FILE, 1, 2), undefined, stored(FILE, 2, 2), stored(FILE, 2, 2, 9)]);
  put(index, stored(other, 0, 1));
  expect(index.find(FILE, 0, proofOf(1))).toBeUndefined();
  expect(index.find(FILE, 0, proofOf(2))).toBeUndefined();
  expect(index.find(FILE, 1, proofOf(2))?.slot).toBe(1);
  expect(index.find(FILE, 2, proofOf(2))).toBeUndefined();
  expect(index.blockCount).toBe(2);
});

test("entries and headers are read as they were written, and not at all when any bit of them is wrong", () => {
  const entry = stored(inodeNumber(2 ** 51), 2 ** 33, 12, 3, 0xffff_ffff);
  expect(decodeCacheEntry(encodeCacheEntry(entry))).toEqual(entry);
  expect(decodeCacheEntry(encodeCacheEntry(undefined))).toBeUndefined();
  for (let at = 0; at < CACHE_ENTRY_BYTES; at++) {
    const bytes = encodeCacheEntry(entry);
    bytes[at] = (bytes[at] ?? 0) ^ 4;
    expect(decodeCacheEntry(bytes)).toBeUndefined();
  }
  const header = { clusterId: "c", blockCount: 5, bootId: "b", isClosed: true };
  expect(decodeCacheHeader(encodeCacheHeader(header))).toEqual(header);
  const wrong = encodeCacheHeader(header);
  wrong[20] = 0;
  expect(decodeCacheHeader(wrong)).toBe("damaged");
  expect(decodeCacheHeader(new Uint8Array(4096).fill(65))).toBe("foreign");
});

test("the file takes no more than it may", () => {
  for (const megabytes of [1, 2, 500, 13_318]) {
    const { fileBytes, blockCount } = cacheLayout(megabytes);
    expect(fileBytes).toBeLessThanOrEqual(megabytes * 2 ** 20);
    expect(fileBytes).toBeGreaterThan((megabytes - 0.2) * 2 ** 20 * 0.99);
    expect(blockCount).toBeGreaterThan(0);
  }
});
