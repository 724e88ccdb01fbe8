import { modeWithoutPrivileges } from "../../meta/index.js";
import type { Context } from "./context.js";
import type { InodeRecord } from "./records.js";
import { CAPABILITY_KEY, dropXattr, hasXattr } from "./xattr-records.js";

/** What lets a program do more than its caller may, and is taken away when its file changes hands or contents. */

/** Takes the capabilities of the file away. Returns what of the inode changes: nothing, if it has none. */
export function dropCapability(context: Context, inode: InodeRecord): Partial<InodeRecord> {
  return hasXattr(inode, CAPABILITY_KEY) ? dropXattr(context, inode, CAPABILITY_KEY) : {};
}

/** Whether there is anything to take away. */
export function hasPrivileges(inode: InodeRecord): boolean {
  return modeWithoutPrivileges(inode.mode) !== inode.mode || hasXattr(inode, CAPABILITY_KEY);
}
