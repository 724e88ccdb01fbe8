/**
 * Writes the few ASN.1 DER types that a certificate is made of (X.690). Pure. There is no reader here: certificates
 * are read by OpenSSL, inside `node:crypto`.
 */

import { assert, concatBytes, toUtf8 } from "../base/index.js";

export function sequence(...items: readonly Uint8Array[]): Uint8Array {
  return value(0x30, concatBytes(...items));
}

export function set(...items: readonly Uint8Array[]): Uint8Array {
  return value(0x31, concatBytes(...items));
}

/** A positive integer from big-endian bytes without leading zeros. */
export function integer(bytes: Uint8Array): Uint8Array {
  const first = bytes[0] ?? 0;
  assert(bytes.length === 1 || first !== 0, "DER integers have no leading zeros");
  return value(0x02, first < 0x80 ? bytes : concatBytes(Uint8Array.of(0), bytes));
}

export function truth(): Uint8Array {
  return value(0x01, Uint8Array.of(0xff));
}

/** `unusedBits`: how many of the last byte's low bits do not count. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return value(0x03, concatBytes(Uint8Array.of(unusedBits), bytes));
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return value(0x04, bytes);
}

export function utf8String(text: string): Uint8Array {
  return value(0x0c, toUtf8(text));
}

/** An object identifier in dotted form. */
export function objectId(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return value(0x06, Uint8Array.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** Whole seconds; UTCTime until 2049 and GeneralizedTime after it, as RFC 5280 wants. */
export function time(atMs: number): Uint8Array {
  const digits = `${new Date(atMs).toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`;
  const year = Number(digits.slice(0, 4));
  assert(year >= 1950 && year <= 9999, "certificate times lie between 1950 and 9999");
  return year < 2050 ? value(0x17, toUtf8(digits.slice(2))) : value(0x18, toUtf8(digits));
}

/** Context tag around a whole value. */
export function explicit(tag: number, content: Uint8Array): Uint8Array {
  return value(0xa0 | tag, content);
}

/** Context tag in place of a primitive value's own. */
export function implicit(tag: number, content: Uint8Array): Uint8Array {
  return value(0x80 | tag, content);
}

function value(tag: number, content: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.from([tag, ...length(content.length)]), content);
}

function length(count: number): readonly number[] {
  if (count < 0x80) return [count];
  if (count < 0x100) return [0x81, count];
  assert(count < 0x10000, "nothing in a certificate is longer than 64 KiB");
  return [0x82, count >> 8, count & 0xff];
}

function base128(number: number): readonly number[] {
  const bytes = [number & 0x7f];
  for (let rest = number >> 7; rest > 0; rest >>= 7) bytes.unshift(0x80 | (rest & 0x7f));
  return bytes;
}
