import { expect, test } from "vitest";
import { concatBytes } from "../../../../src/base/index.js";
import { Opener, type Protection, Sealer, sealBytes } from "../../../../src/rpc/channel/data-seal.js";

const KEY = Uint8Array.from({ length: 16 }, (_, index) => index);
const PIECES = [Uint8Array.of(1, 2, 3), new Uint8Array(5000).fill(9)];
const SEALED: readonly Protection[] = ["authenticated", "encrypted"];

function pair(protection: Protection): {
  seal: (pieces: readonly Uint8Array[]) => Uint8Array;
  opener: Opener;
} {
  const sealer = new Sealer(KEY, protection);
  return { seal: (pieces) => concatBytes(...sealer.seal(pieces)), opener: new Opener(KEY, protection) };
}

test.each(["plain", ...SEALED] as const)(
  "%s records come out as they went in, one after the other",
  (protection) => {
    const { seal, opener } = pair(protection);
    for (const pieces of [PIECES, [], [Uint8Array.of(7)]]) {
      const record = seal(pieces);
      const plain = concatBytes(...pieces);
      expect(record.length).toBe(plain.length + sealBytes(protection));
      expect(concatBytes(opener.open(record))).toEqual(plain);
    }
  },
);

test.each(SEALED)("any bit of an %s record that was changed is noticed", (protection) => {
  for (const position of [0, 2, 3, 5002, 5003, 5018]) {
    const { seal, opener } = pair(protection);
    const record = seal(PIECES);
    record[position] = (record[position] ?? 0) ^ 0x10;
    expect(() => opener.open(record)).toThrow("changed");
  }
});

test.each(SEALED)("an %s record that is repeated, left out or out of order is noticed", (protection) => {
  const [repeated, skipped] = [pair(protection), pair(protection)];
  const first = repeated.seal(PIECES);
  repeated.opener.open(first);
  expect(() => repeated.opener.open(first)).toThrow("changed");
  skipped.seal(PIECES);
  const second = skipped.seal(PIECES);
  expect(() => skipped.opener.open(second)).toThrow("changed");
});

test.each(SEALED)("an %s record of another key, or without its tag, is refused", (protection) => {
  const { seal } = pair(protection);
  const stranger = new Opener(new Uint8Array(16), protection);
  expect(() => stranger.open(seal(PIECES))).toThrow("changed");
  expect(() => stranger.open(new Uint8Array(15))).toThrow("tag");
});

test("only an encrypted record hides its bytes", () => {
  const holds = (protection: Protection): boolean =>
    Buffer.from(pair(protection).seal(PIECES)).includes(Buffer.alloc(64, 9));
  expect(holds("authenticated")).toBe(true);
  expect(holds("encrypted")).toBe(false);
});
