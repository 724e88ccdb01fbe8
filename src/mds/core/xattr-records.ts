import { equalBytes, fromLatin1, storageError, toLatin1 } from "../../base/index.js";
import { XATTR_NAME_BYTES_MAX } from "../../meta/index.js";
import type { Context } from "./context.js";
import type { InodeRecord } from "./records.js";

/**
 * Extended attributes in the tables: the values by (inode, name), the names in the inode as well. The functions that
 * change a value return the names that the inode then has; storing that is the caller's part.
 */

/** All names of one inode fit in one `listxattr` of Linux, each with its closing NUL. */
export const XATTR_LIST_BYTES_MAX = 65536;
/** More make every change of the inode dear. */
export const XATTRS_PER_INODE_MAX = 256;

type Names = Pick<InodeRecord, "xattrNames">;

/** File capabilities: gone with a change of owner, of size, and where privileges are to be taken away. */
export const CAPABILITY_KEY = "security.capability";

/** The name as a key. Failures: `out_of_range` as Linux says of a bad length, `invalid` with a NUL in it. */
export function xattrKey(name: Uint8Array): string {
  if (name.length === 0 || name.length > XATTR_NAME_BYTES_MAX) throw storageError("out_of_range");
  if (name.includes(0)) throw storageError("invalid", "not a name");
  return toLatin1(name);
}

/** Whether there is one; costs no look into the table of values. */
export function hasXattr(inode: InodeRecord, key: string): boolean {
  const { xattrNames } = inode;
  return xattrNames.some((name) => name.length === key.length && toLatin1(name) === key);
}

export function xattrValue(
  { tables }: Pick<Context, "tables">,
  inode: InodeRecord,
  key: string,
): Uint8Array | undefined {
  return hasXattr(inode, key) ? tables.xattrs.get(inode.ino, key) : undefined;
}

export function putXattr({ tables }: Context, inode: InodeRecord, key: string, value: Uint8Array): Names {
  const isNew = !hasXattr(inode, key);
  const name = fromLatin1(key);
  if (isNew) checkRoomFor(inode, name);
  tables.xattrs.put(value, inode.ino, key);
  return isNew ? { xattrNames: [...inode.xattrNames, name] } : { xattrNames: inode.xattrNames };
}

/** Nothing happens if it is not there. */
export function dropXattr({ tables }: Context, inode: InodeRecord, key: string): Names {
  if (!hasXattr(inode, key)) return { xattrNames: inode.xattrNames };
  tables.xattrs.delete(inode.ino, key);
  const name = fromLatin1(key);
  return { xattrNames: inode.xattrNames.filter((other) => !equalBytes(other, name)) };
}

function checkRoomFor(inode: InodeRecord, name: Uint8Array): void {
  const listBytes = inode.xattrNames.reduce((sum, other) => sum + other.length + 1, name.length + 1);
  if (inode.xattrNames.length >= XATTRS_PER_INODE_MAX || listBytes > XATTR_LIST_BYTES_MAX) {
    throw storageError("attribute_too_large", "the file has too many extended attributes");
  }
}
