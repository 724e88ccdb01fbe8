import { storageError } from "../../base/index.js";
import { isDirectory, LINK_COUNT_MAX, type Link, MODE_TYPE, type Remove } from "../../meta/index.js";
import type { Outcome } from "./command.js";
import type { Context } from "./context.js";
import { changeInode, directoryOf, inodeOf, removeInode } from "./inodes.js";
import { entryKey } from "./names.js";
import { releaseIfUnused } from "./reclaim.js";
import type { InodeRecord } from "./records.js";
import { entryReply, OK } from "./replies.js";

/** One more name for anything but a directory; the first one for a file that was made without. */
export function link(context: Context, body: Link): Outcome {
  const { tables } = context;
  const parent = directoryOf(tables, body.parent);
  const inode = inodeOf(tables, body.ino);
  const name = entryKey(body.name, "exists");
  if (tables.dentries.get(parent.ino, name) !== undefined) throw storageError("exists");
  if (isDirectory(inode.mode)) throw storageError("not_permitted", "directories have one name");
  const isFirst = inode.isLinkable === true && tables.reclaims.get(inode.ino) === undefined;
  if (inode.linkCount === 0 && !isFirst) throw storageError("not_found");
  if (inode.linkCount >= LINK_COUNT_MAX) throw storageError("too_many_links");
  tables.dentries.put({ ino: inode.ino, mode: inode.mode & MODE_TYPE }, parent.ino, name);
  changeInode(context, parent, { entryCount: parent.entryCount + 1 }, "contents");
  const change = { linkCount: inode.linkCount + 1, parent: parent.ino, isLinkable: undefined };
  return entryReply(changeInode(context, inode, change, "attributes"));
}

/** unlink and rmdir. */
export function remove(context: Context, body: Remove): Outcome {
  const { tables } = context;
  const parent = directoryOf(tables, body.parent);
  const name = entryKey(body.name, body.directory ? "invalid" : "is_directory");
  const dentry = tables.dentries.get(parent.ino, name);
  if (dentry === undefined) throw storageError("not_found");
  const inode = inodeOf(tables, dentry.ino);
  if (isDirectory(inode.mode)) {
    if (!body.directory) throw storageError("is_directory");
    checkEmpty(inode);
  } else if (body.directory) {
    throw storageError("not_directory");
  }
  tables.dentries.delete(parent.ino, name);
  const linkCount = parent.linkCount - (isDirectory(inode.mode) ? 1 : 0);
  changeInode(context, parent, { entryCount: parent.entryCount - 1, linkCount }, "contents");
  dropName(context, inode);
  return OK;
}

export function checkEmpty(directory: InodeRecord): void {
  if (directory.entryCount > 0) throw storageError("not_empty");
}

/** One name of the inode is gone already. A directory goes with it; a file with its last name and last open. */
export function dropName(context: Context, inode: InodeRecord): void {
  if (isDirectory(inode.mode)) {
    removeInode(context, inode);
    return;
  }
  changeInode(context, inode, { linkCount: inode.linkCount - 1 }, "attributes");
  releaseIfUnused(context, inode.ino);
}
