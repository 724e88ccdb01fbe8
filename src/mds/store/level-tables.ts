import type { Kv, KvChange } from "../../io/index.js";
import type { Table, Tables } from "../core/tables.js";
import { encodeKey, generationStart, tagOf } from "./keys.js";
import { LargeTable, type StateStore } from "./large-table.js";
import { ResidentTable } from "./resident-table.js";
import {
  decodeTableKey,
  decodeValue,
  encodeChange,
  type Key,
  type StoredTable,
  type TableLayout,
} from "./stored-table.js";
import { APPLIED_LAYOUT, LARGE_LAYOUTS, SMALL_LAYOUTS } from "./table-layouts.js";

/** The last entry of the log that a state contains, and its term. */
export interface Applied {
  readonly index: number;
  readonly term: number;
}

export interface TakenBatch {
  readonly changes: readonly KvChange[];
  /** To be called when the batch is on disk. */
  readonly settle: () => void;
}

/** Decoded records kept of each large table: those that are read again and again. */
const CACHED_COUNT = 20_000;
/** Of tables that are hardly ever read by key. */
const CACHED_COUNT_SMALL = 1000;
/** Contents of files: some megabytes at most. */
const CACHED_COUNT_CONTENTS = 100;

type KeyOf<T> = T extends Table<infer K, infer _V> ? (K extends Key ? K : never) : never;
type ValueOf<T> = T extends Table<infer _K, infer V> ? V : never;
type Large<Name extends keyof typeof LARGE_LAYOUTS> = LargeTable<KeyOf<Tables[Name]>, ValueOf<Tables[Name]>>;
type Resident<Name extends keyof typeof SMALL_LAYOUTS> = ResidentTable<
  KeyOf<Tables[Name]>,
  ValueOf<Tables[Name]>
>;

/** The replicated state over a key-value store. What is changed is visible at once, and on disk when the writer has been. */
export class LevelTables implements Tables {
  readonly #store: { kv: Kv; generation: number };
  readonly #tables: (StoredTable & { reset(): void })[] = [];
  readonly #resident = new Map<string, ResidentTable<Key, unknown>>();

  readonly inodes: Large<"inodes">;
  readonly dentries: Large<"dentries">;
  readonly xattrs: Large<"xattrs">;
  readonly chunks: Large<"chunks">;
  readonly fileChunks: Large<"fileChunks">;
  readonly csChunks: Large<"csChunks">;
  readonly deletions: Large<"deletions">;
  readonly degraded: Large<"degraded">;
  readonly events: Large<"events">;
  readonly inlines: Large<"inlines">;
  readonly answers: Resident<"answers">;
  readonly locks: Resident<"locks">;
  readonly sessionLocks: Resident<"sessionLocks">;
  readonly cluster: Resident<"cluster">;
  readonly chunkServers: Resident<"chunkServers">;
  readonly csCounts: Resident<"csCounts">;
  readonly minimumCounts: Resident<"minimumCounts">;
  readonly config: Resident<"config">;
  readonly reclaims: Resident<"reclaims">;
  readonly installing: Resident<"installing">;
  readonly mdsServers: Resident<"mdsServers">;
  readonly counters: Resident<"counters">;
  readonly opens: Resident<"opens">;
  readonly sessionOpens: Resident<"sessionOpens">;
  readonly recoveries: Resident<"recoveries">;
  readonly sessions: Resident<"sessions">;
  readonly totals: Resident<"totals">;
  readonly sweeps: Resident<"sweeps">;
  readonly writers: Resident<"writers">;

