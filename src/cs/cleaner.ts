import type { Clock } from "../io/index.js";
import type { CsLimits } from "./environment.js";
import type { ReplicaTable } from "./replica-table.js";
import type { ChunkStore } from "./store/chunk-store.js";
import type { StoredReplica } from "./store/stored-replica.js";

const PERIOD_MS = 500;

/** Makes idle regions clean, so that little is distrusted after a crash. */
export class Cleaner {
  readonly #clock: Clock;
  readonly #limits: CsLimits;
  readonly #store: ChunkStore;
  readonly #table: ReplicaTable;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(clock: Clock, limits: CsLimits, store: ChunkStore, table: ReplicaTable) {
    this.#clock = clock;
    this.#limits = limits;
    this.#store = store;
    this.#table = table;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Cleans what was not used since then, which may be another moment for each replica. */
  async cleanAll(idleSinceMs: (stored: StoredReplica) => number): Promise<void> {
    for (const stored of [...this.#store.dirtyReplicas]) {
      const replica = this.#table.find(stored.chunkId);
      const isGone = replica?.stored !== stored || replica.failure !== undefined;
      if (isGone || stored.dirty.count === 0) {
        this.#store.dirtyReplicas.delete(stored);
        continue;
      }
      // Its files are about to go, or to be its successor's.
      if (replica.isEnded) continue;
      const regions = stored.dirty.cleanable(idleSinceMs(stored));
      if (regions.length > 0) await replica.clean(regions);
    }
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#clock.sleep("cs.clean", PERIOD_MS, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      const nowMs = this.#clock.monotonicMs();
      await this.cleanAll(({ dirty }) => nowMs - this.#limits.cleanIdleMs * dirty.patience);
      const excess = this.#dirtyCount() - this.#limits.dirtyRegionsMax;
      if (excess > 0) {
        const idleSinceMs = this.#longestUnused(excess, nowMs - PERIOD_MS / 2);
        await this.cleanAll(() => idleSinceMs);
      }
      this.#store.trim();
    }
  }

  /** Since when the so many longest unused regions are idle, all before `idleSinceMs`. */
  #longestUnused(count: number, idleSinceMs: number): number {
    const uses: number[] = [];
    for (const { dirty } of this.#store.dirtyReplicas) {
      uses.push(...dirty.lastUses(dirty.cleanable(idleSinceMs)));
    }
    uses.sort((a, b) => a - b);
    return uses[Math.min(count, uses.length) - 1] ?? idleSinceMs;
  }

  #dirtyCount(): number {
    let count = 0;
    for (const { dirty } of this.#store.dirtyReplicas) count += dirty.usedCount;
    return count;
  }
}
