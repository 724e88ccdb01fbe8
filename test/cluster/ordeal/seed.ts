import { randomInt } from "node:crypto";
import { writeSync } from "node:fs";
import { basename } from "node:path";
import { Prng } from "../../../src/base/index.js";

/** Something a person wants to see of a test that passed, too. */
export function say(line: string): void {
  writeSync(2, `  ${line}\n`);
}

/**
 * Chance for a test on a real cluster: a new seed each time, printed; `PSTORAGE_SEED` repeats one. It repeats what the
 * test does, though not what the machine makes of it.
 */
export function seededPrng(fileUrl: string): Prng {
  const given = process.env["PSTORAGE_SEED"];
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
  say(`${basename(fileUrl)}: PSTORAGE_SEED=${seed}`);
  return new Prng(seed);
}
