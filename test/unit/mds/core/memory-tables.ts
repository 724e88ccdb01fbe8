import type { SmallTable, Tables } from "../../../../src/mds/core/tables.js";

type Part = number | string;

/**
 * The tables in memory, for tests of the core. Records are frozen when they are put, so that a change in place
 * throws; `dump` is the whole content in key order, for comparing two replicas.
 */
export class MemoryTables implements Tables {
  readonly inodes: Tables["inodes"] & Listable;
  readonly dentries: Tables["dentries"] & Listable;
  readonly xattrs: Tables["xattrs"] & Listable;
  readonly chunks: Tables["chunks"] & Listable;
  readonly fileChunks: Tables["fileChunks"] & Listable;
  readonly csChunks: Tables["csChunks"] & Listable;
  readonly deletions: Tables["deletions"] & Listable;
  readonly degraded: Tables["degraded"] & Listable;
  readonly events: Tables["events"] & Listable;
  readonly cluster: Tables["cluster"] & Listable;
  readonly counters: Tables["counters"] & Listable;
  readonly config: Tables["config"] & Listable;
  readonly chunkServers: Tables["chunkServers"] & Listable;
  readonly mdsServers: Tables["mdsServers"] & Listable;
  readonly sessions: Tables["sessions"] & Listable;
  readonly opens: Tables["opens"] & Listable;
  readonly sessionOpens: Tables["sessionOpens"] & Listable;
  readonly writers: Tables["writers"] & Listable;
  readonly answers: Tables["answers"] & Listable;
  readonly recoveries: Tables["recoveries"] & Listable;
  readonly installing: Tables["installing"] & Listable;
  readonly reclaims: Tables["reclaims"] & Listable;

  constructor() {
    this.inodes = new MemoryTable();
    this.dentries = new MemoryTable();
    this.xattrs = new MemoryTable();
    this.chunks = new MemoryTable();
    this.fileChunks = new MemoryTable();
    this.csChunks = new MemoryTable();
    this.deletions = new MemoryTable();
    this.degraded = new MemoryTable();
    this.events = new MemoryTable();
    this.cluster = new MemoryTable();
    this.counters = new MemoryTable();
    this.config = new MemoryTable();
    this.chunkServers = new MemoryTable();
    this.mdsServers = new MemoryTable();
    this.sessions = new MemoryTable();
    this.opens = new MemoryTable();
    this.sessionOpens = new MemoryTable();
    this.writers = new MemoryTable();
    this.answers = new MemoryTable();
    this.recoveries = new MemoryTable();
    this.installing = new MemoryTable();
    this.reclaims = new MemoryTable();
  }

  /** Everything there is: table name -> list of [key, value], in key order. */
  dump(): Record<string, [key: readonly unknown[], value: unknown][]> {
    const result: Record<string, [readonly unknown[], unknown][]> = {};
    for (const [name, table] of Object.entries(this)) {
      if (table instanceof MemoryTable) result[name] = table.entries();
    }
    return result;
  }
}

/** What tests may do beyond what the core may: list every table. */
export interface Listable {
  entries(): [key: readonly unknown[], value: unknown][];
}

/** One table; listing yields a picture of the moment it was asked for, in key order. */
export class MemoryTable<Key extends readonly unknown[], Value> implements SmallTable<Key, Value>, Listable {
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

  entries(): [readonly unknown[], Value][] {
    return this.#sorted([]).map(({ key, value }) => [key, value]);
  }

  #sorted(prefix: readonly unknown[]): { readonly key: readonly unknown[]; readonly value: Value }[] {
    const found = [...this.#records.values()].filter(({ key }) => prefix.every((part, i) => key[i] === part));
    return found.sort((a, b) => compareKeys(a.key as readonly Part[], b.key as readonly Part[]));
  }
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
