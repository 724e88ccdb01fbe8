import { type Prng, type StorageError, storageError } from "../../../src/base/index.js";
import type { Kv, KvChange, KvEntry, KvRange } from "../../../src/io/index.js";
import type { DiskOperations } from "./disk-operations.js";
import type { SimStore } from "./sim-store.js";

interface Waiting {
  readonly changes: readonly KvChange[];
  readonly sync: boolean;
  readonly label: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * An ordered store as one life of a process has it open; its contents are in `SimStore`.
 *
 * Fault model: batches that wait together are written together, in order. When a write fails or the process dies
 * during it, some of its first batches are there, each of them whole. After a failed write the store refuses every
 * later one, as the real one does.
 */
export class SimKv implements Kv {
  readonly #operations: DiskOperations;
  readonly #store: SimStore;
  readonly #path: string;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #failure: unknown;
  #closing: Promise<void> | undefined;

  constructor(operations: DiskOperations, store: SimStore, path: string) {
    this.#operations = operations;
    this.#store = store;
    this.#path = path;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#closing !== undefined) throw this.#closedError();
    return this.#store.get(key);
  }

  batch(
    changes: readonly KvChange[],
    options: { readonly sync: boolean; readonly label: string },
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const refusal = this.#closing === undefined ? this.#failure : this.#closedError();
      if (refusal !== undefined) {
        reject(refusal);
        return;
      }
      this.#waiting.push({ changes, ...options, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  range(range: KvRange): AsyncIterable<KvEntry> {
    if (this.#closing !== undefined) throw this.#closedError();
    return this.#iterate(this.#store.range(range));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writing;
    if (this.#operations.process.isAlive) this.#store.owner = undefined;
  }

  async *#iterate(entries: readonly KvEntry[]): AsyncGenerator<KvEntry> {
    const what = `read store ${this.#path}`;
    const complete = (): void => undefined;
    await this.#operations.call({ operation: "read", what, labels: ["kv.range"], complete });
    for (const entry of entries) {
      if (this.#closing !== undefined) throw this.#closedError();
      yield entry;
    }
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      await this.#writeGroup(group);
    }
    this.#writing = undefined;
  }

  /** Never rejects: every waiting caller is told. */
  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure;
      const sync = group.some((waiting) => waiting.sync);
      await this.#operations.call({
        operation: sync ? "sync" : "write",
        what: `write store ${this.#path} ${group.length} batches`,
        labels: [...new Set(group.map((waiting) => waiting.label))],
        complete: () => this.#apply(group, sync),
        breakOff: (prng) => this.#applySome(group, prng),
      });
      for (const waiting of group) waiting.resolve();
    } catch (error) {
      this.#failure ??= error;
      for (const waiting of group) waiting.reject(error);
    }
  }

  #apply(group: readonly Waiting[], sync: boolean): void {
    for (const { changes } of group) {
      const bytes = changes.reduce((sum, change) => sum + sizeOf(change), 0);
      this.#operations.media.reserve(bytes, `write store ${this.#path}`);
      this.#store.apply(changes);
    }
    if (sync) this.#store.sync();
  }

  #applySome(group: readonly Waiting[], prng: Prng): void {
    for (const { changes } of group.slice(0, prng.between(0, group.length))) this.#store.apply(changes);
  }

  #closedError(): StorageError {
    return storageError("closed", `store ${this.#path} is closed`);
  }
}

function sizeOf(change: KvChange): number {
  return change.type === "put" ? change.key.length + change.value.length : 0;
}
