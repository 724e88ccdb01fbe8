import { storageError } from "../../base/index.js";
import {
  ACCESSED_MAX,
  type MarkAccessed,
  MODE_PERMISSIONS,
  MODE_TYPE,
  modeWithoutPrivileges,
  renewsAtime,
  type SessionId,
  type SetAttributes,
  type Timestamp,
  timestampOf,
} from "../../meta/index.js";
import { followMode } from "./acl.js";
import type { Outcome } from "./command.js";
import type { Context } from "./context.js";
import { changeInode, inodeOf } from "./inodes.js";
import { comeDown } from "./leases.js";
import { dropCapability, hasPrivileges } from "./privileges.js";
import type { InodeRecord } from "./records.js";
import { entryReply, OK } from "./replies.js";

/**
 * chmod, chown and utimensat. An explicit mtime must not be undone by the late report of another session that
 * caches its own, so such holders come down to `shared` first.
 */
export function setAttributes(context: Context, sessionId: SessionId, body: SetAttributes): Outcome {
  const inode = inodeOf(context.tables, body.ino);
  check(body);
  if (body.mtime !== undefined || body.mtimeNow) {
    const waiting = comeDown(context, inode.ino, sessionId, "shared", ["exclusive"]);
    if (waiting !== undefined) return waiting;
  }
  if (body.accessed === true) return entryReply(accessed(context, inode));
  if (isOnlyKilling(body) && !hasPrivileges(inode)) return entryReply(inode);
  const now = timestampOf(context.stampMs);
  if (body.mode !== undefined) followMode(context, inode, body.mode);
  const change: Partial<InodeRecord> = {
    mode: modeAfter(inode.mode, body),
    uid: body.uid ?? inode.uid,
    gid: body.gid ?? inode.gid,
    atime: body.atime ?? (body.atimeNow ? now : inode.atime),
    mtime: body.mtime ?? (body.mtimeNow ? now : inode.mtime),
    ...(killsPrivileges(body) ? dropCapability(context, inode) : {}),
  };
  return entryReply(changeInode(context, inode, change, "attributes"));
}

/** A change of owner takes privileges away, as on Linux; a mode in the same request has the last word. */
function modeAfter(mode: number, body: SetAttributes): number {
  if (body.mode !== undefined) return (mode & MODE_TYPE) | (body.mode & MODE_PERMISSIONS);
  return killsPrivileges(body) ? modeWithoutPrivileges(mode) : mode;
}

const killsPrivileges = ({ killPrivileges, uid, gid }: SetAttributes): boolean =>
  killPrivileges === true || uid !== undefined || gid !== undefined;

function isOnlyKilling({ killPrivileges, mode, uid, gid, ...times }: SetAttributes): boolean {
  const isMore = mode !== undefined || uid !== undefined || gid !== undefined;
  const isTimed = times.atime !== undefined || times.mtime !== undefined || times.atimeNow || times.mtimeNow;
  return killPrivileges === true && !isMore && !isTimed;
}

/**
 * Inodes that were read: as with `relatime`, the access time only moves on if it is older than the last change, or than a day. What is
 * gone meanwhile has no times.
 */
export function markAccessed(context: Context, { files }: Pick<MarkAccessed, "files">): Outcome {
  if (files.length > ACCESSED_MAX) throw storageError("invalid", "too many inodes at once");
  for (const { ino } of files) {
    const inode = context.tables.inodes.get(ino);
    if (inode !== undefined) accessed(context, inode);
  }
  return OK;
}

function accessed(context: Context, inode: InodeRecord): InodeRecord {
  const now = timestampOf(context.stampMs);
  return renewsAtime(inode, now) ? changeInode(context, inode, { atime: now }, "nothing") : inode;
}

function check({ mode, uid, gid, atime, mtime }: SetAttributes): void {
  for (const value of [mode, uid, gid]) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 0 && value < 2 ** 32)) {
      throw storageError("invalid", "not a mode or an owner");
    }
  }
  for (const time of [atime, mtime]) if (time !== undefined) checkTime(time);
}

/** A time as POSIX has it. */
export function checkTime({ seconds, nanos }: Timestamp): void {
  const isRight = Number.isSafeInteger(seconds) && Number.isInteger(nanos) && nanos >= 0 && nanos < 1e9;
  if (!isRight) throw storageError("invalid", "not a time");
}
