import { parseArgs } from "node:util";
import { fuzz } from "./fuzz.js";
import { PARSERS } from "./parsers.js";

/** `npm run fuzz -- [--minutes N] [--seed S] [--only NAME]`: damaged input for every parser; ends with status 1 at the first that falls. */
const { values: flags } = parseArgs({
  options: { minutes: { type: "string", default: "1" }, seed: { type: "string" }, only: { type: "string" } },
});
const INPUTS = 2000;

const endMs = Date.now() + Number(flags.minutes) * 60_000;
const parsers = PARSERS.filter(({ name }) => flags.only === undefined || name === flags.only);
if (parsers.length === 0) throw new Error(`--only is one of: ${PARSERS.map(({ name }) => name).join(", ")}`);
let seed = flags.seed === undefined ? Date.now() % 1_000_000_000 : Number(flags.seed);
let count = 0;
do {
  for (const parser of parsers) {
    const fall = fuzz(parser, seed, INPUTS);
    count += INPUTS;
    if (fall === undefined) continue;
    process.stdout.write(`${fall.parser}, seed ${seed}: ${fall.what}\n${fall.inputHex}\n`);
    process.exit(1);
  }
  seed++;
} while (Date.now() < endMs && flags.seed === undefined);
process.stdout.write(`${count} damaged inputs for ${parsers.length} parsers: each was read or refused\n`);
