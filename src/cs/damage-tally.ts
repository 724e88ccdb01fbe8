import type { ChunkId, ReportDamage } from "../chunk/index.js";
import type { MendOutcome } from "./mending.js";

/** Adds up the damage that was found, until the cluster is told: a dying disk must not fill the event log. */
export class DamageTally {
  readonly #onFound: (blockCount: number) => void;
  #number = 0;
  #pending: Omit<ReportDamage, "number"> | undefined;

  /** `onFound` hears at once how many blocks were found damaged. */
  constructor(onFound: (blockCount: number) => void) {
    this.#onFound = onFound;
  }

  found(
    chunkId: ChunkId,
    offset: number,
    { mendedCount, lostCount, strangeCount, postponedCount }: MendOutcome,
  ): void {
    this.#onFound(mendedCount + lostCount + strangeCount + postponedCount);
    // What was postponed is found again.
    if (mendedCount + lostCount + strangeCount === 0) return;
    this.#pending = {
      mendedCount: (this.#pending?.mendedCount ?? 0) + mendedCount,
      lostCount: (this.#pending?.lostCount ?? 0) + lostCount,
      replacedCount: (this.#pending?.replacedCount ?? 0) + strangeCount,
      chunkId,
      offset,
    };
  }

  /** What was found since the last call. */
  take(): ReportDamage | undefined {
    if (this.#pending === undefined) return undefined;
    const report = { number: ++this.#number, ...this.#pending };
    this.#pending = undefined;
    return report;
  }
}
