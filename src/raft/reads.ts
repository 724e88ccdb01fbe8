import type { ReadState } from "./ready.js";

/**
 * Reads that wait until this leader knows that it still was the leader after they were asked for, and the lease.
 *
 * Every broadcast of heartbeats is a numbered round. A read may be answered when a majority has replied to a round
 * that was *sent after the read came in*. One round serves all the reads that came before it; those that come while
 * a round is under way share the next one.
 *
 * The lease: who replied to a round protects this leader for `electionTicksMin` ticks from the moment it *received*
 * the round (see `isProtectingLeader`), which is not before it was sent. So for that long, minus drift, counted
 * from the sending of the latest round that a majority replied to, nobody else can have been elected. The leader
 * measures with the monotonic time that its caller passes in, not in ticks: a leader that was paused finds its
 * lease over, although it has not ticked.
 */
export class Reads {
  readonly #leaseMs: number;
  #round = 0;
  #confirmed = 0;
  /** Send times of the rounds after the confirmed one, oldest first. */
  #sentAtMs: { readonly round: number; readonly atMs: number }[] = [];
  #leaseStartMs = Number.NEGATIVE_INFINITY;
  /** Never again in this term: somebody was told to start an election, and that message may come late. */
  #isLeaseGivenUp = false;
  #waiting: { readonly context: number; readonly index: number; readonly round: number }[] = [];

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** The latest round that was sent. */
  get round(): number {
    return this.#round;
  }

  /** Whether somebody waits for a round that was not sent yet. */
  get needsRound(): boolean {
    return this.#waiting.some((read) => read.round > this.#round);
  }

  /** Whether reads wait for replies to a round under way. */
  get isRoundUnderWay(): boolean {
    return this.#waiting.some((read) => read.round <= this.#round);
  }

  hasLease(nowMs: number): boolean {
    return !this.#isLeaseGivenUp && nowMs < this.#leaseStartMs + this.#leaseMs;
  }

  giveUpLease(): void {
    this.#isLeaseGivenUp = true;
  }

  /** `index` is the commit index now; the round must be one that is yet to be sent. */
  wait(context: number, index: number): void {
    this.#waiting.push({ context, index, round: this.#round + 1 });
  }

  /** A new round is being sent. */
  startRound(nowMs: number): number {
    this.#round++;
    this.#sentAtMs.push({ round: this.#round, atMs: nowMs });
    return this.#round;
  }

  /** A majority has replied to that round or later ones. Returns the reads that this decides. */
  confirm(round: number): ReadState[] {
    if (round <= this.#confirmed) return [];
    this.#confirmed = round;
    const sent = this.#sentAtMs.findLast((candidate) => candidate.round <= round);
    if (sent !== undefined) this.#leaseStartMs = sent.atMs;
    this.#sentAtMs = this.#sentAtMs.filter((candidate) => candidate.round > round);
    const decided = this.#waiting.filter((read) => read.round <= round);
    this.#waiting = this.#waiting.filter((read) => read.round > round);
    return decided.map(({ context, index }) => ({ context, index }));
  }

  /** Contexts of all who wait, who wait no more. */
  abort(): number[] {
    const contexts = this.#waiting.map((read) => read.context);
    this.#waiting = [];
    return contexts;
  }
}
