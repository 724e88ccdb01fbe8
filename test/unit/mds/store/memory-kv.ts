import { compareBytes, storageError, toHex } from "../../../../src/base/index.js";
import type { Kv, KvChange, KvEntry, KvRange } from "../../../../src/io/index.js";

/** What a disk holds: all batches in order, and how many of them would survive a loss of power. */
export class MemoryKvDisk {
  readonly batches: (readonly KvChange[])[] = [];
  syncedCount = 0;

  /** Loses what was not synced, except for its first `kept` batches. */
  losePower(kept = 0): void {
    this.batches.length = Math.min(this.batches.length, this.syncedCount + kept);
    this.syncedCount = this.batches.length;
  }

  /** The entries after the first so many batches. */
  entriesAt(batchCount: number): Map<string, KvEntry> {
    const entries = new Map<string, KvEntry>();
    for (const batch of this.batches.slice(0, batchCount)) applyTo(entries, batch);
    return entries;
  }
}

/**
 * A store in memory. A batch is there some turns of the event loop after it was asked for; while `isHeld`, none is.
 * `failNext` makes the next one fail.
 */
export class MemoryKv implements Kv {
  readonly disk: MemoryKvDisk;
  readonly #entries: Map<string, KvEntry>;
  #tail: Promise<void> = Promise.resolve();
  #release: (() => void) | undefined;
  #held: Promise<void> = Promise.resolve();
  #isFailing = false;
  #isClosed = false;
  getCount = 0;

  constructor(disk: MemoryKvDisk = new MemoryKvDisk()) {
    this.disk = disk;
    this.#entries = disk.entriesAt(disk.batches.length);
  }

  hold(): void {
    if (this.#release !== undefined) return;
    this.#held = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  release(): void {
    this.#release?.();
    this.#release = undefined;
  }

  failNext(): void {
    this.#isFailing = true;
  }

  /** Changes a value behind everybody's back. */
  spoil(key: Uint8Array, value: Uint8Array): void {
    this.#entries.set(toHex(key), { key, value });
    this.disk.batches.push([{ type: "put", key, value }]);
    this.disk.syncedCount = this.disk.batches.length;
  }

  /** All entries in key order. */
  entries(): KvEntry[] {
    return [...this.#entries.values()].sort((a, b) => compareBytes(a.key, b.key));
  }

  get(key: Uint8Array): Uint8Array | undefined {
    this.getCount += 1;
    return this.#entries.get(toHex(key))?.value;
  }

  batch(changes: readonly KvChange[], { sync }: { readonly sync: boolean }): Promise<void> {
    if (this.#isClosed) return Promise.reject(storageError("closed"));
    const before = this.#tail;
    const write = async (): Promise<void> => {
      await before;
      await this.#held;
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.#isFailing) throw storageError("io_error", "the disk is broken");
      this.disk.batches.push(changes);
      applyTo(this.#entries, changes);
      if (sync) this.disk.syncedCount = this.disk.batches.length;
    };
    this.#tail = write();
    return this.#tail;
  }

  async *#iterate(entries: readonly KvEntry[]): AsyncGenerator<KvEntry> {
    for (const entry of entries) {
      await Promise.resolve();
      yield entry;
    }
  }

  range({ gte, lt, limit, reverse }: KvRange): AsyncIterable<KvEntry> {
    const found = this.entries().filter(
      ({ key }) => compareBytes(key, gte) >= 0 && compareBytes(key, lt) < 0,
    );
    if (reverse === true) found.reverse();
    return this.#iterate(found.slice(0, limit ?? found.length));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#tail.catch(() => undefined);
  }
}

function applyTo(entries: Map<string, KvEntry>, batch: readonly KvChange[]): void {
  for (const change of batch) {
    if (change.type === "delete") entries.delete(toHex(change.key));
    else entries.set(toHex(change.key), { key: change.key.slice(), value: change.value.slice() });
  }
}
