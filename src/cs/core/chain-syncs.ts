import type { ChainOutput } from "./chain-output.js";

interface PendingSync {
  readonly requestId: number;
  isLocal: boolean;
  isPassed: boolean;
}

/** Syncs of one chunk under way: each is answered when it is done here and by everybody behind. */
export class ChainSyncs {
  readonly #out: ChainOutput;
  readonly #pending = new Map<number, PendingSync>();

  constructor(out: ChainOutput) {
    this.#out = out;
  }

  get isEmpty(): boolean {
    return this.#pending.size === 0;
  }

  add(syncId: number, requestId: number, hasSuccessor: boolean): void {
    this.#pending.set(syncId, { requestId, isLocal: false, isPassed: !hasSuccessor });
  }

  storedLocally(syncId: number): void {
    const sync = this.#pending.get(syncId);
    if (sync === undefined) return;
    sync.isLocal = true;
    this.#finish(syncId, sync);
  }

  passed(syncId: number): void {
    const sync = this.#pending.get(syncId);
    if (sync === undefined) return;
    sync.isPassed = true;
    this.#finish(syncId, sync);
  }

  /** There is nobody behind any more. */
  passedAll(): void {
    for (const syncId of [...this.#pending.keys()]) this.passed(syncId);
  }

  unpassedIds(): number[] {
    return [...this.#pending].filter(([, { isPassed }]) => !isPassed).map(([syncId]) => syncId);
  }

  /** Gives up those that wait for somebody behind; returns their requests. */
  takeUnpassed(): number[] {
    return this.unpassedIds().map((syncId) => this.#take(syncId));
  }

  /** Gives up everything; returns the requests. */
  clear(): number[] {
    return [...this.#pending.keys()].map((syncId) => this.#take(syncId));
  }

  #finish(syncId: number, { requestId, isLocal, isPassed }: PendingSync): void {
    if (!isLocal || !isPassed) return;
    this.#pending.delete(syncId);
    this.#out.done(requestId);
  }

  #take(syncId: number): number {
    const requestId = this.#pending.get(syncId)?.requestId ?? 0;
    this.#pending.delete(syncId);
    return requestId;
  }
}
