import { describe, expect, test } from "vitest";
import { crc32, crc32Append, Prng, toUtf8 } from "../../../src/base/index.js";

/** CRC-32 bit by bit, as the standard tells it. */
function slowCrc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

describe("crc32", () => {
  test.each([
    ["", 0],
    ["a", 0xe8b7be43],
    ["123456789", 0xcbf43926],
    ["The quick brown fox jumps over the lazy dog", 0x414fa339],
  ])("of %j is the published value", (text, expected) => {
    expect(crc32(toUtf8(text))).toBe(expected);
  });

  test("of 4 KiB of zeros is not zero", () => {
    expect(crc32(new Uint8Array(4096))).toBe(0xc71c0011);
  });

  test("may be continued piece by piece, and agrees with the slow one", () => {
    const prng = new Prng(6);
    for (let i = 0; i < 200; i++) {
      const bytes = prng.bytes(prng.below(200));
      const cut = prng.between(0, bytes.length);
      expect(crc32(bytes)).toBe(slowCrc32(bytes));
      expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(crc32(bytes));
    }
  });
});

describe("crc32Append", () => {
  test("makes the value of two pieces that of both together, whatever their lengths", () => {
    const prng = new Prng(7);
    for (const length of [0, 1, 3, 255, 256, 4096, 65_537]) {
      const append = crc32Append(length);
      for (let i = 0; i < 20; i++) {
        const bytes = prng.bytes(prng.below(100) + length);
        const cut = bytes.length - length;
        const together = append(crc32(bytes.subarray(0, cut)), crc32(bytes.subarray(cut)));
        expect(together).toBe(crc32(bytes));
      }
    }
  });
});
