import { storageError } from "../../base/index.js";
import {
  isDirectory,
  MODE_PERMISSIONS,
  MODE_SETGID,
  MODE_SETUID,
  MODE_TYPE,
  type SessionId,
  type SetAttributes,
  type Timestamp,
} from "../../meta/index.js";
import type { Outcome } from "./command.js";
import { type Context, timestampOf } from "./context.js";
import { changeInode, inodeOf } from "./inodes.js";
import { comeDown } from "./leases.js";
import type { InodeRecord } from "./records.js";
import { entryReply } from "./replies.js";

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
  const now = timestampOf(context.stampMs);
  const change: Partial<InodeRecord> = {
    mode: modeAfter(inode.mode, body),
    uid: body.uid ?? inode.uid,
    gid: body.gid ?? inode.gid,
    atime: body.atime ?? (body.atimeNow ? now : inode.atime),
    mtime: body.mtime ?? (body.mtimeNow ? now : inode.mtime),
  };
  return entryReply(changeInode(context, inode, change, "attributes"));
}

/**
 * A change of owner takes the set-user-ID bit from anything but a directory, and the set-group-ID bit where the
 * group may execute (elsewhere it means something else), as on Linux; a mode in the same request has the last word.
 */
function modeAfter(mode: number, body: SetAttributes): number {
  if (body.mode !== undefined) return (mode & MODE_TYPE) | (body.mode & MODE_PERMISSIONS);
  if ((body.uid === undefined && body.gid === undefined) || isDirectory(mode)) return mode;
  const cleared = (mode & GROUP_EXECUTE) === 0 ? MODE_SETUID : MODE_SETUID | MODE_SETGID;
  return mode & ~cleared;
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

const GROUP_EXECUTE = 0o010;
