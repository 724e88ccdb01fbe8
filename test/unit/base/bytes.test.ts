import { describe, expect, test } from "vitest";
import {
  compareBytes,
  concatBytes,
  equalBytes,
  fromHex,
  fromLatin1,
  fromUtf8,
  Prng,
  toHex,
  toLatin1,
  toUtf8,
} from "../../../src/base/index.js";

const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, byte) => byte);

describe("bytes as text", () => {
  test("hex is two small digits a byte, and is read back in any case", () => {
    expect(toHex(Uint8Array.of(0, 15, 16, 255))).toBe("000f10ff");
    expect(fromHex("000F10ff")).toEqual(Uint8Array.of(0, 15, 16, 255));
    expect(fromHex(toHex(EVERY_BYTE))).toEqual(EVERY_BYTE);
    expect(fromHex("")).toHaveLength(0);
  });

  test("text that is not hex is undefined", () => {
    expect(["0", "0g", "0x10", " 00", "00\n"].map(fromHex)).toEqual(Array(5).fill(undefined));
  });

  test("Latin-1 keeps every byte, and strings compare as the bytes do", () => {
    const long = new Prng(1).bytes(100_000);
    expect(fromLatin1(toLatin1(EVERY_BYTE))).toEqual(EVERY_BYTE);
    expect(Buffer.compare(fromLatin1(toLatin1(long)), long)).toBe(0);
    const prng = new Prng(2);
    for (let i = 0; i < 2_000; i++) {
      const [a, b] = [prng.bytes(prng.below(4)), prng.bytes(prng.below(4))];
      const order = toLatin1(a) < toLatin1(b) ? -1 : toLatin1(a) > toLatin1(b) ? 1 : 0;
      expect(Math.sign(compareBytes(a, b))).toBe(order);
    }
  });

  test("UTF-8 goes there and back, and shows what is not UTF-8", () => {
    expect(fromUtf8(toUtf8("Größe 大 🗄"))).toBe("Größe 大 🗄");
    expect(fromUtf8(Uint8Array.of(0x61, 0xff))).toBe("a\ufffd");
  });
});

describe("comparing and joining bytes", () => {
  test("order is that of Buffer.compare: unsigned, and a beginning comes before the whole", () => {
    const prng = new Prng(3);
    for (let i = 0; i < 2_000; i++) {
      const a = prng.bytes(prng.below(5)).map((byte) => byte & 0x83);
      const b = prng.bytes(prng.below(5)).map((byte) => byte & 0x83);
      expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
      expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
    }
  });

  test("joining gives a new array of all parts", () => {
    const part = Uint8Array.of(1, 2);
    const joined = concatBytes(part, new Uint8Array(0), Uint8Array.of(3));
    part.fill(9);

    expect([...joined]).toEqual([1, 2, 3]);
    expect(concatBytes()).toHaveLength(0);
  });
});
