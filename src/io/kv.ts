/** One change of a batch. */
export type KvChange =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "delete"; readonly key: Uint8Array };

/** Keys in [gte, lt), bytewise order; `reverse` gives the highest first. */
export interface KvRange {
  readonly gte: Uint8Array;
  readonly lt: Uint8Array;
  readonly limit?: number | undefined;
  readonly reverse?: boolean | undefined;
}

export interface KvEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/**
 * An ordered store of byte strings: LevelDB, or the simulator's.
 *
 * Batches are atomic. A batch that resolved survives a crash of the process. A batch written with `sync`, and
 * every batch that resolved before it, survives loss of power; others may be lost then, always a suffix.
 *
 * A batch that failed may be there or not. After it the store refuses every later one until it is opened again.
 */
export interface Kv {
  /** Synchronous point read, some 5 us. Sees every batch that has resolved. */
  get(key: Uint8Array): Uint8Array | undefined;
  /**
   * Batches are applied in the order of the calls, also when callers do not wait in between. The bytes must not
   * change until it resolves.
   */
  batch(
    changes: readonly KvChange[],
    options: { readonly sync: boolean; readonly label: string },
  ): Promise<void>;
  /** Entries as they were at the moment of the call; batches made during the iteration are not seen. */
  range(range: KvRange): AsyncIterable<KvEntry>;
  /** Idempotent. Batches under way are completed first; later calls fail with `closed`. */
  close(): Promise<void>;
}
