import { storageError, toLatin1 } from "../../base/index.js";
import { BLOCK_BYTES } from "../../chunk/index.js";
import {
  type Attributes,
  type InodeNumber,
  inodeNumber,
  isDirectory,
  isFile,
  type StorageAttributes,
  timestampOf,
} from "../../meta/index.js";
import { type Context, nextNumber } from "./context.js";
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
    dataVersion: inode.dataVersion,
    noXattrs: inode.xattrNames.length === 0,
  };
}

/**
 * Chunks are sparse: a file takes no more than the blocks of its size, nor than was ever written to it. What was written
 * twice may count twice, so it is not exact; it is 0 only if nothing was written.
 */
function allocatedBytesOf(inode: InodeRecord): number {
  const { chunkCount, storage, sizeBytes, writtenBytes, inlineBytes } = inode;
  if (chunkCount === 0) return wholeBlocks(Math.min(inlineBytes ?? 0, sizeBytes));
  const written = Math.max(1, writtenBytes ?? sizeBytes);
  return Math.min(chunkCount * storage.chunkBytes, wholeBlocks(sizeBytes), wholeBlocks(written));
}

const wholeBlocks = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;

export interface NewInode {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly parent: InodeNumber;
  readonly target: Uint8Array;
  readonly storage: StorageAttributes;
  /** It has no name yet. */
  readonly isUnnamed: boolean;
  /** One reserved for it; else it gets the next one. */
  readonly ino?: InodeNumber | undefined;
}

/** A new inode with its first link (a directory: two, its own `.` is one), or without any. */
export function createInode(context: Context, what: NewInode): InodeRecord {
  const now = timestampOf(context.stampMs);
  const { isUnnamed, mode, uid, gid, rdev, parent, target, storage } = what;
  // All of its fields, in the order of a record that was read: V8 knows both by one shape (docs/performance.md).
  const inode: InodeRecord = {
    ino: what.ino ?? inodeNumber(nextNumber(context, "inode")),
    generation: 1,
    mode,
    linkCount: isDirectory(what.mode) ? 2 : isUnnamed ? 0 : 1,
    uid,
    gid,
    rdev,
    sizeBytes: what.target.length,
    entryCount: 0,
    parent,
    chunkCount: 0,
    atime: now,
    mtime: now,
    ctime: now,
    birthTime: now,
    changeCount: 1,
    storage,
    target,
    xattrNames: [],
    isLinkable: isUnnamed ? true : undefined,
    writtenBytes: isFile(what.mode) ? 0 : undefined,
    dataVersion: undefined,
    inlineBytes: undefined,
  };
  putInode(context, inode);
  return inode;
}

/** Which times a change touches: contents (mtime and ctime), attributes (ctime), or none of these two. */
export type Touch = "contents" | "attributes" | "nothing";

/** Stores a changed inode with its times and change count moved on. */
export function changeInode(
  context: Context,
  inode: InodeRecord,
  change: Partial<InodeRecord>,
  touch: Touch,
): InodeRecord {
  const now = timestampOf(context.stampMs);
  const changed: InodeRecord = {
    ...inode,
    mtime: touch === "contents" ? now : inode.mtime,
    ctime: touch === "nothing" ? inode.ctime : now,
    ...change,
    changeCount: inode.changeCount + 1,
  };
  putInode(context, changed);
  return changed;
}

/**
 * Somebody who may have changed the data of the file does so no more: what was read before is not known to be so still.
 * Nothing that `stat` shows changes with it. Undefined if the file is gone.
 */
export function moveDataVersion(context: Pick<Context, "tables">, ino: InodeNumber): InodeRecord | undefined {
  const inode = context.tables.inodes.get(ino);
  if (inode === undefined) return undefined;
  const moved = { ...inode, dataVersion: dataVersionAfter(inode) };
  putInode(context, moved);
  return moved;
}

/** For changes of the inode that change its data too. */
export const dataVersionAfter = ({ dataVersion }: InodeRecord): number => (dataVersion ?? 0) + 1;

/** Stores an inode as it is. */
export function putInode({ tables }: Pick<Context, "tables">, inode: InodeRecord): void {
  const old = tables.inodes.get(inode.ino);
  tables.inodes.put(inode, inode.ino);
  addTotals(tables, old, inode);
}

/** Forgets an inode, its extended attributes, its locks, and its contents as far as they are here. */
export function removeInode(context: Context, inode: InodeRecord): void {
  for (const name of inode.xattrNames) context.tables.xattrs.delete(inode.ino, toLatin1(name));
  if (inode.inlineBytes !== undefined) context.tables.inlines.delete(inode.ino);
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
