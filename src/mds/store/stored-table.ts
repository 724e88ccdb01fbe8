import type { KvChange } from "../../io/index.js";
import { decodeKey, encodeKey, type KeyPart } from "./keys.js";
import { corruptRecord, type RecordCodec } from "./record-codec.js";

/** How a table lies on disk. */
export interface TableLayout<Value> {
  readonly name: string;
  /** One character: lower case for small tables, which are loaded at start, upper case for large ones. */
  readonly tag: string;
  readonly partCount: number;
  readonly endsWithText: boolean;
  readonly codec: RecordCodec<Value>;
}

export type Key = readonly KeyPart[];

/** A change that is not on disk yet. `value` undefined: deleted. */
export interface Change<Value> {
  readonly key: Key;
  readonly value: Value | undefined;
}

/** The part of a table that the writer sees. */
export interface StoredTable {
  /** The changes since the last call, encoded. `settle` of the result is called when they are on disk. */
  takeChanges(generation: number): TakenChanges;
}

export interface TakenChanges {
  readonly changes: readonly KvChange[];
  readonly settle: () => void;
}

/** One value that stands for the whole key in a Map. */
export type MapKey = KeyPart;

export function mapKeyOf(key: Key): MapKey {
  switch (key.length) {
    case 0:
      return 0;
    case 1:
      return key[0] as KeyPart;
    default:
      return key.join("/");
  }
}

export function encodeChange<Value>(
  layout: TableLayout<Value>,
  generation: number,
  { key, value }: Change<Value>,
): KvChange {
  const bytes = encodeKey(generation, layout.tag.charCodeAt(0), key);
  if (value === undefined) return { type: "delete", key: bytes };
  return { type: "put", key: bytes, value: layout.codec.encode(value) };
}

/** Fails with `log_corrupt`, naming table and key. */
export function decodeValue<Value>(layout: TableLayout<Value>, key: Key, bytes: Uint8Array): Value {
  try {
    return layout.codec.decode(bytes);
  } catch (error) {
    throw corruptRecord(layout.name, key, error);
  }
}

export function decodeTableKey<Value>(layout: TableLayout<Value>, key: Uint8Array): Key {
  try {
    return decodeKey(key, layout.partCount, layout.endsWithText);
  } catch (error) {
    throw corruptRecord(layout.name, [], error);
  }
}
