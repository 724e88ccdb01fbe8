import { assert, fromLatin1, toLatin1 } from "../../base/index.js";

/**
 * Keys on disk, such that their bytes sort like their parts:
 *
 *     generation:4 table:1 part...
 *
 * A number is 8 bytes, big-endian. A text is its Latin-1 bytes; only the last part may be one. `generation` counts the
 * snapshots that were restored here: a new state is written beside the old one, and then made the current one.
 */
export type KeyPart = number | string;

const PREFIX_BYTES = 5;
const NUMBER_BYTES = 8;

/** The key, or the beginning of all keys that begin with these parts. */
export function encodeKey(generation: number, tag: number, parts: readonly KeyPart[]): Uint8Array {
  const last = parts.at(-1);
  const text = typeof last === "string" ? fromLatin1(last) : undefined;
  const numberCount = text === undefined ? parts.length : parts.length - 1;
  const key = new Uint8Array(PREFIX_BYTES + NUMBER_BYTES * numberCount + (text?.length ?? 0));
  const view = new DataView(key.buffer);
  view.setUint32(0, generation);
  key[4] = tag;
  for (let i = 0; i < numberCount; i++) putNumber(view, PREFIX_BYTES + NUMBER_BYTES * i, parts[i]);
  if (text !== undefined) key.set(text, PREFIX_BYTES + NUMBER_BYTES * numberCount);
  return key;
}

/** The parts of a key, given how many there are and whether the last one is a text. */
export function decodeKey(key: Uint8Array, partCount: number, endsWithText: boolean): KeyPart[] {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  const numberCount = endsWithText ? partCount - 1 : partCount;
  const parts: KeyPart[] = [];
  let offset = PREFIX_BYTES;
  for (let i = 0; i < numberCount; i++, offset += NUMBER_BYTES) parts.push(getNumber(view, offset));
  if (endsWithText) parts.push(toLatin1(key.subarray(offset)));
  else if (offset !== key.length) throw new Error("a key of another length");
  return parts;
}

export function tagOf(key: Uint8Array): number {
  return key[4] ?? 0;
}

/** All keys of a generation lie in [generationStart(g), generationStart(g + 1)). */
export function generationStart(generation: number): Uint8Array {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, generation);
  return key;
}

/** The same key in another generation. */
export function inGeneration(key: Uint8Array, generation: number): Uint8Array {
  const copy = key.slice();
  new DataView(copy.buffer).setUint32(0, generation);
  return copy;
}

/** The first key after all that begin with these bytes; there is one, since no key begins with 0xff only. */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  const end = prefix.slice();
  for (let i = end.length - 1; i >= 0; i--) {
    const byte = end[i] as number;
    if (byte === 0xff) continue;
    end[i] = byte + 1;
    return end.subarray(0, i + 1);
  }
  throw new Error("nothing comes after this prefix");
}

/** The first key after this one. */
export function keyAfter(key: Uint8Array): Uint8Array {
  const next = new Uint8Array(key.length + 1);
  next.set(key);
  return next;
}

function putNumber(view: DataView, offset: number, part: KeyPart | undefined): void {
  assert(
    typeof part === "number" && Number.isSafeInteger(part) && part >= 0,
    "a part of a key is a whole number",
  );
  view.setUint32(offset, Math.floor(part / 2 ** 32));
  view.setUint32(offset + 4, part >>> 0);
}

function getNumber(view: DataView, offset: number): number {
  return view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4);
}
