import { storageError } from "../../base/index.js";
import { isDirectory, isSymlink, MODE_SETGID } from "../../meta/index.js";
import type { Context } from "./context.js";
import { aclWithMode, buildAcl, inheritedAcl, isPlain, MODE_ACL, modeOfAcl, parseAcl } from "./posix-acl.js";
import type { InodeRecord } from "./records.js";
import { dropXattr, putXattr, xattrValue } from "./xattr-records.js";

/**
 * Access control lists of inodes, kept as extended attributes. What is always true: the permission bits of the mode are
 * what the access list says of them, a list that says no more than a mode is not kept, and only directories have a
 * default list.
 */

export const ACCESS_ACL = "system.posix_acl_access";
export const DEFAULT_ACL = "system.posix_acl_default";

export const isAclKey = (key: string): boolean => key === ACCESS_ACL || key === DEFAULT_ACL;

/** What of the inode changes when a list is set. A value without entries removes it. */
export function setAcl(
  context: Context,
  inode: InodeRecord,
  key: string,
  value: Uint8Array,
  killSetgid: boolean,
): Partial<InodeRecord> {
  if (isSymlink(inode.mode)) throw storageError("unsupported", "symbolic links have no ACL");
  const entries = parseAcl(value);
  if (key === DEFAULT_ACL) {
    if (entries.length === 0) return dropXattr(context, inode, key);
    if (!isDirectory(inode.mode)) throw storageError("access_denied", "only directories have a default ACL");
    return putXattr(context, inode, key, buildAcl(entries));
  }
  const base = killSetgid ? inode.mode & ~MODE_SETGID : inode.mode;
  if (entries.length === 0) return { ...dropXattr(context, inode, key), mode: base };
  const mode = (base & ~MODE_ACL) | modeOfAcl(entries);
  const names = isPlain(entries)
    ? dropXattr(context, inode, key)
    : putXattr(context, inode, key, buildAcl(entries));
  return { ...names, mode };
}

/** The access list follows the mode. */
export function followMode(context: Context, inode: InodeRecord, mode: number): void {
  const value = xattrValue(context, inode, ACCESS_ACL);
  if (value === undefined) return;
  putXattr(context, inode, ACCESS_ACL, buildAcl(aclWithMode(parseAcl(value), mode)));
}

/** What a new inode has of its directory's default list and of the umask: the mode, and the attributes. */
export interface Inherited {
  readonly mode: number;
  readonly xattrs: readonly (readonly [key: string, value: Uint8Array])[];
}

/** `mode` with its type bits. Without a default list the umask counts; symbolic links know neither. */
export function inheritAcl(context: Context, parent: InodeRecord, mode: number, umask: number): Inherited {
  if (isSymlink(mode)) return { mode, xattrs: [] };
  const value = xattrValue(context, parent, DEFAULT_ACL);
  if (value === undefined) return { mode: mode & ~(umask & MODE_ACL), xattrs: [] };
  const inherited = inheritedAcl(parseAcl(value), mode);
  const access: Inherited["xattrs"] = isPlain(inherited.access)
    ? []
    : [[ACCESS_ACL, buildAcl(inherited.access)]];
  const defaults: Inherited["xattrs"] = isDirectory(mode) ? [[DEFAULT_ACL, value]] : [];
  return { mode: inherited.mode, xattrs: [...access, ...defaults] };
}
