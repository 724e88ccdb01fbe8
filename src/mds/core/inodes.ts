import { storageError, toLatin1 } from "../../base/index.js";
import { BLOCK_BYTES } from "../../chunk/index.js";
import {
  type Attributes,
  type InodeNumber,
  inodeNumber,
  isDirectory,
  isFile,
  type StorageAttributes,
} from "../../meta/index.js";
import { type Context, nextNumber, timestampOf } from "./context.js";
import { dropLocksOf } from "./lock-records.js";
import type { InodeRecord, TotalsRecord } from "./records.js";
import type { Tables } from "./tables.js";

/**
 * Inodes, one by one. Every write of an inode goes through `putInode` or `removeInode`, which keep the totals in
 * step.
 */

/** The inode, or the failure `not_found`. */
export function inodeOf(tables: Tables, ino: InodeNumber): InodeRecord {
  const inode = tables.inodes.get(ino);
  if (inode === undefined) throw storageError("not_found");
  return inode;
}

export function directoryOf(tables: Tables, ino: InodeNumber): InodeRecord {
  const inode = inodeOf(tables, ino);
  if (!isDirectory(inode.mode)) throw storageError("not_directory");
  return inode;
}

/** A regular file: anything else has no contents of its own here. */
export function fileOf(tables: Tables, ino: InodeNumber): InodeRecord {
  const inode = inodeOf(tables, ino);
  if (isDirectory(inode.mode)) throw storageError("is_directory");
  if (!isFile(inode.mode)) throw storageError("invalid", "not a regular file");
  return inode;
}

/** What `stat` shows of it. */
export function attributesOf(inode: InodeRecord): Attributes {
  return {
    ino: inode.ino,
    generation: inode.generation,
    mode: inode.mode,
    linkCount: inode.linkCount,
    uid: inode.uid,
    gid: inode.gid,
    rdev: inode.rdev,
    sizeBytes: isDirectory(inode.mode) ? inode.entryCount : inode.sizeBytes,
    allocatedBytes: allocatedBytesOf(inode),
    atime: inode.atime,
    mtime: inode.mtime,
    ctime: inode.ctime,
    birthTime: inode.birthTime,
    storage: inode.storage,
    changeCount: inode.changeCount,
  };
}

/** Chunks are sparse: a small file in a large chunk takes no more than its blocks. */
function allocatedBytesOf(inode: InodeRecord): number {
  const blocks = Math.ceil(inode.sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
  return Math.min(inode.chunkCount * inode.storage.chunkBytes, blocks);
}

export interface NewInode {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly parent: InodeNumber;
  readonly target: Uint8Array;
  readonly storage: StorageAttributes;
}

/** A new inode with its first link (a directory: two, its own `.` is one). */
export function createInode(context: Context, what: NewInode): InodeRecord {
  const now = timestampOf(context.stampMs);
  const inode: InodeRecord = {
    ...what,
    ino: inodeNumber(nextNumber(context, "inode")),
    generation: 1,
    linkCount: isDirectory(what.mode) ? 2 : 1,
    sizeBytes: what.target.length,
    entryCount: 0,
    chunkCount: 0,
    atime: now,
    mtime: now,
    ctime: now,
    birthTime: now,
    changeCount: 1,
    xattrNames: [],
  };
  putInode(context, inode);
  return inode;
}

/** Which times a change touches: contents (mtime and ctime), attributes (ctime). */
export type Touch = "contents" | "attributes";

/** Stores a changed inode with its times and change count moved on. */
export function changeInode(
  context: Context,
  inode: InodeRecord,
  change: Partial<InodeRecord>,
  touch: Touch,
): InodeRecord {
  const now = timestampOf(context.stampMs);
  const times = touch === "contents" ? { mtime: now, ctime: now } : { ctime: now };
  const changed: InodeRecord = { ...inode, ...times, ...change, changeCount: inode.changeCount + 1 };
  putInode(context, changed);
  return changed;
}

/** Stores an inode as it is. */
export function putInode({ tables }: Pick<Context, "tables">, inode: InodeRecord): void {
  const old = tables.inodes.get(inode.ino);
  tables.inodes.put(inode, inode.ino);
  addTotals(tables, old, inode);
}

/** Forgets an inode, its extended attributes and its locks. */
export function removeInode(context: Context, inode: InodeRecord): void {
  for (const name of inode.xattrNames) context.tables.xattrs.delete(inode.ino, toLatin1(name));
  dropLocksOf(context, inode.ino);
  context.tables.inodes.delete(inode.ino);
  addTotals(context.tables, inode, undefined);
}

const NO_TOTALS: TotalsRecord = { fileCount: 0, inodeCount: 0, sizeBytes: 0, chunkCount: 0 };

/** Sums over all inodes. */
export function totalsOf(tables: Pick<Tables, "totals">): TotalsRecord {
  return tables.totals.get() ?? NO_TOTALS;
}

function addTotals(tables: Tables, old: InodeRecord | undefined, now: InodeRecord | undefined): void {
  const totals = totalsOf(tables);
  const before = shareOf(old);
  const after = shareOf(now);
  const isSame =
    before.fileCount === after.fileCount &&
    before.inodeCount === after.inodeCount &&
    before.sizeBytes === after.sizeBytes &&
    before.chunkCount === after.chunkCount;
  if (isSame) return;
  tables.totals.put({
    fileCount: totals.fileCount + after.fileCount - before.fileCount,
    inodeCount: totals.inodeCount + after.inodeCount - before.inodeCount,
    sizeBytes: totals.sizeBytes + after.sizeBytes - before.sizeBytes,
    chunkCount: totals.chunkCount + after.chunkCount - before.chunkCount,
  });
}

function shareOf(inode: InodeRecord | undefined): TotalsRecord {
  if (inode === undefined) return NO_TOTALS;
  const isRegular = isFile(inode.mode);
  return {
    fileCount: isRegular ? 1 : 0,
    inodeCount: 1,
    sizeBytes: isRegular ? inode.sizeBytes : 0,
    chunkCount: inode.chunkCount,
  };
}
