import type { ChunkId, CsId } from "../chunk/index.js";
import { configNumber } from "./core/cluster-config.js";
import type { ChunkAt } from "./core/command.js";
import { type DoubtReport, planConfirmation } from "./core/doubted-chunks.js";
import { epochOf, isOrphan, isOrphanDue } from "./core/epochs.js";
import type { Leadership } from "./leadership.js";

/** Confirmations proposed at once: they share the writes of the log. */
const STEPS_AT_ONCE = 500;
const DELETIONS_PER_COMMAND = 1000;

/**
 * What this leader has heard of chunks in doubt and of orphans, and what follows from it. Kept in memory: every server tells it
 * again to the next leader.
 */
export class RecoveredChunks {
  readonly #leadership: Leadership;
  readonly #reports = new Map<ChunkId, Map<CsId, DoubtReport>>();
  readonly #orphans = new Map<CsId, readonly ChunkAt[]>();
  /** Servers whose inventory this leader has. */
  readonly #heard = new Set<CsId>();
  /** Chunks to be looked at. */
  readonly #due = new Set<ChunkId>();
  #wasEveryoneHeard = false;

  constructor(leadership: Leadership) {
    this.#leadership = leadership;
  }

  /** Replicas of chunks that only the lost time knew. */
  get orphanCount(): number {
    let count = 0;
    for (const orphans of this.#orphans.values()) count += orphans.length;
    return count;
  }

  /** Somebody who is here has something of the chunk. */
  isReported(chunkId: ChunkId): boolean {
    return this.#reports.has(chunkId);
  }

  /** Servers that are neither heard nor removed: chunks may wait for them. */
  get awaitedServers(): CsId[] {
    const servers = [...this.#leadership.tables.chunkServers.values()];
    return servers
      .filter(({ csId, administration }) => administration !== "dropped" && !this.#heard.has(csId))
      .map(({ csId }) => csId);
  }

  /** There was time enough for servers that the metadata do not know, and all others are here or given up. */
  get isEveryoneHeard(): boolean {
    const { clock, beganMs, tables } = this.#leadership;
    const ledMs = clock.monotonicMs() - beganMs;
    return ledMs >= configNumber(tables, "mds.recovery.settle_time") && this.awaitedServers.length === 0;
  }

  reported(csId: CsId, doubted: ReadonlyMap<ChunkId, DoubtReport>, orphans: readonly ChunkAt[]): void {
    this.forget(csId);
    this.#heard.add(csId);
    if (orphans.length > 0) this.#orphans.set(csId, orphans);
    for (const [chunkId, report] of doubted) {
      const reports = this.#reports.get(chunkId) ?? new Map<CsId, DoubtReport>();
      reports.set(csId, report);
      this.#reports.set(chunkId, reports);
      this.#due.add(chunkId);
    }
  }

  forget(csId: CsId): void {
    this.#heard.delete(csId);
    this.#orphans.delete(csId);
    for (const [chunkId, reports] of this.#reports) {
      if (reports.delete(csId) && reports.size === 0) this.#reports.delete(chunkId);
    }
  }

  /** Confirms what can be confirmed, and lets orphans go whose time is over. */
  async round(): Promise<void> {
    if (epochOf(this.#leadership.tables) === 0) return;
    const { isEveryoneHeard } = this;
    if (isEveryoneHeard && !this.#wasEveryoneHeard) await this.#lookAtAll();
    this.#wasEveryoneHeard = isEveryoneHeard;
    await this.#confirm(isEveryoneHeard);
    await this.#dropOrphans();
  }

  /** Also those that nobody has reported. */
  async #lookAtAll(): Promise<void> {
    const { store, tables } = this.#leadership;
    let after: ChunkId | undefined;
    for (;;) {
      const page = await store.degradedPage(after, DELETIONS_PER_COMMAND);
      for (const chunkId of page) if (tables.chunks.get(chunkId)?.doubt !== undefined) this.#due.add(chunkId);
      after = page.at(-1);
      if (page.length < DELETIONS_PER_COMMAND) return;
    }
  }

  async #confirm(isEveryoneHeard: boolean): Promise<void> {
    const { tables } = this.#leadership;
    const world = { isHeard: (csId: CsId) => this.#heard.has(csId), isEveryoneHeard };
    const due = [...this.#due];
    this.#due.clear();
    for (let from = 0; from < due.length && !this.#leadership.isClosed; from += STEPS_AT_ONCE) {
      const steps = due.slice(from, from + STEPS_AT_ONCE).map(async (chunkId) => {
        const record = tables.chunks.get(chunkId);
        const reports = [...(this.#reports.get(chunkId)?.values() ?? [])];
        const body = record && planConfirmation(record, reports, world);
        if (body === undefined) return;
        if (await this.#leadership.proposeQuietly({ type: "confirmChunk", body }))
          this.#reports.delete(chunkId);
        else this.#due.add(chunkId);
      });
      await Promise.all(steps);
    }
  }

  async #dropOrphans(): Promise<void> {
    const { tables, clock } = this.#leadership;
    for (const [csId, orphans] of this.#orphans) {
      const left = orphans.filter(({ chunkId }) => isOrphan(tables, chunkId));
      const first = left[0];
      // They are all of one recovery, or of earlier ones, which are over sooner.
      if (first === undefined) this.#orphans.delete(csId);
      else if (isOrphanDue(tables, first.chunkId, clock.wallMs())) await this.#drop(csId, left);
    }
  }

  async #drop(csId: CsId, orphans: readonly ChunkAt[]): Promise<void> {
    for (let from = 0; from < orphans.length; from += DELETIONS_PER_COMMAND) {
      const unknown = orphans.slice(from, from + DELETIONS_PER_COMMAND);
      if (!(await this.#leadership.proposeQuietly({ type: "adoptReplicas", body: { csId, unknown } })))
        return;
    }
    this.#orphans.delete(csId);
  }
}
