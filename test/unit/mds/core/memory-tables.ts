import type { SmallTable, Table, Tables } from "../../../../src/mds/core/tables.js";

type Part = number | string;

/**
 * The tables in memory, for tests of the core. Records are frozen when they are put, so that a change in place
 * throws; `dump` is the whole content in key order, for comparing two replicas.
 */
export class MemoryTables implements Tables {
  readonly inodes = memoryTable<"inodes">();
  readonly dentries = memoryTable<"dentries">();
  readonly xattrs = memoryTable<"xattrs">();
  readonly chunks = memoryTable<"chunks">();
  readonly fileChunks = memoryTable<"fileChunks">();
  readonly csChunks = memoryTable<"csChunks">();
  readonly deletions = memoryTable<"deletions">();
  readonly degraded = memoryTable<"degraded">();
  readonly events = memoryTable<"events">();
  readonly inlines = memoryTable<"inlines">();
  readonly cluster = memoryTable<"cluster">();
  readonly counters = memoryTable<"counters">();
  readonly sweeps = memoryTable<"sweeps">();
  readonly csCounts = memoryTable<"csCounts">();
  readonly minimumCounts = memoryTable<"minimumCounts">();
  readonly totals = memoryTable<"totals">();
  readonly config = memoryTable<"config">();
  readonly chunkServers = memoryTable<"chunkServers">();
  readonly mdsServers = memoryTable<"mdsServers">();
  readonly sessions = memoryTable<"sessions">();
  readonly opens = memoryTable<"opens">();
  readonly sessionOpens = memoryTable<"sessionOpens">();
  readonly writers = memoryTable<"writers">();
  readonly answers = memoryTable<"answers">();
  readonly recoveries = memoryTable<"recoveries">();
  readonly installing = memoryTable<"installing">();
  readonly locks = memoryTable<"locks">();
  readonly sessionLocks = memoryTable<"sessionLocks">();
  readonly reclaims = memoryTable<"reclaims">();

  /** Everything there is: table name -> list of [key, value], in key order. */
  dump(): Record<string, [key: readonly unknown[], value: unknown][]> {
    const result: Record<string, [readonly unknown[], unknown][]> = {};
    for (const [name, table] of Object.entries(this)) {
      if (table instanceof MemoryTable) result[name] = table.entries();
    }
    return result;
  }

  /** Goes back to what `dump` gave. */
  restore(dump: ReturnType<MemoryTables["dump"]>): void {
    for (const [name, table] of Object.entries(this)) {
      if (table instanceof MemoryTable) table.replace(dump[name] ?? []);
    }
  }
}

/** One table; listing yields a picture of the moment it was asked for, in key order. */
export class MemoryTable<Key extends readonly unknown[], Value> implements SmallTable<Key, Value> {
  readonly #records = new Map<string, { readonly key: readonly unknown[]; readonly value: Value }>();

  get(...key: Key): Value | undefined {
    return this.#records.get(textOf(key))?.value;
  }

  put(value: Value, ...key: Key): void {
    if (value === undefined) throw new Error("a record is put, not nothing");
    this.#records.set(textOf(key), { key, value: freeze(value) });
  }

  delete(...key: Key): void {
    this.#records.delete(textOf(key));
  }

  get size(): number {
    return this.#records.size;
  }

  values(): IterableIterator<Value> {
    return this.#sorted([])
      .map(({ value }) => value)
      [Symbol.iterator]();
  }

  valuesOf(...prefix: Partial<Key>): IterableIterator<Value> {
    return this.#sorted(prefix)
      .map(({ value }) => value)
      [Symbol.iterator]();
  }

  /** What tests may do beyond what the core may: list every table. */
  entries(): [readonly unknown[], Value][] {
    return this.#sorted([]).map(({ key, value }) => [key, value]);
  }

  replace(entries: readonly (readonly [key: readonly unknown[], value: Value])[]): void {
    this.#records.clear();
    for (const [key, value] of entries) this.#records.set(textOf(key), { key, value });
  }

  #sorted(prefix: readonly unknown[]): { readonly key: readonly unknown[]; readonly value: Value }[] {
    const found = [...this.#records.values()].filter(({ key }) => prefix.every((part, i) => key[i] === part));
    return found.sort((a, b) => compareKeys(a.key as readonly Part[], b.key as readonly Part[]));
  }
}

type KeyOf<T> = T extends Table<infer Key, infer _Value> ? Key : never;
type ValueOf<T> = T extends Table<infer _Key, infer Value> ? Value : never;

function memoryTable<Name extends keyof Tables>(): MemoryTable<KeyOf<Tables[Name]>, ValueOf<Tables[Name]>> {
  return new MemoryTable();
}

const textOf = (key: readonly unknown[]): string => JSON.stringify(key);

function compareKeys(a: readonly Part[], b: readonly Part[]): number {
  for (let i = 0; i < a.length; i++) {
    const left = a[i] as Part;
    const right = b[i] as Part;
    if (left < right) return -1;
    if (left > right) return 1;
  }
  return 0;
}

/** Deeply; byte arrays cannot be frozen and are left. */
function freeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value))
    return value;
  for (const part of Object.values(value)) freeze(part);
  return Object.freeze(value);
}
