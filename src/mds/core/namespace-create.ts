import { storageError } from "../../base/index.js";
import {
  type Access,
  type Create,
  inheritedFrom,
  isDirectory,
  isFile,
  isSymlink,
  isWord,
  LINK_COUNT_MAX,
  MODE_BLOCK_DEVICE,
  MODE_CHARACTER_DEVICE,
  MODE_DIRECTORY,
  MODE_FIFO,
  MODE_FILE,
  MODE_SOCKET,
  MODE_SYMLINK,
  MODE_TYPE,
  type SessionId,
  SYMLINK_BYTES_MAX,
} from "../../meta/index.js";
import { type Inherited, inheritAcl } from "./acl.js";
import type { Outcome } from "./command.js";
import type { Context } from "./context.js";
import {
  attributesOf,
  changeInode,
  createInode,
  directoryOf,
  inodeOf,
  type NewInode,
  putInode,
} from "./inodes.js";
import { checkAccess, openInode } from "./lease-open.js";
import { entryKey } from "./names.js";
import type { InodeRecord } from "./records.js";
import { reply } from "./replies.js";
import { leaseOfReserved } from "./reserved-numbers.js";
import { putXattr } from "./xattr-records.js";

/** Creates whatever `mode` says, and opens it if asked to; or opens the file that is there already. */
export function create(context: Context, sessionId: SessionId, body: Create): Outcome {
  if (body.open !== undefined) checkAccess(body.open);
  const parent = directoryOf(context.tables, body.parent);
  if (body.unnamed === true) return createUnnamed(context, sessionId, parent, body);
  const name = entryKey(body.name, "exists");
  const existing = context.tables.dentries.get(parent.ino, name);
  if (existing !== undefined) {
    return openExisting(context, sessionId, inodeOf(context.tables, existing.ino), body);
  }
  const lease = body.ino === undefined ? undefined : leaseOfReserved(context.tables, sessionId, body.ino);
  const { xattrs, ...what } = newInode(context, parent, body);
  const isNewDirectory = isDirectory(what.mode);
  if (isNewDirectory && parent.linkCount >= LINK_COUNT_MAX) throw storageError("too_many_links");
  const inode = createWithXattrs(context, what, xattrs);
  context.tables.dentries.put({ ino: inode.ino, mode: inode.mode & MODE_TYPE }, parent.ino, name);
  const linkCount = parent.linkCount + (isNewDirectory ? 1 : 0);
  changeInode(context, parent, { entryCount: parent.entryCount + 1, linkCount }, "contents");
  return opened(context, sessionId, inode, body.open, true, lease);
}

/** As `open` with O_TMPFILE: nothing of the directory changes. */
function createUnnamed(context: Context, sessionId: SessionId, parent: InodeRecord, body: Create): Outcome {
  if (!isFile(body.mode) || body.open === undefined || body.ino !== undefined)
    throw storageError("invalid", "only an open file has no name");
  const { xattrs, ...what } = newInode(context, parent, body);
  const inode = createWithXattrs(context, { ...what, isUnnamed: true }, xattrs);
  return opened(context, sessionId, inode, body.open, true);
}

function createWithXattrs(context: Context, what: NewInode, xattrs: Inherited["xattrs"]): InodeRecord {
  let inode = createInode(context, what);
  if (xattrs.length === 0) return inode;
  for (const [key, value] of xattrs) inode = { ...inode, ...putXattr(context, inode, key, value) };
  putInode(context, inode);
  return inode;
}

/** As `open` with O_CREAT: only a regular file is welcome. */
function openExisting(
  context: Context,
  sessionId: SessionId,
  existing: InodeRecord,
  { mode, mustBeNew, open }: Create,
): Outcome {
  if (mustBeNew || !isFile(mode)) throw storageError("exists");
  if (isDirectory(existing.mode)) throw storageError(open === undefined ? "exists" : "is_directory");
  if (isSymlink(existing.mode)) throw storageError(open === undefined ? "exists" : "symlink_loop");
  if (!isFile(existing.mode)) throw storageError("exists");
  return opened(context, sessionId, existing, open, false);
}

function opened(
  context: Context,
  sessionId: SessionId,
  inode: InodeRecord,
  access: Access | undefined,
  created: boolean,
  lease?: number,
): Outcome {
  if (access !== undefined) return openInode(context, sessionId, inode.ino, access, created, lease);
  const attributes = attributesOf(inode);
  return reply({ type: "opened", body: { attributes, lease: { kind: "none", sequence: 0 }, created } });
}

function newInode(context: Context, parent: InodeRecord, body: Create): NewInode & Pick<Inherited, "xattrs"> {
  const { uid, gid, umask = 0 } = body;
  if (!TYPES.has(body.mode & MODE_TYPE) || !isWord(body.mode))
    throw storageError("invalid", "no such type of file");
  if (!isWord(uid) || !isWord(gid) || !isWord(body.rdev) || !isWord(umask))
    throw storageError("invalid", "not an owner or device");
  if (isFile(body.mode) === false && body.open !== undefined)
    throw storageError("invalid", "only files are opened");
  const isDevice = [MODE_BLOCK_DEVICE, MODE_CHARACTER_DEVICE].includes(body.mode & MODE_TYPE);
  const { mode, gid: group } = inheritedFrom(parent, body);
  return {
    gid: group,
    isUnnamed: false,
    ino: body.ino,
    uid,
    rdev: isDevice ? body.rdev : 0,
    parent: parent.ino,
    target: isSymlink(body.mode) ? checkedTarget(body.target) : NO_TARGET,
    storage: parent.storage,
    ...inheritAcl(context, parent, mode, umask),
  };
}

function checkedTarget(target: Uint8Array): Uint8Array {
  if (target.length > SYMLINK_BYTES_MAX) throw storageError("name_too_long");
  if (target.length === 0 || target.includes(0)) throw storageError("invalid", "not a target");
  return target;
}

const TYPES: ReadonlySet<number> = new Set([
  MODE_FILE,
  MODE_DIRECTORY,
  MODE_SYMLINK,
  MODE_FIFO,
  MODE_SOCKET,
  MODE_CHARACTER_DEVICE,
  MODE_BLOCK_DEVICE,
]);
const NO_TARGET = new Uint8Array(0);
