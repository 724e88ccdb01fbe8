import type { ChunkId } from "../../chunk/index.js";
import { takeStep } from "./chunk-step.js";
import { cutOff } from "./chunk-sweep.js";
import { chunkAt, dropChunk } from "./chunks.js";
import type { WaitKey } from "./command.js";
import type { Context } from "./context.js";
import type { ChunkRecord, InodeRecord, RequestName } from "./records.js";

/** Point reads of one command, in either direction from the new end; beyond that the background goes on. */
const READS_MAX = 128;

/**
 * Cuts the chunks of a file to a new size, and puts the inode with that size: the caller's copy is old after it.
 *
 * Gives undefined when it is done. A chunk that is cut inside needs its servers to do it, and no client may write
 * under an older map meanwhile: then it gives the key to wait for; the same `request`, applied again, goes on from
 * there. Whole chunks are dropped, or, if other sessions may have maps of them, cut at 0 like the boundary one, since
 * a write under such a map must not be acknowledged by servers that are just going to forget it.
 */
export function truncateChunks(
  context: Context,
  inode: InodeRecord,
  newSizeBytes: number,
  request: RequestName,
): WaitKey | undefined {
  const { ino, storage } = inode;
  const firstIndex = Math.ceil(newSizeBytes / storage.chunkBytes);
  const offset = newSizeBytes % storage.chunkBytes;
  const boundary = offset === 0 ? undefined : chunkAt(context.tables, ino, firstIndex - 1);
  const isShared = hasOtherHolders(context, ino, request);
  const isBegun = inode.sizeBytes <= newSizeBytes;
  const targets: Target[] = boundary === undefined ? [] : [{ record: boundary, offset }];
  if (isShared) targets.push(...sharedTargets(context, inode, firstIndex, isBegun));
  else if (!isBegun || !isCutFor(boundary, request)) dropFrom(context, inode, firstIndex);
  const key = cutInside(context, targets, request, { isShared, isBegun });
  putSize(context, ino, newSizeBytes);
  return key;
}

interface Target {
  readonly record: ChunkRecord;
  readonly offset: number;
}

/**
 * The first chunk that is not cut yet. If the file has grown since this request began, everything is cut again. If it
 * has not, there may be data beyond its size only where a single holder has not reported them yet.
 */
function cutInside(
  context: Context,
  targets: readonly Target[],
  request: RequestName,
  { isShared, isBegun }: { readonly isShared: boolean; readonly isBegun: boolean },
): WaitKey | undefined {
  let unfinished: ChunkId | undefined;
  for (const { record, offset } of targets) {
    const isCut = isBegun && isCutFor(record, request);
    if (isCut ? record.installed : isBegun && isShared) continue;
    if (!isCut) takeStep(context, record, { truncate: { toBytes: offset, request } });
    unfinished ??= record.chunkId;
  }
  return unfinished === undefined ? undefined : { type: "chunk", chunkId: unfinished };
}

/** Whole chunks that others may have maps of. */
function sharedTargets(
  context: Context,
  inode: InodeRecord,
  firstIndex: number,
  isBegun: boolean,
): Target[] {
  const found = chunksFrom(context, inode, firstIndex);
  const isAll = countBelow(context, inode, firstIndex) + found.length >= inode.chunkCount;
  if (!isAll && !isBegun) cutOff(context, inode.ino, firstIndex + READS_MAX);
  return found.map((record) => ({ record, offset: 0 }));
}

function isCutFor(record: ChunkRecord | undefined, { sessionId, sequence }: RequestName): boolean {
  return record?.truncatedFor?.sessionId === sessionId && record.truncatedFor.sequence === sequence;
}

/** Anybody else with a lease may have maps. */
function hasOtherHolders({ tables }: Context, ino: InodeRecord["ino"], { sessionId }: RequestName): boolean {
  for (const open of tables.opens.valuesOf(ino)) {
    if (open.sessionId !== sessionId && open.lease !== "none") return true;
  }
  return false;
}

/** Drops the chunks of whole indexes from there up; what is not found by a few reads is cut off by a mark. */
function dropFrom(context: Context, inode: InodeRecord, firstIndex: number): void {
  const found = chunksFrom(context, inode, firstIndex);
  const below = countBelow(context, inode, firstIndex);
  for (const { chunkId } of found) dropChunk(context, chunkId);
  if (below + found.length < inode.chunkCount) cutOff(context, inode.ino, firstIndex);
}

function chunksFrom(context: Context, { ino, chunkCount }: InodeRecord, firstIndex: number): ChunkRecord[] {
  const found: ChunkRecord[] = [];
  for (let index = firstIndex; index < firstIndex + READS_MAX && found.length < chunkCount; index++) {
    const record = chunkAt(context.tables, ino, index);
    if (record !== undefined) found.push(record);
  }
  return found;
}

/** How many chunks are known to lie below; possibly more do. */
function countBelow({ tables }: Context, { ino, chunkCount }: InodeRecord, firstIndex: number): number {
  let count = 0;
  const end = Math.max(0, firstIndex - READS_MAX);
  for (let index = firstIndex - 1; index >= end && count < chunkCount; index--) {
    if (tables.fileChunks.get(ino, index) !== undefined) count += 1;
  }
  return count;
}

function putSize({ tables }: Context, ino: InodeRecord["ino"], sizeBytes: number): void {
  const inode = tables.inodes.get(ino);
  if (inode !== undefined && inode.sizeBytes !== sizeBytes) tables.inodes.put({ ...inode, sizeBytes }, ino);
}
