import type { FileLock, InodeNumber, LockFamily, LockOwner, SessionId } from "../../meta/index.js";
import type { Context } from "./context.js";
import { conflictIn, type LockedRange } from "./lock-ranges.js";
import type { LockRecord } from "./records.js";
import type { Tables } from "./tables.js";

/** The table of locks: one record for what one owner has of one file in one family, and an index by session. */

/** Records that one command drops at most, when a session ends. */
const DROPPED_AT_ONCE = 256;

/** A lock that somebody has, and who. */
export interface HeldLock {
  readonly sessionId: SessionId;
  readonly lock: FileLock;
}

/** The last part of the key: the family's letter and the owner. */
export const holderKey = (family: LockFamily, owner: LockOwner): string =>
  (family === "flock" ? "f" : "r") + owner;

export function lockRecordOf(
  tables: Pick<Tables, "locks">,
  sessionId: SessionId,
  { ino, family, owner }: Pick<FileLock, "ino" | "family" | "owner">,
): LockRecord | undefined {
  return tables.locks.get(ino, sessionId, holderKey(family, owner));
}

/** The locks of others that are in the way, one of each owner. */
export function* conflictsOf(
  tables: Pick<Tables, "locks">,
  sessionId: SessionId,
  wanted: FileLock,
): Generator<HeldLock, void, undefined> {
  for (const record of tables.locks.valuesOf(wanted.ino)) {
    const { ino, family, owner } = record;
    if (family !== wanted.family) continue;
    if (record.sessionId === sessionId && owner === wanted.owner) continue;
    const range = conflictIn(record.ranges, wanted);
    if (range !== undefined) yield { sessionId: record.sessionId, lock: { ...range, ino, family, owner } };
  }
}

/** Stores what the owner has now; nothing, if that is nothing. */
export function putLocks(
  { tables }: Context,
  record: Omit<LockRecord, "ranges">,
  ranges: readonly LockedRange[],
): void {
  const { ino, sessionId, family, owner } = record;
  if (ranges.length === 0) {
    deleteRecord(tables, record);
    return;
  }
  tables.locks.put({ ino, sessionId, family, owner, ranges }, ino, sessionId, holderKey(family, owner));
  if (tables.sessionLocks.get(sessionId, ino) === undefined) tables.sessionLocks.put(ino, sessionId, ino);
}

/** The file is gone, and with it all its locks. */
export function dropLocksOf(context: Pick<Context, "tables" | "effects">, ino: InodeNumber): void {
  const records = [...context.tables.locks.valuesOf(ino)];
  for (const record of records) deleteRecord(context.tables, record);
  if (records.length > 0) locksChanged(context, ino);
}

/** The session is over: some of its locks go. False if there are more. */
export function dropLocksOfSession(context: Context, sessionId: SessionId): boolean {
  const { tables } = context;
  const records: LockRecord[] = [];
  for (const ino of tables.sessionLocks.valuesOf(sessionId)) {
    if (records.length >= DROPPED_AT_ONCE) break;
    for (const record of tables.locks.valuesOf(ino, sessionId)) {
      records.push(record);
      if (records.length >= DROPPED_AT_ONCE) break;
    }
  }
  for (const record of records) deleteRecord(tables, record);
  for (const ino of new Set(records.map((record) => record.ino))) locksChanged(context, ino);
  return tables.sessionLocks.valuesOf(sessionId).next().done === true;
}

/** Who waits for a lock on that file may look again. */
export function locksChanged({ effects }: Pick<Context, "effects">, ino: InodeNumber): void {
  effects.push({ type: "locksChanged", ino });
}

function deleteRecord(tables: Tables, { ino, sessionId, family, owner }: Omit<LockRecord, "ranges">): void {
  tables.locks.delete(ino, sessionId, holderKey(family, owner));
  if (tables.locks.valuesOf(ino, sessionId).next().done === true) tables.sessionLocks.delete(sessionId, ino);
}
