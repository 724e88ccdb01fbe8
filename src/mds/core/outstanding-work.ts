import type { InodeNumber, SessionId } from "../../meta/index.js";
import type { Effect } from "./effects.js";
import type { OpenRecord } from "./records.js";
import type { Tables } from "./tables.js";

/**
 * All work that was begun and is not finished, as the effects that began it: what a new leader has to take up. Not
 * among it is what the store has to list: `deletions` and `degraded`.
 */
export function outstandingWork(tables: Tables): Effect[] {
  const effects: Effect[] = [];
  for (const open of tables.opens.values()) effects.push(...recallOf(open));
  for (const { sessionId, isEnding } of tables.sessions.values()) {
    if (isEnding) effects.push({ type: "endSession", sessionId, reason: "ending" });
  }
  for (const { ino } of tables.recoveries.values()) effects.push({ type: "recover", ino });
  for (const chunkId of tables.installing.values()) {
    const chunk = tables.chunks.get(chunkId);
    if (chunk === undefined) continue;
    effects.push({ type: "install", chunkId, version: chunk.version, ino: chunk.ino });
  }
  for (const ino of tables.reclaims.values()) effects.push({ type: "reclaim", ino });
  for (const { ino } of tables.sweeps.values()) effects.push({ type: "sweep", ino });
  return effects;
}

/** The recalls that a session has not answered yet: told again when its stream is new. */
export function outstandingRecalls(tables: Tables, sessionId: SessionId): Effect[] {
  const effects: Effect[] = [];
  for (const ino of tables.sessionOpens.valuesOf(sessionId))
    effects.push(...recallAt(tables, ino, sessionId));
  return effects;
}

function recallAt(tables: Tables, ino: InodeNumber, sessionId: SessionId): Effect[] {
  const open = tables.opens.get(ino, sessionId);
  return open === undefined ? [] : recallOf(open);
}

function recallOf({ ino, sessionId, leaseSequence, recallTo }: OpenRecord): Effect[] {
  return recallTo === undefined ? [] : [{ type: "recallLease", sessionId, ino, leaseSequence, to: recallTo }];
}
