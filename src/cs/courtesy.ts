import { Slots } from "./slots.js";

/** Clients that come again within that time are taken to be still there, ms. */
const RECENT_MS = 100;

/**
 * Copies give way to clients: while they use this server one piece is copied at a time, otherwise copies go as fast as they can. To
 * rest between pieces as well made copies take twice as long and requests no faster (docs/reliability.md).
 */
export class Courtesy {
  readonly #unusedForMs: () => number;
  readonly #turn = new Slots(1);

  /** `unusedForMs`: since a client's last request. */
  constructor(unusedForMs: () => number) {
    this.#unusedForMs = unusedForMs;
  }

  /** Copies a piece when it is its turn. */
  async piece<T>(act: () => Promise<T>): Promise<T> {
    return await (this.#unusedForMs() < RECENT_MS ? this.#turn.run(act) : act());
  }
}
