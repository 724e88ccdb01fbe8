import { failureOf, type StorageError, storageError } from "../../base/index.js";
import type { Kv, KvEntry } from "../../io/index.js";
import { generationStart } from "./keys.js";
import type { Applied, LevelTables } from "./level-tables.js";

/** A picture of the whole state at one entry of the log. */
export interface StatePicture {
  readonly applied: Applied;
  readonly entries: AsyncIterable<KvEntry>;
}

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: StorageError) => void;
}

/**
 * Writes what was applied behind the applying, one batch after the other. A batch holds all changes since the one
 * before and the number of the last entry, so that the state on disk is always one that the log went through: after a
 * crash the rest of the log is simply applied again.
 */
export class StateWriter {
  readonly #kv: Kv;
  readonly #tables: LevelTables;
  #applied: Applied;
  #written: Applied;
  #isRunning = false;
  #failure: StorageError | undefined;
  #persisting: Waiter<number>[] = [];
  #picturing: Waiter<StatePicture>[] = [];
  #idle: (() => void)[] = [];

  constructor(kv: Kv, tables: LevelTables, applied: Applied) {
    this.#kv = kv;
    this.#tables = tables;
    this.#applied = applied;
    this.#written = applied;
  }

  get failure(): StorageError | undefined {
    return this.#failure;
  }

  /** The tables have moved on to that entry. */
  wrote(applied: Applied): void {
    this.#applied = applied;
    this.#start();
  }

  /** Everything up to now is safe from loss of power when it resolves, with the index of the last entry of it. */
  persist(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#persisting.push({ resolve, reject });
      this.#start();
    });
  }

  /** The state of now or a little later. */
  picture(): Promise<StatePicture> {
    return new Promise((resolve, reject) => {
      this.#picturing.push({ resolve, reject });
      this.#start();
    });
  }

  /** Resolves when nothing is being written, nor waits to be. */
  async flush(): Promise<void> {
    if (this.#isRunning) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Nothing is written any more: what is in memory is not what the log says. */
  halt(failure: StorageError): void {
    this.#failure ??= failure;
  }

  /** The state on disk was replaced by another one. */
  restart(applied: Applied): void {
    this.#applied = applied;
    this.#written = applied;
  }

  #start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** Never rejects: whoever waits is told. */
  async #run(): Promise<void> {
    // Entries that are applied in the same turn share a batch.
    await Promise.resolve();
    try {
      while (this.#hasWork() && this.#failure === undefined) await this.#writeBatch();
    } catch (error) {
      this.halt(asFailure(error));
    }
    if (this.#failure !== undefined) this.#rejectAll(this.#failure);
    this.#isRunning = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #hasWork(): boolean {
    return (
      this.#written.index < this.#applied.index || this.#persisting.length > 0 || this.#picturing.length > 0
    );
  }

  async #writeBatch(): Promise<void> {
    const applied = this.#applied;
    const persisting = this.#persisting.splice(0);
    const picturing = this.#picturing.splice(0);
    try {
      const batch = this.#tables.takeBatch(applied);
      await this.#kv.batch(batch.changes, { sync: persisting.length > 0, label: "mds.state.write" });
      batch.settle();
    } catch (error) {
      const failure = asFailure(error);
      for (const waiter of [...persisting, ...picturing]) waiter.reject(failure);
      throw error;
    }
    this.#written = applied;
    for (const waiter of persisting) waiter.resolve(applied.index);
    for (const waiter of picturing) waiter.resolve({ applied, entries: this.#entries() });
  }

  /** Of the state on disk, which is that of the batch that has just been written. */
  #entries(): AsyncIterable<KvEntry> {
    const { generation } = this.#tables;
    return this.#kv.range({ gte: generationStart(generation), lt: generationStart(generation + 1) });
  }

  #rejectAll(failure: StorageError): void {
    for (const waiter of this.#persisting.splice(0)) waiter.reject(failure);
    for (const waiter of this.#picturing.splice(0)) waiter.reject(failure);
  }
}

/** A failure stays one; anything else is a bug, but those who wait are to be told all the same. */
function asFailure(error: unknown): StorageError {
  const failure = failureOf(error);
  return failure === undefined
    ? storageError("io_error", `the metadata could not be written: ${String(error)}`, error)
    : (error as StorageError);
}
