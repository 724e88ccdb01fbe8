import { storageError } from "../../base/index.js";
import { sessionId as asSessionId, type InodeNumber, type SessionId } from "../../meta/index.js";
import { forgetAnswers } from "./answers.js";
import type { BeginSession, Outcome } from "./command.js";
import { type Context, done, nextNumber, recordEvent } from "./context.js";
import { deleteOpen, wakeWaiters } from "./leases.js";
import { dropLocksOfSession } from "./lock-records.js";
import { isUnused, releaseIfUnused } from "./reclaim.js";
import { beginRecovery } from "./recovery.js";
import { dropWriters } from "./writers.js";

/** The client said goodbye: no news for the event log, every command does it. */
export const ORDERLY_END = "closed by the client";

/** More are refused with `busy`. */
export const SESSIONS_MAX = 65536;
/** Files given back by one command; a session with more open ends in several. */
export const OPENS_ENDED_AT_ONCE = 64;

/** A new session; its number is the value of the outcome. */
export function beginSession(context: Context, body: BeginSession): Outcome {
  const { tables } = context;
  if (tables.sessions.size >= SESSIONS_MAX) throw storageError("busy", "too many sessions");
  const sessionId = asSessionId(nextNumber(context, "session"));
  const { hostname, hostId, program, caches } = body;
  const window = { answeredBelow: 1, unanswered: [], reserved: [] };
  const session = { sessionId, hostname, hostId, program, caches, beganMs: context.stampMs, isEnding: false };
  tables.sessions.put({ ...session, ...window }, sessionId);
  return done(sessionId);
}

/**
 * Ends a session, whether it expired, was thrown out or said goodbye: what it has open is given back, and files it may
 * have been writing are recovered. The value of the outcome is 1 if it has to be proposed again, since more is open.
 */
export function endSession(
  context: Context,
  { sessionId, reason }: { readonly sessionId: SessionId; readonly reason: string },
): Outcome {
  const { tables } = context;
  const session = tables.sessions.get(sessionId);
  if (session === undefined) return done(0);
  if (!session.isEnding) {
    forgetAnswers(tables, session);
    tables.sessions.put({ ...session, isEnding: true }, sessionId);
    context.effects.push({ type: "sessionEnded", sessionId, reason });
    if (reason !== ORDERLY_END) {
      const message = `Client #${sessionId} at ${session.hostname} ended: ${reason}`;
      recordEvent(context, { system: "CLN", severity: "info", message });
    }
  }
  for (const ino of firstOpens(context, sessionId)) endOpens(context, ino, sessionId);
  const isUnlocked = dropLocksOfSession(context, sessionId);
  if (!isUnlocked || firstOpens(context, sessionId).length > 0) {
    context.effects.push({ type: "endSession", sessionId, reason });
    return done(1);
  }
  tables.sessions.delete(sessionId);
  return done(0);
}

function firstOpens({ tables }: Context, sessionId: SessionId): InodeNumber[] {
  const first: InodeNumber[] = [];
  for (const ino of tables.sessionOpens.valuesOf(sessionId)) {
    if (first.length >= OPENS_ENDED_AT_ONCE) break;
    first.push(ino);
  }
  return first;
}

function endOpens(context: Context, ino: InodeNumber, sessionId: SessionId): void {
  const open = context.tables.opens.get(ino, sessionId);
  if (open === undefined) {
    context.tables.sessionOpens.delete(sessionId, ino);
    return;
  }
  deleteOpen(context.tables, open);
  if (isUnused(context.tables, ino)) dropWriters(context.tables, ino, sessionId);
  else beginRecovery(context, open);
  releaseIfUnused(context, ino);
  wakeWaiters(context, ino);
}
