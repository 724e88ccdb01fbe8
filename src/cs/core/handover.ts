/**
 * An install of the head that is not answered yet: everything that was in order when it came must be acknowledged by
 * the new chain first, and the truncation that came with it carried out.
 */
export class Handover {
  readonly requestId: number;
  /** Number of the last change that is handed over. */
  readonly #order: number;
  readonly truncateId: number | undefined;

  constructor(requestId: number, order: number, truncateId: number | undefined) {
    this.requestId = requestId;
    this.#order = order;
    this.truncateId = truncateId;
  }

  /** `oldest`: number of the oldest change not acknowledged. `holds`: whether a change is still under way. */
  isOver(oldest: number | undefined, holds: (changeId: number) => boolean): boolean {
    if (oldest !== undefined && oldest <= this.#order) return false;
    return this.truncateId === undefined || !holds(this.truncateId);
  }
}
