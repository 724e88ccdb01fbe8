interface PendingSync {
  readonly requestId: number;
  isLocal: boolean;
  isPassed: boolean;
}

/** Syncs of one chunk under way: each is answered when it is done here and by everybody behind. */
export class ChainSyncs {
  readonly #pending = new Map<number, PendingSync>();

  get isEmpty(): boolean {
    return this.#pending.size === 0;
  }

  add(syncId: number, requestId: number, hasSuccessor: boolean): void {
    this.#pending.set(syncId, { requestId, isLocal: false, isPassed: !hasSuccessor });
  }

  /** Returns the request to be answered, if both parts are done now. */
  storedLocally(syncId: number): number | undefined {
    const sync = this.#pending.get(syncId);
    if (sync === undefined) return undefined;
    sync.isLocal = true;
    return this.#finish(syncId, sync);
  }

  passed(syncId: number): number | undefined {
    const sync = this.#pending.get(syncId);
    if (sync === undefined) return undefined;
    sync.isPassed = true;
    return this.#finish(syncId, sync);
  }

  /** There is nobody behind any more. Returns the requests to be answered. */
  passedAll(): number[] {
    const ids = [...this.#pending.keys()];
    return ids.map((syncId) => this.passed(syncId)).filter((id) => id !== undefined);
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

  #finish(syncId: number, { requestId, isLocal, isPassed }: PendingSync): number | undefined {
    if (!isLocal || !isPassed) return undefined;
    this.#pending.delete(syncId);
    return requestId;
  }

  #take(syncId: number): number {
    const requestId = this.#pending.get(syncId)?.requestId ?? 0;
    this.#pending.delete(syncId);
    return requestId;
  }
}
