import type { Kv } from "../../io/index.js";
import type { Table } from "../core/tables.js";
import { encodeKey, type KeyPart, keyAfter, prefixEnd } from "./keys.js";
import { RecordCache } from "./record-cache.js";
import {
  type Change,
  decodeTableKey,
  decodeValue,
  encodeChange,
  type Key,
  type MapKey,
  mapKeyOf,
  type StoredTable,
  type TableLayout,
  type TakenChanges,
} from "./stored-table.js";

/** Where the current state lies. */
export interface StateStore {
  readonly kv: Kv;
  readonly generation: number;
}

/** One record of a listing. */
export interface Row<Value> {
  readonly key: Key;
  readonly value: Value;
}

/**
 * A table that is on disk, read through a cache. What is changed stays in `#overlay` until the batch that holds it has
 * resolved: reads and listings see it at once.
 */
export class LargeTable<K extends Key, Value> implements Table<K, Value>, StoredTable {
  readonly #layout: TableLayout<Value>;
  readonly #store: StateStore;
  readonly #cache: RecordCache<MapKey, Value>;
  /** Everything that may not be on disk yet. */
  readonly #overlay = new Map<MapKey, Change<Value>>();
  /** The part of it that no batch has taken. */
  #untaken = new Map<MapKey, Change<Value>>();

  constructor(layout: TableLayout<Value>, store: StateStore, cachedCount: number) {
    this.#layout = layout;
    this.#store = store;
    this.#cache = new RecordCache(cachedCount);
  }

  get(...key: K): Value | undefined {
    const mapKey = mapKeyOf(key);
    if (this.#cache.has(mapKey)) return this.#cache.get(mapKey);
    const value = this.#read(mapKey, key);
    this.#cache.put(mapKey, value);
    return value;
  }

  put(value: Value, ...key: K): void {
    this.#change({ key, value });
  }

  delete(...key: K): void {
    this.#change({ key, value: undefined });
  }

  takeChanges(generation: number): TakenChanges {
    const taken = this.#untaken;
    this.#untaken = new Map();
    const changes = Array.from(taken.values(), (change) => encodeChange(this.#layout, generation, change));
    return { changes, settle: () => this.#settle(taken) };
  }

  /**
   * Up to `limit` records whose keys begin with `prefix`, after the one whose last part is `after` (undefined: from the
   * beginning), as they were at the moment of the call.
   */
  async page(prefix: Key, after: KeyPart | undefined, limit: number): Promise<Row<Value>[]> {
    const fresh = this.#overlayRows(prefix, after);
    const hiddenCount = fresh.filter(({ value }) => value === undefined).length;
    const rows = new Map<MapKey, Change<Value>>();
    for await (const row of this.#storedRows(prefix, after, limit + hiddenCount)) {
      rows.set(mapKeyOf(row.key), row);
    }
    for (const change of fresh) rows.set(mapKeyOf(change.key), change);
    const found: Row<Value>[] = [];
    for (const { key, value } of rows.values()) if (value !== undefined) found.push({ key, value });
    return found.sort(byLastPart).slice(0, limit);
  }

  /** Forgets everything in memory: the state on disk is another one. */
  reset(): void {
    this.#cache.clear();
    this.#overlay.clear();
    this.#untaken.clear();
  }

  #change(change: Change<Value>): void {
    const mapKey = mapKeyOf(change.key);
    this.#cache.put(mapKey, change.value);
    this.#overlay.set(mapKey, change);
    this.#untaken.set(mapKey, change);
  }

  #settle(taken: ReadonlyMap<MapKey, Change<Value>>): void {
    for (const [mapKey, change] of taken) {
      if (this.#overlay.get(mapKey) === change) this.#overlay.delete(mapKey);
    }
  }

  #read(mapKey: MapKey, key: Key): Value | undefined {
    const change = this.#overlay.get(mapKey);
    if (change !== undefined) return change.value;
    const bytes = this.#store.kv.get(this.#encode(key));
    return bytes === undefined ? undefined : decodeValue(this.#layout, key, bytes);
  }

  #overlayRows(prefix: Key, after: KeyPart | undefined): Change<Value>[] {
    const rows: Change<Value>[] = [];
    for (const change of this.#overlay.values()) {
      if (prefix.some((part, i) => change.key[i] !== part)) continue;
      if (after === undefined || lastPart(change.key) > after) rows.push(change);
    }
    return rows;
  }

  /** The iteration is begun in the call, so that it shows the same moment as the overlay. */
  #storedRows(prefix: Key, after: KeyPart | undefined, limit: number): AsyncIterable<Row<Value>> {
    const start = this.#encode(prefix);
    const gte = after === undefined ? start : keyAfter(this.#encode([...prefix, after]));
    const entries = this.#store.kv.range({ gte, lt: prefixEnd(start), limit });
    return decodeRows(this.#layout, entries);
  }

  #encode(key: Key): Uint8Array {
    return encodeKey(this.#store.generation, this.#layout.tag.charCodeAt(0), key);
  }
}

async function* decodeRows<Value>(
  layout: TableLayout<Value>,
  entries: ReturnType<Kv["range"]>,
): AsyncGenerator<Row<Value>> {
  for await (const entry of entries) {
    const key = decodeTableKey(layout, entry.key);
    yield { key, value: decodeValue(layout, key, entry.value) };
  }
}

function lastPart(key: Key): KeyPart {
  return key.at(-1) ?? 0;
}

/** Text is compared by UTF-16 units, which for Latin-1 is by bytes, as on disk. */
function byLastPart(a: { readonly key: Key }, b: { readonly key: Key }): number {
  const left = lastPart(a.key);
  const right = lastPart(b.key);
  return left < right ? -1 : left > right ? 1 : 0;
}
