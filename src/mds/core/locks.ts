import { storageError } from "../../base/index.js";
import {
  sessionId as asSessionId,
  type FileLock,
  LOCK_END,
  LOCK_FAMILIES,
  LOCK_KINDS,
  LOCK_OWNER_LENGTH_MAX,
  type LockState,
  type SessionId,
  type SetLock,
} from "../../meta/index.js";
import type { Outcome } from "./command.js";
import type { Context } from "./context.js";
import { inodeOf } from "./inodes.js";
import { changedRanges } from "./lock-ranges.js";
import { conflictsOf, type HeldLock, lockRecordOf, locksChanged, putLocks } from "./lock-records.js";
import { OK } from "./replies.js";
import type { Tables } from "./tables.js";

/** Ranges of one owner on one file; more fail with `too_many_locks`. */
export const LOCK_RANGES_MAX = 4096;
/** Ranges of all owners on one file: bounds the search for what is in the way. */
export const FILE_LOCK_RANGES_MAX = 16384;
/** Records of all files: they are all in memory. */
export const LOCK_RECORDS_MAX = 262_144;

/**
 * Sets or ends a lock at once. Two owners never hold conflicting locks of one family on one byte; a failure leaves what
 * the owner had. Whoever wants to wait does so outside of the log (`LockWaits`), and comes here when it may succeed.
 */
export function setLock(context: Context, sessionId: SessionId, body: SetLock): Outcome {
  const { tables } = context;
  const { kind } = body;
  checkLock({ ...body, kind: kind === "none" ? "shared" : kind });
  const record = lockRecordOf(tables, sessionId, body);
  if (kind === "none" && record === undefined) return OK;
  inodeOf(tables, body.ino);
  if (kind !== "none") {
    const conflict = conflictsOf(tables, sessionId, { ...body, kind }).next();
    if (conflict.done !== true) throw storageError("lock_conflict", "somebody else has a lock there");
  }
  const had = record?.ranges ?? [];
  const ranges = changedRanges(had, body);
  if (ranges.length > had.length) checkRoom(tables, body, ranges.length, ranges.length - had.length);
  putLocks(context, { ...body, sessionId }, ranges);
  if (had.length > 0) locksChanged(context, body.ino);
  return OK;
}

/** The lock in the way that begins first. */
export function testLock(tables: Tables, sessionId: SessionId, lock: FileLock): LockState {
  checkLock(lock);
  inodeOf(tables, lock.ino);
  let first: HeldLock | undefined;
  for (const held of conflictsOf(tables, sessionId, lock)) {
    if (first === undefined || held.lock.begin < first.lock.begin) first = held;
  }
  return first ?? { lock: undefined, sessionId: asSessionId(0) };
}

/** Whatever came over the wire is a lock. */
export function checkLock({ family, owner, kind, begin, end, pid }: FileLock): void {
  const isRight =
    LOCK_FAMILIES.includes(family) &&
    LOCK_KINDS.includes(kind) &&
    OWNER.test(owner) &&
    owner.length <= LOCK_OWNER_LENGTH_MAX &&
    POSITION.test(begin) &&
    POSITION.test(end) &&
    Number.isInteger(pid);
  if (!isRight) throw storageError("malformed", "not a lock");
  if (!(begin < end && end <= LOCK_END)) throw storageError("invalid", "not a range to be locked");
}

function checkRoom(tables: Tables, { ino }: SetLock, ownCount: number, gain: number): void {
  let count = gain;
  for (const { ranges } of tables.locks.valuesOf(ino)) count += ranges.length;
  const isRoom =
    ownCount <= LOCK_RANGES_MAX && count <= FILE_LOCK_RANGES_MAX && tables.locks.size < LOCK_RECORDS_MAX;
  if (!isRoom) throw storageError("too_many_locks");
}

const OWNER = /^[!-~]+$/;
const POSITION = /^[0-9a-f]{16}$/;
