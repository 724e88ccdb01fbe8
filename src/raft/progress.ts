/**
 * What a leader knows about one other member, and what it may send to it.
 *
 * - `probe`: where the logs meet is unknown; one append at a time until an answer or a heartbeat reply.
 * - `replicate`: entries are sent ahead of the answers, at most `maxInflight` messages.
 * - `snapshot`: nothing is sent until the shell reports how the snapshot went.
 *
 * Invariant: `match < next`, and everything up to `match` is durable at the member.
 */
export class Progress {
  readonly #maxInflight: number;
  #state: "probe" | "replicate" | "snapshot" = "probe";
  #match = 0;
  #next: number;
  /** Last index of every append under way, oldest first. */
  #inflight: number[] = [];
  /** Set when no append may go out before the member is heard of again. */
  #isPaused = false;
  #snapshotIndex = 0;
  /** Whether the member was heard of since the last check of the quorum. */
  isRecentlyActive = false;
  /** The same at that check. */
  #wasActive = false;
  /** The last heartbeat round it answered. */
  ackedRound = 0;

  constructor(next: number, maxInflight: number) {
    this.#next = next;
    this.#maxInflight = maxInflight;
  }

  /** Heard of in this period or the one before: a period that has just begun says nothing. */
  get isActive(): boolean {
    return this.isRecentlyActive || this.#wasActive;
  }

  /** A check of the quorum: the next period begins. */
  beginPeriod(): void {
    this.#wasActive = this.isRecentlyActive;
    this.isRecentlyActive = false;
  }

  get state(): "probe" | "replicate" | "snapshot" {
    return this.#state;
  }

  /** Highest index known to be durable at the member. */
  get match(): number {
    return this.#match;
  }

  /** The first entry that the next append will carry. */
  get next(): number {
    return this.#next;
  }

  /** The snapshot under way; 0 if none. */
  get snapshotIndex(): number {
    return this.#snapshotIndex;
  }

  get isPaused(): boolean {
    return this.#state === "snapshot" || this.#isPaused;
  }

  /** False when only an empty append may be sent, to find out whether the window was lost. */
  get mayCarryEntries(): boolean {
    return this.#state !== "replicate" || this.#inflight.length < this.#maxInflight;
  }

  /** An append with entries up to `lastIndex` (none if undefined) is on its way. */
  sent(lastIndex: number | undefined): void {
    if (this.#state === "probe") {
      this.#isPaused = true;
      return;
    }
    if (lastIndex !== undefined) {
      this.#next = lastIndex + 1;
      this.#inflight.push(lastIndex);
    }
    this.#isPaused = this.#inflight.length >= this.#maxInflight;
  }

  /** The member has everything up to `index`. True if that is news that lets it go on. */
  accepted(index: number): boolean {
    const isNews = index > this.#match || (index === this.#match && this.#state === "probe");
    if (!isNews) return false;
    this.#match = Math.max(this.#match, index);
    this.#next = Math.max(this.#next, index + 1);
    if (this.#state === "probe") this.#replicate();
    else if (this.#state === "snapshot" && this.#match >= this.#snapshotIndex) this.#replicate();
    else this.#free(index);
    return true;
  }

  #free(index: number): void {
    const keep = this.#inflight.findIndex((last) => last > index);
    const freed = keep === -1 ? this.#inflight.length : keep;
    if (freed === 0) return;
    this.#inflight.splice(0, freed);
    if (this.#state === "replicate") this.#isPaused = false;
  }

  /**
   * The member refused an append behind `index`; the logs meet at `hint` at most. False for an answer that is
   * older than what is known already.
   */
  rejected(index: number, hint: number): boolean {
    if (this.#state === "snapshot") return false;
    if (this.#state === "replicate") {
      if (index <= this.#match) return false;
      this.#probe(this.#match + 1);
      return true;
    }
    if (this.#next - 1 !== index) return false;
    this.#next = Math.max(Math.min(index, hint + 1), this.#match + 1);
    this.#isPaused = false;
    return true;
  }

  /** The member was heard of: it is worth another append. */
  resume(): void {
    this.#isPaused = false;
  }

  startSnapshot(index: number): void {
    this.#state = "snapshot";
    this.#snapshotIndex = index;
    this.#inflight = [];
    this.#isPaused = false;
  }

  /** The transfer is over. What follows waits for a sign of life, so that a broken member is not flooded. */
  endSnapshot(isRestored: boolean): void {
    if (this.#state !== "snapshot") return;
    const reached = isRestored ? this.#snapshotIndex : 0;
    this.#probe(Math.max(this.#match, reached) + 1);
    this.#isPaused = true;
  }

  #probe(next: number): void {
    this.#state = "probe";
    this.#next = next;
    this.#inflight = [];
    this.#isPaused = false;
    this.#snapshotIndex = 0;
  }

  #replicate(): void {
    this.#state = "replicate";
    this.#next = this.#match + 1;
    this.#inflight = [];
    this.#isPaused = false;
    this.#snapshotIndex = 0;
  }
}
