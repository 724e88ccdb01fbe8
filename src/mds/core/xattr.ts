import { equalBytes, storageError, toLatin1 } from "../../base/index.js";
import {
  type RemoveXattr,
  type SetXattr,
  XATTR_NAME_BYTES_MAX,
  XATTR_VALUE_BYTES_MAX,
} from "../../meta/index.js";
import type { Outcome } from "./command.js";
import type { Context } from "./context.js";
import { changeInode, inodeOf } from "./inodes.js";
import type { InodeRecord } from "./records.js";
import { OK } from "./replies.js";

/** All names of one inode fit in one `listxattr` of Linux, each with its closing NUL. */
export const XATTR_LIST_BYTES_MAX = 65536;
/** More make every change of the inode dear. */
export const XATTRS_PER_INODE_MAX = 256;

export function setXattr(context: Context, body: SetXattr): Outcome {
  const { tables } = context;
  const inode = inodeOf(tables, body.ino);
  const key = xattrKey(body.name);
  if (body.value.length > XATTR_VALUE_BYTES_MAX) throw storageError("attribute_too_large");
  const isNew = tables.xattrs.get(inode.ino, key) === undefined;
  if (body.mode === "create" && !isNew) throw storageError("exists");
  if (body.mode === "replace" && isNew) throw storageError("no_such_attribute");
  if (isNew) checkRoomFor(inode, body.name);
  tables.xattrs.put(body.value, inode.ino, key);
  changeInode(context, inode, isNew ? { xattrNames: [...inode.xattrNames, body.name] } : {}, "attributes");
  return OK;
}

export function removeXattr(context: Context, body: RemoveXattr): Outcome {
  const { tables } = context;
  const inode = inodeOf(tables, body.ino);
  const key = xattrKey(body.name);
  if (tables.xattrs.get(inode.ino, key) === undefined) throw storageError("no_such_attribute");
  tables.xattrs.delete(inode.ino, key);
  const xattrNames = inode.xattrNames.filter((name) => !equalBytes(name, body.name));
  changeInode(context, inode, { xattrNames }, "attributes");
  return OK;
}

/** The name as a key. Failures: `out_of_range` as Linux says of a bad length, `invalid` with a NUL in it. */
export function xattrKey(name: Uint8Array): string {
  if (name.length === 0 || name.length > XATTR_NAME_BYTES_MAX) throw storageError("out_of_range");
  if (name.includes(0)) throw storageError("invalid", "not a name");
  return toLatin1(name);
}

function checkRoomFor(inode: InodeRecord, name: Uint8Array): void {
  const listBytes = inode.xattrNames.reduce((sum, other) => sum + other.length + 1, name.length + 1);
  if (inode.xattrNames.length >= XATTRS_PER_INODE_MAX || listBytes > XATTR_LIST_BYTES_MAX) {
    throw storageError("attribute_too_large", "the file has too many extended attributes");
  }
}
