import { FIRST_LEVEL, LEVEL_OF } from "../../chunk/index.js";
import { type ConfigEntry, INLINE_BYTES_MAX } from "../../meta/index.js";
import type { Outcome, SetConfigChange } from "./command.js";
import { type Context, done, fail } from "./context.js";
import { inlineBytesMaxAt, levelOf } from "./levels.js";
import type { Tables } from "./tables.js";

/**
 * The variables of `get-config` and `set-config`: what there is, its bounds and defaults. They are replicated, so that
 * every MDS decides by the same values.
 */
type Definition =
  | {
      readonly kind: "integer";
      readonly default: number;
      readonly min: number;
      readonly max: number;
      readonly description: string;
      /** There is no such variable below that level of the cluster. */
      readonly sinceLevel?: number;
    }
  | { readonly kind: "switch"; readonly default: 0 | 1; readonly description: string }
  | {
      readonly kind: "choice";
      readonly default: string;
      readonly choices: readonly string[];
      readonly description: string;
    };

const DAY_MS = 86_400_000;
const LOG_LEVELS = ["error", "warn", "info", "debug"];

/** In the order of `get-config`. */
const DEFINITIONS = {
  "mds.wd.offline_tout": {
    kind: "integer",
    default: 300_000,
    min: 1000,
    max: 7 * DAY_MS,
    description:
      "ms; a chunk server that is inactive for longer becomes offline, and its chunks are replicated",
  },
  "mds.wd.heartbeat_period": {
    kind: "integer",
    default: 1000,
    min: 50,
    max: 60_000,
    description: "ms; how often a chunk server tells that it is alive",
  },
  "mds.wd.inactive_tout": {
    kind: "integer",
    default: 10_000,
    min: 1000,
    max: DAY_MS,
    description:
      "ms; a chunk server that is silent for longer becomes inactive; it stops serving before that",
  },
  "mds.wd.maintenance_tout": {
    kind: "integer",
    default: 1_800_000,
    min: 0,
    max: 7 * DAY_MS,
    sinceLevel: LEVEL_OF.maintenance,
    description:
      "ms; a chunk server that was stopped in order is in maintenance for that long: nothing is replicated for it alone; 0: never",
  },
  "mds.wd.max_offline_cs_hosts": {
    kind: "integer",
    default: 2,
    min: 0,
    max: 10_000,
    description:
      "with more offline hosts than that the cluster has failed, and nothing is replicated by itself",
  },
  "mds.alloc.fill_margin": {
    kind: "integer",
    default: 5,
    min: 0,
    max: 90,
    description: "%; no new replicas on a chunk server with less free space than that",
  },
  "mds.alloc.free_space_margin": {
    kind: "integer",
    default: 512,
    min: 0,
    max: 1_000_000_000,
    description: "MB; no new replicas on a chunk server with less free space than that",
  },
  "mds.alloc.capacity_max": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1_000_000_000_000,
    description:
      "MB; with more than that in files, not counting replicas, writers of new chunks wait; 0: no limit",
  },
  "mds.alloc.strict_failure_domain": {
    kind: "switch",
    default: 1,
    description: "1: never two replicas of a chunk in one failure domain; 0: only if it can be avoided",
  },
  "mds.alloc.strict_tier": {
    kind: "switch",
    default: 1,
    description: "1: replicas only on chunk servers of the file's tier; 0: other tiers when it is full",
  },
  "mds.alloc.failed_pause": {
    kind: "integer",
    default: 10_000,
    min: 0,
    max: DAY_MS,
    description: "ms; for that long a chunk server that failed a chunk is given new replicas only in need",
  },
  "mds.repair.enabled": {
    kind: "switch",
    default: 1,
    description: "0: no replica is created, moved or removed by itself",
  },
  "mds.repair.max_syncs": {
    kind: "integer",
    default: 16,
    min: 1,
    max: 10_000,
    description: "replicas being filled at the same time in the whole cluster, except for pending chunks",
  },
  "mds.repair.max_syncs_per_cs": {
    kind: "integer",
    default: 2,
    min: 1,
    max: 1000,
    description:
      "replicas being filled at the same time from or to one chunk server, except for pending chunks",
  },
  "mds.inline.size": {
    kind: "integer",
    default: INLINE_BYTES_MAX,
    min: 0,
    max: INLINE_BYTES_MAX,
    description: "bytes; files up to that size are kept in the metadata, without chunks, until they grow",
  },
  "mds.rebalance.enabled": {
    kind: "switch",
    default: 1,
    description:
      "0: healthy replicas stay where they are, however full the disks and wherever files want them",
  },
  "mds.rebalance.margin": {
    kind: "integer",
    default: 4,
    min: 1,
    max: 100,
    description: "%; replicas move from disks that are so much fuller than others",
  },
  "mds.rebalance.max_moves": {
    kind: "integer",
    default: 4,
    min: 1,
    max: 10_000,
    description:
      "replicas being moved at the same time in the whole cluster, at most one from or to a chunk server",
  },
  "mds.session.lease_tout": {
    kind: "integer",
    default: 15_000,
    min: 1000,
    max: 600_000,
    description: "ms; a client that is silent for longer loses its session, its leases and its opens",
  },
  "mds.recovery.orphan_tout": {
    kind: "integer",
    default: 7 * DAY_MS,
    min: 0,
    max: 3650 * DAY_MS,
    description:
      "ms; after a recovery of the metadata, replicas of chunks that only the lost time knew are kept for that long",
  },
  "mds.recovery.settle_time": {
    kind: "integer",
    default: 30_000,
    min: 0,
    max: DAY_MS,
    description:
      "ms; after a recovery, how long to wait for chunk servers that the metadata do not know before an older replica is believed",
  },
  "mds.level.max": {
    kind: "integer",
    default: 0,
    min: 0,
    max: 1000,
    sinceLevel: LEVEL_OF.levelLimit,
    description:
      "the level of the cluster is not raised above that after an upgrade, so that one may go back; 0: no limit",
  },
  "mds.log.level": {
    kind: "choice",
    default: "info",
    choices: LOG_LEVELS,
    description: "least severity of what the metadata servers log: error, warn, info, debug",
  },
  "cs.scrub.period": {
    kind: "integer",
    default: 14 * 24,
    min: 0,
    max: 100_000,
    description:
      "hours; a chunk server reads everything it has again once in that time; 0: only when told to",
  },
  "cs.scrub.rate": {
    kind: "integer",
    default: 10,
    min: 1,
    max: 100_000,
    description: "MB/s; how fast a chunk server reads then, while no client waits for it",
  },
  "cs.log.level": {
    kind: "choice",
    default: "info",
    choices: LOG_LEVELS,
    description: "least severity of what the chunk servers log: error, warn, info, debug",
  },
} as const satisfies Record<string, Definition>;

