import { describe, expect, test } from "vitest";
import { Prng } from "../../../src/base/index.js";
import { areSound, BLOCK_BYTES, checksumsOf, findMismatch } from "../../../src/chunk/index.js";

const BLOCKS = 16;

function written(seed: number): { readonly bytes: Uint8Array; readonly checksums: Uint8Array } {
  const bytes = new Prng(seed).bytes(BLOCKS * BLOCK_BYTES);
  return { bytes, checksums: checksumsOf(bytes, 0) };
}

describe("areSound", () => {
  test("says so of blocks as they were written", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { bytes, checksums } = written(seed);
      expect(areSound(bytes, checksums)).toBe(true);
    }
  });

  test("does not say so when one bit of a block or of a checksum is another", () => {
    const prng = new Prng(3);
    const { bytes, checksums } = written(1);
    for (let i = 0; i < 300; i++) {
      const target = i % 2 === 0 ? bytes : checksums;
      const at = prng.below(target.length);
      const was = target[at] ?? 0;
      target[at] = was ^ (1 << prng.below(8));
      expect(areSound(bytes, checksums)).toBe(false);
      target[at] = was;
    }
    expect(areSound(bytes, checksums)).toBe(true);
  });

  test("does not say so of blocks that changed places, or have the same damage", () => {
    const { bytes, checksums } = written(2);
    const swapped = bytes.slice();
    swapped.set(bytes.subarray(BLOCK_BYTES, 2 * BLOCK_BYTES), 0);
    swapped.set(bytes.subarray(0, BLOCK_BYTES), BLOCK_BYTES);
    const twice = bytes.slice();
    for (const block of [3, 9]) twice[block * BLOCK_BYTES + 5] = (bytes[block * BLOCK_BYTES + 5] ?? 0) ^ 0xff;

    expect([areSound(swapped, checksums), areSound(twice, checksums)]).toEqual([false, false]);
  });

  test("does not say so when a block was never written, or bytes are missing", () => {
    const { bytes, checksums } = written(4);
    const withHole = checksums.slice();
    withHole.fill(0, 8, 12);

    expect([areSound(bytes, withHole), areSound(bytes.subarray(1), checksums)]).toEqual([false, false]);
  });
});

describe("findMismatch", () => {
  test("finds the first damaged block, wherever the piece begins and ends", () => {
    const prng = new Prng(5);
    for (const [offset, lengthBytes] of [
      [0, 5 * BLOCK_BYTES],
      [0, 5 * BLOCK_BYTES - 7],
      [100, 4 * BLOCK_BYTES],
      [3 * BLOCK_BYTES, 2 * BLOCK_BYTES],
    ] as const) {
      const bytes = prng.bytes(lengthBytes);
      const checksums = checksumsOf(bytes, offset);
      expect(findMismatch(bytes, offset, checksums)).toBeUndefined();
      const at = prng.below(lengthBytes);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      expect(findMismatch(bytes, offset, checksums)).toBe(
        Math.floor(((offset % BLOCK_BYTES) + at) / BLOCK_BYTES),
      );
    }
  });
});