  private constructor(kv: Kv, generation: number) {
    this.#store = { kv, generation };
    this.inodes = this.#large(LARGE_LAYOUTS.inodes, CACHED_COUNT);
    this.dentries = this.#large(LARGE_LAYOUTS.dentries, CACHED_COUNT);
    this.xattrs = this.#large(LARGE_LAYOUTS.xattrs, CACHED_COUNT_SMALL);
    this.chunks = this.#large(LARGE_LAYOUTS.chunks, CACHED_COUNT);
    this.fileChunks = this.#large(LARGE_LAYOUTS.fileChunks, CACHED_COUNT);
    this.csChunks = this.#large(LARGE_LAYOUTS.csChunks, CACHED_COUNT_SMALL);
    this.deletions = this.#large(LARGE_LAYOUTS.deletions, CACHED_COUNT_SMALL);
    this.degraded = this.#large(LARGE_LAYOUTS.degraded, CACHED_COUNT_SMALL);
    this.events = this.#large(LARGE_LAYOUTS.events, CACHED_COUNT_SMALL);
    this.inlines = this.#large(LARGE_LAYOUTS.inlines, CACHED_COUNT_CONTENTS);
    this.answers = this.#small(SMALL_LAYOUTS.answers);
    this.locks = this.#small(SMALL_LAYOUTS.locks);
    this.sessionLocks = this.#small(SMALL_LAYOUTS.sessionLocks);
    this.cluster = this.#small(SMALL_LAYOUTS.cluster);
    this.chunkServers = this.#small(SMALL_LAYOUTS.chunkServers);
    this.csCounts = this.#small(SMALL_LAYOUTS.csCounts);
    this.minimumCounts = this.#small(SMALL_LAYOUTS.minimumCounts);
    this.config = this.#small(SMALL_LAYOUTS.config);
    this.reclaims = this.#small(SMALL_LAYOUTS.reclaims);
    this.installing = this.#small(SMALL_LAYOUTS.installing);
    this.mdsServers = this.#small(SMALL_LAYOUTS.mdsServers);
    this.counters = this.#small(SMALL_LAYOUTS.counters);
    this.opens = this.#small(SMALL_LAYOUTS.opens);
    this.sessionOpens = this.#small(SMALL_LAYOUTS.sessionOpens);
    this.recoveries = this.#small(SMALL_LAYOUTS.recoveries);
    this.sessions = this.#small(SMALL_LAYOUTS.sessions);
    this.totals = this.#small(SMALL_LAYOUTS.totals);
    this.sweeps = this.#small(SMALL_LAYOUTS.sweeps);
    this.writers = this.#small(SMALL_LAYOUTS.writers);
  }

  /** Loads the small tables; the time does not depend on the size of the large ones. */
  static async load(kv: Kv, generation: number): Promise<{ tables: LevelTables; applied: Applied }> {
    const tables = new LevelTables(kv, generation);
    return { tables, applied: await tables.#loadSmall() };
  }

  get generation(): number {
    return this.#store.generation;
  }

  /** Turns to another state on disk. */
  async reload(generation: number): Promise<Applied> {
    this.#store.generation = generation;
    for (const table of this.#tables) table.reset();
    return await this.#loadSmall();
  }

  /** Everything changed since the last call, and that it contains the log up to `applied`. */
  takeBatch(applied: Applied): TakenBatch {
    const { generation } = this.#store;
    const taken = this.#tables.map((table) => table.takeChanges(generation));
    const changes = taken.flatMap((part) => part.changes);
    changes.push(encodeChange(APPLIED_LAYOUT, generation, { key: [], value: applied }));
    const settle = (): void => {
      for (const part of taken) part.settle();
    };
    return { changes, settle };
  }

  /** Small tables have lower-case tags, and so lie together. */
  async #loadSmall(): Promise<Applied> {
    const { kv, generation } = this.#store;
    const range = {
      gte: encodeKey(generation, "a".charCodeAt(0), []),
      lt: generationStart(generation + 1),
    };
    let applied: Applied = { index: 0, term: 0 };
    for await (const entry of kv.range(range)) {
      const tag = String.fromCharCode(tagOf(entry.key));
      if (tag === APPLIED_LAYOUT.tag) applied = decodeValue(APPLIED_LAYOUT, [], entry.value);
      else this.#loadRecord(tag, entry.key, entry.value);
    }
    return applied;
  }

  #loadRecord(tag: string, keyBytes: Uint8Array, bytes: Uint8Array): void {
    const table = this.#resident.get(tag);
    // A newer program's table would come with a newer format of the state, which is refused before.
    if (table === undefined) throw new Error(`a small table has the unknown tag ${tag}`);
    const key = decodeTableKey(table.layout, keyBytes);
    table.load(key, decodeValue(table.layout, key, bytes));
  }

  #large<K extends Key, Value>(layout: TableLayout<Value>, cachedCount: number): LargeTable<K, Value> {
    const store: StateStore = this.#store;
    const table = new LargeTable<K, Value>(layout, store, cachedCount);
    this.#tables.push(table);
    return table;
  }

  #small<K extends Key, Value>(layout: TableLayout<Value>): ResidentTable<K, Value> {
    const table = new ResidentTable<K, Value>(layout);
    this.#tables.push(table);
    this.#resident.set(layout.tag, table as unknown as ResidentTable<Key, unknown>);
    return table;
  }
}
