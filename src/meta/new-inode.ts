import { isDirectory, isSymlink, MODE_PERMISSIONS, MODE_SETGID, MODE_TYPE } from "./attributes.js";

/** The mode, with its type, and the group that a new inode has of its directory; `umask` and default ACL left aside. */
export function inheritedFrom(
  parent: { readonly mode: number; readonly gid: number },
  { mode, gid }: { readonly mode: number; readonly gid: number },
): { readonly mode: number; readonly gid: number } {
  const type = mode & MODE_TYPE;
  const permissions = isSymlink(mode) ? 0o777 : mode & MODE_PERMISSIONS;
  if ((parent.mode & MODE_SETGID) === 0) return { mode: type | permissions, gid };
  // In a set-group-ID directory everything belongs to its group, and directories inherit the bit too.
  const setgid = isDirectory(mode) ? MODE_SETGID : 0;
  return { mode: type | permissions | setgid, gid: parent.gid };
}

/** An unsigned number of 32 bits. */
export const isWord = (value: number): boolean => Number.isInteger(value) && value >= 0 && value < 2 ** 32;
