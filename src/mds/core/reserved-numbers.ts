import { storageError } from "../../base/index.js";
import {
  type InodeNumber,
  inodeNumber,
  RESERVED_MAX,
  type ReserveNumbers,
  type SessionId,
} from "../../meta/index.js";
import { inlineSize } from "./cluster-config.js";
import type { Outcome } from "./command.js";
import { type Context, nextNumber } from "./context.js";
import type { SessionRecord } from "./records.js";
import { reply } from "./replies.js";
import type { Tables } from "./tables.js";

/**
 * Numbers that a session chooses itself for what it creates, so that it can answer its callers before the MDS has. They come
 * from the same counters as all others: nobody else ever gets them, and what is counted later is greater.
 */

/** A session uses up one range after the other; creations of the last ones may still be on their way. */
const RANGES_KEPT = 4;

export function reserveNumbers(context: Context, session: SessionRecord, { count }: ReserveNumbers): Outcome {
  if (!Number.isInteger(count) || count < 1 || count > RESERVED_MAX)
    throw storageError("invalid", "not a count of numbers");
  const firstInode = inodeNumber(nextNumber(context, "inode", count));
  const firstLease = nextNumber(context, "lease", count);
  const reserved = [...session.reserved, { firstInode, firstLease, count }].slice(-RANGES_KEPT);
  context.tables.sessions.put({ ...session, reserved }, session.sessionId);
  const inlineBytesMax = inlineSize(context.tables);
  return reply({ type: "numbers", body: { firstInode, firstLease, count, inlineBytesMax } });
}

/** The number of the first lease on an inode that the session creates under that number. Fails unless it may. */
export function leaseOfReserved(tables: Tables, sessionId: SessionId, ino: InodeNumber): number {
  const lease = reservedLease(tables.sessions.get(sessionId), ino);
  if (lease === undefined || tables.inodes.get(ino) !== undefined)
    throw storageError("invalid", "not a number that is reserved for this session");
  return lease;
}

/** The session for which the number is reserved, whether there is such an inode yet or not. */
export function reservedFor(tables: Pick<Tables, "sessions">, ino: InodeNumber): SessionId | undefined {
  for (const session of tables.sessions.values()) {
    if (!session.isEnding && reservedLease(session, ino) !== undefined) return session.sessionId;
  }
  return undefined;
}

function reservedLease(session: SessionRecord | undefined, ino: InodeNumber): number | undefined {
  for (const { firstInode, firstLease, count } of session?.reserved ?? []) {
    if (ino >= firstInode && ino < firstInode + count) return firstLease + (ino - firstInode);
  }
  return undefined;
}
