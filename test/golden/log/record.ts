import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { LEVEL } from "../../../src/chunk/index.js";
import type { AppliedEntry } from "../../../src/mds/replica-api.js";
import { MetadataStore } from "../../../src/mds/store/metadata-store.js";
import { simulate } from "../../sim/simulation.js";
import { encodeLog } from "./log-file.js";

/** Runs one seed of the simulation and keeps the log of its metadata beside this file: README.txt. */
const { values: flags } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    safety: { type: "string" },
    buffered: { type: "boolean", default: false },
  },
});

const commands = new Map<number, Uint8Array>();
const { apply } = MetadataStore.prototype;
MetadataStore.prototype.apply = function (entries: readonly AppliedEntry[]) {
  for (const { index, data } of entries) if (data.length > 0) commands.set(index, data);
  return apply.call(this, entries);
};

const seed = Number(flags.seed);
const safetyMs = flags.safety === undefined ? undefined : Number(flags.safety);
const { violations, description } = await simulate({ seed, buffered: flags.buffered, safetyMs });
if (violations.length > 0) throw new Error(violations.map(({ message }) => message).join("\n"));
const inOrder = [...commands].sort(([a], [b]) => a - b).map(([index, data]) => ({ index, data }));
const path = new URL(`level-${LEVEL}-seed-${seed}.gz`, import.meta.url);
writeFileSync(path, encodeLog(inOrder));
process.stdout.write(`${inOrder.length} commands; ${description}\n`);
