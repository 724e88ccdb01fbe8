import type { Brand } from "../base/index.js";
import type { InodeNumber, SessionId } from "./ids.js";
import type { MutationId } from "./requests.js";

/**
 * Advisory locks of programs on files, across clients. They are replicated state of the MDS, and end with their
 * session; nothing that reads or writes is held up by them.
 */

/** `flock` always takes the whole file; `range` is what fcntl and lockf take. The two know nothing of each other. */
export type LockFamily = "flock" | "range";
export const LOCK_FAMILIES: readonly LockFamily[] = ["flock", "range"];

export type LockKind = "shared" | "exclusive";
export const LOCK_KINDS: readonly LockKind[] = ["shared", "exclusive"];

/** Whoever holds locks within a session, 1 to 64 characters: for a mount the kernel's 64-bit lock owner in hex. */
export type LockOwner = Brand<string, "LockOwner">;
/** A lower bound of nothing but the length; the kernel's number fits well. */
export const LOCK_OWNER_LENGTH_MAX = 64;

/**
 * A position in a file, 0 to 2^63, of which a number would lose the low bits: 16 hexadecimal digits, lower case. The
 * order of the texts is the order of the positions.
 */
export type LockPosition = Brand<string, "LockPosition">;

/** The first byte. */
export const LOCK_BEGIN = "0000000000000000" as LockPosition;
/** Behind the last byte that a file could ever have: a lock up to here reaches to the end, wherever that will be. */
export const LOCK_END = "8000000000000000" as LockPosition;

/** Of a lock owner as FUSE has it. */
export const lockOwner = (value: bigint): LockOwner => value.toString(16) as LockOwner;

/** Of a position of at most 2^63; what lies beyond counts as that. */
export function lockPosition(value: bigint): LockPosition {
  const bounded = value < 0n ? 0n : value > LOCK_END_VALUE ? LOCK_END_VALUE : value;
  return bounded.toString(16).padStart(16, "0") as LockPosition;
}

export const lockPositionValue = (position: LockPosition): bigint => BigInt(`0x${position}`);

const LOCK_END_VALUE = 1n << 63n;

/** A part of a file, not empty: `begin` is the first byte, `end` lies behind the last one. */
export interface LockRange {
  readonly begin: LockPosition;
  readonly end: LockPosition;
}
/** The whole file, as `flock` takes it. */
export const WHOLE_FILE: LockRange = { begin: LOCK_BEGIN, end: LOCK_END };

/** One lock of one owner on one file. */
export interface FileLock extends LockRange {
  readonly ino: InodeNumber;
  readonly family: LockFamily;
  readonly owner: LockOwner;
  readonly kind: LockKind;
  /** Of the process, for `F_GETLK`; of no other meaning. */
  readonly pid: number;
}

/** Which lock, if any, is in the way of this one. */
export interface TestLock {
  readonly lock: FileLock;
}
/** Of testLock: the lock in the way, and whose it is; absent: none, and the session is 0. */
export interface LockState {
  readonly lock?: FileLock | undefined;
  readonly sessionId: SessionId;
}
/**
 * Asks the leader for a `lockFree` when this lock may be had. It remembers that as long as the stream lasts, so it is
 * asked again on a new one. Fails with `deadlock` if the owner would wait for itself. Asked again with the same number
 * on the same stream, it keeps its place in the queue.
 */
export interface AwaitLock {
  /** Of the session's choosing, different for each wait. */
  readonly waitId: number;
  readonly lock: FileLock;
}
export interface ForgetLockWait {
  readonly waitId: number;
}
/** The lock of that `awaitLock` may be had now, if nobody is faster: set it. */
export interface LockFree {
  readonly waitId: number;
}

/** Sets or ends a lock at once, or fails with `lock_conflict`. What the owner has in the range is replaced. */
export interface SetLock extends LockRange {
  readonly id: MutationId;
  readonly ino: InodeNumber;
  readonly family: LockFamily;
  readonly owner: LockOwner;
  readonly kind: LockKind | "none";
  readonly pid: number;
}
