import { type ChunkId, LEVEL_OF } from "../../chunk/index.js";
import type { InodeNumber } from "../../meta/index.js";
import { putChunk } from "./chunk-index.js";
import { takeStep } from "./chunk-step.js";
import { cutOff } from "./chunk-sweep.js";
import { chunkAt, dropChunk } from "./chunks.js";
import type { Context } from "./context.js";
import { levelOf } from "./levels.js";
import type { ChunkRecord, InodeRecord } from "./records.js";

/** Point reads of one command, in either direction from the new end; beyond that the background goes on. */
const READS_MAX = 128;

/**
 * Cuts the chunks of a file to a new size, once. Puts the inode (`chunkCount`, not the size): the caller's copy is old
 * after it.
 *
 * A chunk that is cut inside needs its servers to do it, and until they have, clients may still write under older maps
 * what is going to be cut: the truncation must not be answered before the chunks given here are installed.
 *
 * Whole chunks are dropped. But if several sessions may have maps of them they are cut at 0 like the boundary one,
 * since a write under such a map must not be acknowledged by servers that are just going to forget it.
 */
export function truncateChunks(
  context: Context,
  inode: InodeRecord,
  newSizeBytes: number,
): readonly ChunkId[] {
  const { ino, storage } = inode;
  if (inode.chunkCount === 0) return [];
  const firstIndex = Math.ceil(newSizeBytes / storage.chunkBytes);
  const offset = newSizeBytes % storage.chunkBytes;
  const boundary = offset === 0 ? undefined : chunkAt(context.tables, ino, firstIndex - 1);
  const isShared = hasSharers(context, ino);
  const whole = isShared ? cutShared(context, inode, firstIndex) : dropFrom(context, inode, firstIndex);
  if (boundary === undefined) return whole;
  cut(context, boundary, offset);
  return [boundary.chunkId, ...whole];
}

function cut(context: Context, record: ChunkRecord, truncateBytes: number): void {
  const next = takeStep(context, record, { truncateBytes });
  if (levelOf(context.tables) >= LEVEL_OF.cutVersions)
    putChunk(context, { ...next, cutVersion: next.version });
}

/** Somebody besides the one who truncates may have maps: an exclusive lease has no others beside it. */
function hasSharers({ tables }: Context, ino: InodeNumber): boolean {
  for (const { lease } of tables.opens.valuesOf(ino)) if (lease === "shared" || lease === "read") return true;
  return false;
}

function cutShared(context: Context, inode: InodeRecord, firstIndex: number): readonly ChunkId[] {
  const found = chunksFrom(context, inode, firstIndex);
  if (!isAll(context, inode, firstIndex, found)) cutOff(context, inode.ino, firstIndex + READS_MAX);
  for (const record of found) cut(context, record, 0);
  return found.map(({ chunkId }) => chunkId);
}

/** Drops the chunks of whole indexes from there up; what is not found by a few reads is cut off by a mark. */
function dropFrom(context: Context, inode: InodeRecord, firstIndex: number): readonly ChunkId[] {
  const found = chunksFrom(context, inode, firstIndex);
  const isComplete = isAll(context, inode, firstIndex, found);
  for (const { chunkId } of found) dropChunk(context, chunkId);
  if (!isComplete) cutOff(context, inode.ino, firstIndex);
  return [];
}

function chunksFrom(context: Context, { ino, chunkCount }: InodeRecord, firstIndex: number): ChunkRecord[] {
  const found: ChunkRecord[] = [];
  for (let index = firstIndex; index < firstIndex + READS_MAX && found.length < chunkCount; index++) {
    const record = chunkAt(context.tables, ino, index);
    if (record !== undefined) found.push(record);
  }
  return found;
}

/** Besides those found, all chunks of the file are known to lie below. */
function isAll(
  { tables }: Context,
  { ino, chunkCount }: InodeRecord,
  firstIndex: number,
  found: readonly ChunkRecord[],
): boolean {
  let missing = chunkCount - found.length;
  const end = Math.max(0, firstIndex - READS_MAX);
  for (let index = firstIndex - 1; index >= end && missing > 0; index--) {
    if (tables.fileChunks.get(ino, index) !== undefined) missing -= 1;
  }
  return missing === 0;
}
