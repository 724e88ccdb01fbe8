import { assert } from "../../base/index.js";

/** The part of a term the client gives up for safety: clocks that differ in rate, a process that is slow to notice. */
const MARGIN_PART = 0.1;

/**
 * Until when a client may act on what its session holds.
 *
 * The MDS counts the term from when it *received* the last message; the client counts from when it *sent* the last
 * one that was answered, which is earlier, and gives up a margin besides. So the client stops first. Times are this
 * machine's monotonic clock.
 */
export class LeaseClock {
  #termMs = 0;
  #validUntilMs = Number.NEGATIVE_INFINITY;

  /** A message of the session, sent at `sentAtMs`, was answered; the term is that of the welcome. */
  renew(sentAtMs: number, termMs: number): void {
    assert(termMs > 0, "a session lives for some time");
    this.#termMs = termMs;
    this.#validUntilMs = Math.max(this.#validUntilMs, sentAtMs + termMs * (1 - MARGIN_PART));
  }

  /** The session is over: nothing may be done until the next renewal. */
  end(): void {
    this.#validUntilMs = Number.NEGATIVE_INFINITY;
  }

  isValid(nowMs: number): boolean {
    return nowMs < this.#validUntilMs;
  }

  get validUntilMs(): number {
    return this.#validUntilMs;
  }

  /** How often the session must be heard of. */
  get keepAliveMs(): number {
    return this.#termMs / 3;
  }

  /** A keep-alive that is not answered for so long means that the connection is of no use. */
  get answerMs(): number {
    return this.#termMs / 5;
  }
}
