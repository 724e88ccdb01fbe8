import { randomBytes, randomInt } from "node:crypto";
import type { Random } from "../random.js";

/** The kernel's entropy. */
export class RealRandom implements Random {
  bytes(count: number): Uint8Array {
    return new Uint8Array(randomBytes(count));
  }

  uint32(): number {
    return randomInt(2 ** 32);
  }
}
