import { FIRST_LEVEL, LEVEL, LEVEL_OF, toldLevel } from "../../chunk/index.js";
import { INLINE_BYTES_MAX } from "../../meta/index.js";
import type { Outcome } from "./command.js";
import { type Context, done, fail, recordEvent } from "./context.js";
import type { Tables } from "./tables.js";

/**
 * The level of the cluster as the log has it. What depends on it is carried out alike by all programs that may be members of the
 * group at that level: it is asked here, never which program this is.
 */
export function levelOf(tables: Pick<Tables, "cluster">): number {
  return toldLevel(tables.cluster.get()?.level);
}

/** Everybody knows it: from now on it counts. Repeated it changes nothing. */
export function raiseLevel(context: Context, { level }: { readonly level: number }): Outcome {
  const { tables } = context;
  const cluster = tables.cluster.get();
  if (cluster === undefined) return fail("refused", "there is no cluster yet");
  if (level <= levelOf(tables)) return done(levelOf(tables));
  if (level > LEVEL) return fail("unsupported", `level ${level} is not known here`);
  tables.cluster.put({ ...cluster, level });
  recordEvent(context, {
    system: "MDS",
    severity: "info",
    message: `The cluster works at level ${level} now: older programs cannot take part any more`,
  });
  context.effects.push({ type: "levelRaised" });
  return done(level);
}

/** Below the level of long ones. */
const SHORT_INLINE_BYTES_MAX = 4096;

/** No contents longer than that may be kept in the metadata. */
export function inlineBytesMaxAt(level: number): number {
  return level >= LEVEL_OF.longInlines ? INLINE_BYTES_MAX : SHORT_INLINE_BYTES_MAX;
}

/** Someone who takes part in the cluster, and the highest level that is known there. */
export interface Participant {
  /** For people: what and where it is. */
  readonly name: string;
  /** Undefined: it cannot be asked now. */
  readonly level: number | undefined;
}

/** What may be done about the level, as far as the participants and a limit (0: none) allow it. */
export interface LevelPlan {
  readonly raiseTo: number | undefined;
  /** Who stands against a higher one, for people. */
  readonly heldBy: readonly string[];
}

/** The level is raised to the highest that this program and everybody else knows. */
export function planLevel(level: number, limit: number, participants: readonly Participant[]): LevelPlan {
  const wanted = limit === 0 ? LEVEL : Math.min(LEVEL, limit);
  const known = Math.min(wanted, ...participants.map((one) => one.level ?? FIRST_LEVEL));
  const against = participants.filter((one) => (one.level ?? FIRST_LEVEL) < wanted);
  return {
    raiseTo: known > level ? known : undefined,
    heldBy: wanted > level ? against.map(describe) : [],
  };
}

function describe({ name, level }: Participant): string {
  return level === undefined ? `${name} does not say what it knows` : `${name} knows level ${level} only`;
}
