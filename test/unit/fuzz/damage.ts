import { concatBytes, type Prng } from "../../../src/base/index.js";

/** Bytes that parsers like least, as one byte each or as words. */
const EVIL = [0, 1, 0x7f, 0x80, 0xff] as const;

/** One sample, changed as a network, a disk or an attacker might change it. Never longer than twice as long and some. */
export function damaged(sample: Uint8Array, samples: readonly Uint8Array[], prng: Prng): Uint8Array {
  let bytes: Uint8Array = sample.slice();
  for (let count = prng.between(1, 4); count > 0; count--)
    bytes = CHANGES[prng.below(CHANGES.length)]?.(bytes, samples, prng) ?? bytes;
  return bytes;
}

type ByteChange = (bytes: Uint8Array, samples: readonly Uint8Array[], prng: Prng) => Uint8Array;

const place = (bytes: Uint8Array, prng: Prng): number => prng.below(bytes.length + 1);

const CHANGES: readonly ByteChange[] = [
  // A bit.
  (bytes, _, prng) => {
    if (bytes.length > 0) {
      const at = prng.below(bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << prng.below(8));
    }
    return bytes;
  },
  // Some bytes, all of them evil.
  (bytes, _, prng) => {
    const from = place(bytes, prng);
    return bytes.fill(prng.pick([...EVIL]), from, from + prng.pick([1, 2, 4, 8, 64]));
  },
  // Cut short.
  (bytes, _, prng) => bytes.subarray(0, place(bytes, prng)),
  // Something in between.
  (bytes, _, prng) => {
    const at = place(bytes, prng);
    return concatBytes(bytes.subarray(0, at), prng.bytes(prng.below(40)), bytes.subarray(at));
  },
  // Something left out.
  (bytes, _, prng) => {
    const at = place(bytes, prng);
    return concatBytes(bytes.subarray(0, at), bytes.subarray(at + prng.below(20)));
  },
  // The rest of another one.
  (bytes, samples, prng) => {
    const other = prng.pick([...samples]);
    return concatBytes(bytes.subarray(0, place(bytes, prng)), other.subarray(place(other, prng)));
  },
  // A number as text, where there are any.
  (bytes, _, prng) => {
    const at = bytes.findIndex(
      (byte, index) => byte >= 0x30 && byte <= 0x39 && prng.chance(0.2) && index > 0,
    );
    if (at < 0) return bytes;
    const text = prng.pick(["-1", "1e999", "9007199254740993", "null", "{}", '"0"', "4294967296"]);
    return concatBytes(bytes.subarray(0, at), new TextEncoder().encode(text), bytes.subarray(at + 1));
  },
];