export type ConfigName = keyof typeof DEFINITIONS;
type Numeric = {
  [Name in ConfigName]: (typeof DEFINITIONS)[Name]["default"] extends number ? Name : never;
}[ConfigName];
type Textual = Exclude<ConfigName, Numeric>;

/** The value in force; a switch is 0 or 1. */
export function configNumber(tables: Pick<Tables, "config">, name: Numeric): number {
  const stored = tables.config.get(name);
  return stored === undefined ? DEFINITIONS[name].default : Number(stored.value);
}

export function configText(tables: Pick<Tables, "config">, name: Textual): string {
  return tables.config.get(name)?.value ?? DEFINITIONS[name].default;
}

/** Everything there is, with its value in force. */
export function configEntries(tables: Pick<Tables, "config">): ConfigEntry[] {
  return Object.entries<Definition>(DEFINITIONS).map(([name, definition]) => {
    const stored = tables.config.get(name);
    const defaultValue = String(definition.default);
    return {
      name,
      value: stored?.value ?? defaultValue,
      sequence: stored?.sequence ?? 0,
      defaultValue,
      description: definition.description,
    };
  });
}

/** Compare and swap by sequence, if one is given. Gives the new sequence. */
export function setConfig(context: Context, { name, value, expectedSequence }: SetConfigChange): Outcome {
  const definition = Object.entries<Definition>(DEFINITIONS).find(([known]) => known === name)?.[1];
  const level = levelOf(context.tables);
  if (definition === undefined || level < sinceLevel(definition))
    return fail("invalid", `there is no variable ${quote(name)}`);
  const refusal = refusalOf(limitedAt(level, name, definition), value);
  if (refusal !== undefined) return fail("invalid", `${name}: ${quote(value)} is not ${refusal}`);
  const contradiction =
    level < LEVEL_OF.heartbeatsWithin ? undefined : contradictionOf(context.tables, name, value);
  if (contradiction !== undefined) return fail("invalid", contradiction);
  const sequence = context.tables.config.get(name)?.sequence ?? 0;
  if (expectedSequence !== undefined && expectedSequence !== sequence) {
    return fail("conflict", `${name} was changed meanwhile: its sequence is ${sequence}`);
  }
  context.tables.config.put({ name, value: canonical(definition, value), sequence: sequence + 1 }, name);
  context.effects.push({ type: "configChanged", name });
  // Placement may find now what it did not find before.
  if (name.startsWith("mds.alloc.")) context.effects.push({ type: "wake", key: { type: "space" } });
  return done(sequence + 1);
}

