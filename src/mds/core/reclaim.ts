import { storageError } from "../../base/index.js";
import type { InodeNumber } from "../../meta/index.js";
import { dropChunk } from "./chunks.js";
import type { DropChunks, Outcome } from "./command.js";
import { type Context, done } from "./context.js";
import { removeInode } from "./inodes.js";
import { dropRecovery } from "./recovery.js";
import type { Tables } from "./tables.js";

/** The end of files. */

/** A file without names and opens dies: at once if it has no chunks, else after they were dropped. */
export function releaseIfUnused(context: Context, ino: InodeNumber): void {
  const { tables } = context;
  const inode = tables.inodes.get(ino);
  if (inode === undefined || !isUnused(tables, ino)) return;
  dropRecovery(context, ino);
  if (inode.chunkCount === 0) {
    removeInode(context, inode);
    return;
  }
  tables.reclaims.put(ino, ino);
  context.effects.push({ type: "reclaim", ino });
}

/** It has neither names nor opens. */
export function isUnused(tables: Tables, ino: InodeNumber): boolean {
  return tables.inodes.get(ino)?.linkCount === 0 && tables.opens.valuesOf(ino).next().done === true;
}

/** Some of the chunks of a file being reclaimed; the file goes with the last of them. */
export function dropChunks(context: Context, { ino, indexes, isLast }: DropChunks): Outcome {
  const { tables } = context;
  if (tables.reclaims.get(ino) === undefined)
    throw storageError("conflict", "the file is not being reclaimed");
  for (const index of indexes) {
    const chunkId = tables.fileChunks.get(ino, index);
    if (chunkId !== undefined) dropChunk(context, chunkId);
  }
  if (isLast) {
    const inode = tables.inodes.get(ino);
    if (inode !== undefined) removeInode(context, inode);
    tables.sweeps.delete(ino);
    tables.reclaims.delete(ino);
  }
  return done();
}
