import type { Clock } from "../io/index.js";
import type { InodeNumber, SessionId } from "../meta/index.js";

/** An ask that is not answered for that long is lost, with the connection that carried it. */
const ASK_LOST_MS = 10_000;

interface Ask {
  readonly atMs: number;
  readonly resolve: () => void;
}

/**
 * Holders of exclusive leases that were asked for the size and times of their files. A holder answers every ask that
 * reaches it exactly once, in order, so the n-th report answers the n-th ask or a later one: never too old. An ask
 * that got lost delays those behind it until they are made again.
 */
export class AttributeAsks {
  readonly #clock: Clock;
  /** By `SESSION INODE`, oldest first. */
  readonly #asks = new Map<string, Ask[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when the holder has reported; whoever waits bounds the wait. `push` sends the ask. */
  ask(sessionId: SessionId, ino: InodeNumber, push: () => void): Promise<void> {
    const key = `${sessionId} ${ino}`;
    const nowMs = this.#clock.monotonicMs();
    const asks = (this.#asks.get(key) ?? []).filter(({ atMs }) => atMs > nowMs - ASK_LOST_MS);
    this.#asks.set(key, asks);
    return new Promise((resolve) => {
      asks.push({ atMs: nowMs, resolve });
      push();
    });
  }

  reported(sessionId: SessionId, ino: InodeNumber): void {
    const key = `${sessionId} ${ino}`;
    const asks = this.#asks.get(key);
    asks?.shift()?.resolve();
    if (asks?.length === 0) this.#asks.delete(key);
  }
}
