import { failureOf, type StorageError, storageError } from "../../base/index.js";
import type { Clock, Kv, KvEntry, Timer } from "../../io/index.js";
import { generationStart } from "./keys.js";
import type { Applied, LevelTables } from "./level-tables.js";

/** A picture of the whole state at one entry of the log. */
export interface StatePicture {
  readonly applied: Applied;
  readonly entries: AsyncIterable<KvEntry>;
}

/**
 * What is applied waits this long for more: a record that changes again and again (a directory's times, a counter, a
 * session) is written once.
 */
const DELAY_MS = 200;
/** So many entries wait for no more: taking a batch of them costs some milliseconds of the thread that serves. */
const ENTRIES_MAX = 256;

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: StorageError) => void;
}

/**
 * Writes what was applied some time behind the applying, one batch after the other. A batch holds all changes since the
 * one before and the number of the last entry, so that the state on disk is always one that the log went through: after
 * a crash the rest of the log is simply applied again.
 */
export class StateWriter {
  readonly #kv: Kv;
  readonly #tables: LevelTables;
  readonly #clock: Clock;
  #applied: Applied;
  #written: Applied;
  #isRunning = false;
  #delay: Timer | undefined;
  #failure: StorageError | undefined;
  #persisting: Waiter<number>[] = [];
  #picturing: Waiter<StatePicture>[] = [];
  #idle: (() => void)[] = [];

  constructor(kv: Kv, tables: LevelTables, applied: Applied, clock: Clock) {
    this.#kv = kv;
    this.#tables = tables;
    this.#clock = clock;
    this.#applied = applied;
    this.#written = applied;
  }

  get failure(): StorageError | undefined {
    return this.#failure;
  }

  /** The tables have moved on to that entry. */
  wrote(applied: Applied): void {
    this.#applied = applied;
    if (this.#waitingCount >= ENTRIES_MAX) this.#start();
    else if (!this.#isRunning) this.#startLater();
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
    if (this.#waitingCount > 0 && this.#failure === undefined) this.#start();
    if (this.#isRunning) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Nothing is written any more: what is in memory is not what the log says. */
  halt(failure: StorageError): void {
    this.#failure ??= failure;
    this.#delay?.cancel();
  }

  /** The state on disk was replaced by another one. */
  restart(applied: Applied): void {
    this.#delay?.cancel();
    this.#delay = undefined;
    this.#applied = applied;
    this.#written = applied;
  }

  /** Applied entries that are not on disk. */
  get #waitingCount(): number {
    return this.#applied.index - this.#written.index;
  }

  #startLater(): void {
    this.#delay ??= this.#clock.after("mds.state.write", DELAY_MS, () => this.#start());
  }

  #start(): void {
    this.#delay?.cancel();
    this.#delay = undefined;
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#run();
  }

  /** Never rejects: whoever waits is told. */
  async #run(): Promise<void> {
    // Entries that are applied in the same turn share a batch.
    await Promise.resolve();
    try {
      do {
        if (this.#failure === undefined) await this.#writeBatch();
      } while (this.#failure === undefined && this.#isUrgent());
    } catch (error) {
      this.halt(asFailure(error));
    }
    this.#isRunning = false;
    if (this.#failure !== undefined) this.#rejectAll(this.#failure);
    else if (this.#waitingCount > 0) this.#startLater();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #isUrgent(): boolean {
    if (this.#persisting.length > 0 || this.#picturing.length > 0) return true;
    return this.#waitingCount >= (this.#idle.length > 0 ? 1 : ENTRIES_MAX);
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
