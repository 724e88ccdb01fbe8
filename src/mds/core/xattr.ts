import { storageError } from "../../base/index.js";
import { type RemoveXattr, type SetXattr, XATTR_VALUE_BYTES_MAX } from "../../meta/index.js";
import { isAclKey, setAcl } from "./acl.js";
import type { Outcome } from "./command.js";
import type { Context } from "./context.js";
import { changeInode, inodeOf } from "./inodes.js";
import { OK } from "./replies.js";
import { dropXattr, hasXattr, putXattr, xattrKey } from "./xattr-records.js";

export function setXattr(context: Context, body: SetXattr): Outcome {
  const inode = inodeOf(context.tables, body.ino);
  const key = xattrKey(body.name);
  checkNamespace(key);
  if (body.value.length > XATTR_VALUE_BYTES_MAX) throw storageError("attribute_too_large");
  const isNew = !hasXattr(inode, key);
  if (body.mode === "create" && !isNew) throw storageError("exists");
  if (body.mode === "replace" && isNew) throw storageError("no_such_attribute");
  const change = isAclKey(key)
    ? setAcl(context, inode, key, body.value, body.killSetgid === true)
    : putXattr(context, inode, key, body.value);
  changeInode(context, inode, change, "attributes");
  return OK;
}

/** An access control list that is not there is as good as removed, as on Linux. */
export function removeXattr(context: Context, body: RemoveXattr): Outcome {
  const inode = inodeOf(context.tables, body.ino);
  const key = xattrKey(body.name);
  if (!hasXattr(inode, key)) {
    if (isAclKey(key)) return OK;
    checkNamespace(key);
    throw storageError("no_such_attribute");
  }
  changeInode(context, inode, dropXattr(context, inode, key), "attributes");
  return OK;
}

/** The namespaces of Linux; of `system` only what is understood here. */
function checkNamespace(key: string): void {
  if (isAclKey(key)) return;
  const namespace = NAMESPACES.find((prefix) => key.startsWith(prefix));
  if (namespace === undefined) throw storageError("unsupported", "no such namespace of extended attributes");
  if (key === namespace) throw storageError("invalid", "a namespace and no name");
}

const NAMESPACES = ["user.", "trusted.", "security."];
