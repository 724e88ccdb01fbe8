import {
  type Attributes,
  MODE_PERMISSIONS,
  MODE_TYPE,
  modeWithoutPrivileges,
  type Timestamp,
} from "../../meta/index.js";
import type { SetattrChange } from "./attribute-change.js";

/**
 * What becomes of a directory, fifo or device that was removed while somebody has it open, by chmod, chown and utimensat.
 * The cluster has forgotten it, and nobody but the programs of this mount can see it.
 */
export function changedWhenGone(known: Attributes, change: SetattrChange, now: Timestamp): Attributes {
  const { uid, gid, atime, mtime, atimeNow, mtimeNow } = change;
  return {
    ...known,
    mode: modeAfter(known.mode, change),
    uid: uid ?? known.uid,
    gid: gid ?? known.gid,
    atime: atime ?? (atimeNow === true ? now : known.atime),
    mtime: mtime ?? (mtimeNow === true ? now : known.mtime),
    ctime: now,
    linkCount: 0,
  };
}

function modeAfter(known: number, { mode, uid, gid, killPrivileges }: SetattrChange): number {
  if (mode !== undefined) return (known & MODE_TYPE) | (mode & MODE_PERMISSIONS);
  const isLosing = killPrivileges === true || uid !== undefined || gid !== undefined;
  return isLosing ? modeWithoutPrivileges(known) : known;
}