/** Files up to that size are kept in the metadata, whatever the configuration says of a time when the level was higher. */
export function inlineSize(tables: Pick<Tables, "config" | "cluster">): number {
  return Math.min(configNumber(tables, "mds.inline.size"), inlineBytesMaxAt(levelOf(tables)));
}

const sinceLevel = (definition: Definition): number =>
  (definition.kind === "integer" ? definition.sinceLevel : undefined) ?? FIRST_LEVEL;

/** Earlier programs decide about the same command by the bounds that they know. */
function limitedAt(level: number, name: string, definition: Definition): Definition {
  if (definition.kind !== "integer" || name !== "mds.inline.size") return definition;
  return { ...definition, max: inlineBytesMaxAt(level) };
}

/** A chunk server that may be silent for less than two heartbeats comes and goes all the time, and nobody is given a replica. */
function contradictionOf(tables: Tables, name: string, value: string): string | undefined {
  const isPeriod = name === "mds.wd.heartbeat_period";
  if (!isPeriod && name !== "mds.wd.inactive_tout") return undefined;
  const periodMs = isPeriod ? Number(value) : configNumber(tables, "mds.wd.heartbeat_period");
  const silenceMs = isPeriod ? configNumber(tables, "mds.wd.inactive_tout") : Number(value);
  if (silenceMs >= 2 * periodMs) return undefined;
  return isPeriod
    ? `${name}: ${value} is more than half of mds.wd.inactive_tout (${silenceMs}): set that first`
    : `${name}: ${value} is less than twice mds.wd.heartbeat_period (${periodMs}): set that first`;
}

/** What the value should have been, or undefined if it is right. */
function refusalOf(definition: Definition, value: string): string | undefined {
  if (definition.kind === "choice") {
    return definition.choices.includes(value) ? undefined : `one of ${definition.choices.join(", ")}`;
  }
  const number = /^[0-9]{1,15}$/.test(value) ? Number(value) : Number.NaN;
  if (definition.kind === "switch") return number === 0 || number === 1 ? undefined : "0 or 1";
  const { min, max } = definition;
  return number >= min && number <= max ? undefined : `a whole number from ${min} to ${max}`;
}

function canonical(definition: Definition, value: string): string {
  return definition.kind === "choice" ? value : String(Number(value));
}

/** For a line of text: cut, and without control characters. */
function quote(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}...` : text);
}
