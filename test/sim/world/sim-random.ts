import type { Prng } from "../../../src/base/index.js";
import type { Random } from "../../../src/io/index.js";

/** Entropy from the seed. Fault model: none; each life of a process draws different numbers. */
export class SimRandom implements Random {
  readonly #prng: Prng;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  bytes(count: number): Uint8Array {
    return this.#prng.bytes(count);
  }

  uint32(): number {
    return this.#prng.uint32();
  }
}
