import type { Clock } from "../io/index.js";
import type { InodeNumber, SessionId } from "../meta/index.js";

/** Asks of one leader; the numbers of the next one begin behind them. */
const ASKS_A_TERM = 2 ** 32;

interface Ask {
  readonly sessionId: SessionId;
  readonly ino: InodeNumber;
  readonly end: (isAnswered: boolean) => void;
}

/**
 * Holders of exclusive leases that were asked for the size and times of their files. Every ask has a number of its own,
 * in all terms, and the report that answers it names it: so no answer is older than its question, whatever was lost,
 * late or sent again.
 */
export class AttributeAsks {
  readonly #clock: Clock;
  readonly #asks = new Map<number, Ask>();
  #last: number;

  constructor(clock: Clock, term: number) {
    this.#clock = clock;
    this.#last = term * ASKS_A_TERM;
  }

  /** True when the holder has reported, false if it did not within that time. `push` sends the ask. */
  ask(sessionId: SessionId, ino: InodeNumber, maxMs: number, push: (ask: number) => void): Promise<boolean> {
    const ask = ++this.#last;
    return new Promise((resolve) => {
      const end = (isAnswered: boolean): void => {
        timer.cancel();
        this.#asks.delete(ask);
        resolve(isAnswered);
      };
      const timer = this.#clock.after("mds.ask", maxMs, () => end(false));
      this.#asks.set(ask, { sessionId, ino, end });
      push(ask);
    });
  }

  reported(sessionId: SessionId, ino: InodeNumber, ask: number): void {
    const asked = this.#asks.get(ask);
    if (asked?.sessionId === sessionId && asked.ino === ino) asked.end(true);
  }
}
