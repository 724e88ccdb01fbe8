import type { RaftMessage, Ready, SnapshotMeta } from "../raft/index.js";
import type { BusyTime } from "../telemetry/index.js";
import type { RaftLogStore, RaftWrite } from "./store/raft-log.js";

/** What a persister tells its replica. */
export interface PersisterEvents {
  /** Everything up to the Ready of that number is durable; now these messages may go. */
  readonly persisted: (readyNumber: number, messages: readonly RaftMessage[]) => void;
  readonly failed: (error: unknown) => void;
}

/** Commit indexes alone are written with the next entries, but at least every so many Readys. */
const READYS_WITHOUT_WRITE = 256;

/**
 * Writes what Readys want to have durable, in their order: one write at a time, and everything that came during it
 * together in the next one. Nothing is written any more after a failure.
 */
export class Persister {
  readonly #store: RaftLogStore;
  readonly #logTime: BusyTime;
  readonly #events: PersisterEvents;
  #waiting: Ready[] = [];
  /** Taken from Readys that needed no sync, for the next write. */
  #held: RaftWrite[] = [];
  #heldCount = 0;
  #compactions: { readonly plan: Plan; readonly done: () => void }[] = [];
  #running: Promise<void> | undefined;
  #isStopped = false;

  /** `logTime`: counts for how long it has been writing. */
  constructor(store: RaftLogStore, logTime: BusyTime, events: PersisterEvents) {
    this.#store = store;
    this.#logTime = logTime;
    this.#events = events;
  }

  add(ready: Ready): void {
    this.#waiting.push(ready);
    this.#start();
  }

  /**
   * Compacts the log between two writes, when no new start of the log is waiting to be written. The plan is made at
   * that moment.
   */
  between(plan: Plan): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    return new Promise((done) => {
      this.#compactions.push({ plan, done });
      this.#start();
    });
  }

  /** Nothing new is begun. */
  stop(): void {
    this.#isStopped = true;
    for (const { done } of this.#compactions.splice(0)) done();
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    await this.#running;
  }

  #start(): void {
    if (this.#running !== undefined || this.#isStopped) return;
    if (!this.#hasWork) return;
    this.#running = this.#run()
      .catch((error: unknown) => {
        this.#isStopped = true;
        this.#events.failed(error);
      })
      .finally(() => {
        this.#running = undefined;
        this.#start();
      });
  }

  get #hasWork(): boolean {
    return this.#waiting.length > 0 || this.#compactions.length > 0;
  }

  async #run(): Promise<void> {
    while (this.#hasWork && !this.#isStopped) {
      await this.#write();
      await this.#compact();
    }
  }

  async #write(): Promise<void> {
    const batch = this.#waiting;
    const last = batch.at(-1);
    if (last === undefined) return;
    this.#waiting = [];
    for (const { snapshot, hardState, entries } of batch) {
      if (snapshot !== undefined || hardState !== undefined || entries.length > 0) {
        this.#held.push({ snapshot, hardState, entries });
      }
    }
    this.#heldCount += batch.length;
    const mustSync = batch.some((ready) => ready.mustSync);
    if (mustSync || this.#heldCount > READYS_WITHOUT_WRITE) {
      const writes = this.#held;
      this.#held = [];
      this.#heldCount = 0;
      await this.#logTime.during(() => this.#store.persist(writes, mustSync));
    }
    if (this.#isStopped) return;
    const messages = batch.flatMap((ready) => ready.messagesAfterPersist);
    this.#events.persisted(last.number, messages);
  }

  async #compact(): Promise<void> {
    if (this.#waiting.some((ready) => ready.snapshot !== undefined)) return;
    for (const { plan, done } of this.#compactions.splice(0)) {
      const meta = this.#isStopped ? undefined : plan(this.#store);
      if (meta !== undefined) await this.#store.compact(meta);
      done();
    }
  }
}

/** Where the log may be compacted to, or undefined if it may not. */
type Plan = (store: RaftLogStore) => SnapshotMeta | undefined;
