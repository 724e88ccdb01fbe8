import type { Clock } from "../io/index.js";
import { Slots } from "./slots.js";

/** Clients that come again within that time are taken to be still there, ms. */
const RECENT_MS = 100;
/** A piece that takes longer waits for a server or a disk that hangs: others need not wait for that, ms. */
const HANGING_MS = 1000;

/**
 * Copies give way to clients: while they use this server one piece is copied at a time, otherwise copies go as fast as they can. To
 * rest between pieces as well made copies take twice as long and requests no faster (docs/reliability.md).
 */
export class Courtesy {
  readonly #clock: Clock;
  readonly #unusedForMs: () => number;
  readonly #turn = new Slots(1);

  /** `unusedForMs`: since a client's last request. */
  constructor(clock: Clock, unusedForMs: () => number) {
    this.#clock = clock;
    this.#unusedForMs = unusedForMs;
  }

  /** Copies a piece when it is its turn. */
  async piece<T>(act: () => Promise<T>): Promise<T> {
    if (this.#unusedForMs() >= RECENT_MS) return await act();
    const { copying } = await this.#turn.run(async () => {
      const begun = act();
      await this.#ended(begun);
      return { copying: begun };
    });
    return await copying;
  }

  /** Resolves when it has ended, however it did, or hangs. */
  async #ended(copying: Promise<unknown>): Promise<void> {
    const over = new AbortController();
    const ended = copying.then(
      () => undefined,
      () => undefined,
    );
    await Promise.race([ended, this.#clock.sleep("cs.courtesy", HANGING_MS, over.signal)]);
    over.abort();
  }
}
