import type { ChunkId } from "../../chunk/index.js";
import type { InodeNumber } from "../../meta/index.js";
import { putChunk } from "./chunk-index.js";
import { settleChunk } from "./chunk-settle.js";
import { dropChunk, policyOf } from "./chunks.js";
import type { Outcome, SweepChunks } from "./command.js";
import { type Context, done } from "./context.js";
import type { ChunkPolicy, Cut, InodeRecord } from "./records.js";
import type { Tables } from "./tables.js";

/**
 * Work on all chunks of a file that is too much for one command: it is written down in `sweeps`, takes effect at once
 * where it must (`isCutOff`), and is carried out part by part in the background.
 */

/** The storage attributes of the file were changed (and put): its chunks will follow. */
export function sweepPolicy(context: Context, ino: InodeNumber): void {
  if ((context.tables.inodes.get(ino)?.chunkCount ?? 0) > 0) requestSweep(context, ino, []);
}

/** All chunks from that index up that exist now are gone; those that come later are not concerned. */
export function cutOff(context: Context, ino: InodeNumber, firstIndex: number): void {
  const lastChunkId = (context.tables.counters.get()?.chunk ?? 0) as ChunkId;
  requestSweep(context, ino, [{ firstIndex, lastChunkId }]);
}

export function isCutOff(
  tables: Pick<Tables, "sweeps">,
  ino: InodeNumber,
  index: number,
  chunkId: ChunkId,
): boolean {
  const cuts = tables.sweeps.get(ino)?.cuts ?? [];
  return cuts.some((cut) => index >= cut.firstIndex && chunkId <= cut.lastChunkId);
}

/** The command: a part of the file's chunks, in the order of their indexes. */
export function sweepChunks(context: Context, { ino, indexes, isLast, sequence }: SweepChunks): Outcome {
  const { tables } = context;
  const inode = tables.inodes.get(ino);
  if (inode !== undefined) for (const index of indexes) sweepChunk(context, inode, index);
  const sweep = tables.sweeps.get(ino);
  if (isLast && sweep?.sequence === sequence) tables.sweeps.delete(ino);
  // Otherwise there is more to do by now; a new listing begins.
  else if (isLast && sweep !== undefined) context.effects.push({ type: "sweep", ino });
  return done();
}

function sweepChunk(context: Context, inode: InodeRecord, index: number): void {
  const { tables } = context;
  const chunkId = tables.fileChunks.get(inode.ino, index);
  if (chunkId === undefined) return;
  if (isCutOff(tables, inode.ino, index, chunkId)) {
    dropChunk(context, chunkId);
    return;
  }
  const record = tables.chunks.get(chunkId);
  const policy = policyOf(inode);
  if (record === undefined || isSamePolicy(record.policy, policy)) return;
  const changed = { ...record, policy };
  putChunk(context, changed);
  settleChunk(context, changed);
}

function requestSweep({ tables, effects }: Context, ino: InodeNumber, cuts: readonly Cut[]): void {
  const old = tables.sweeps.get(ino);
  // A new cut is the youngest: those that began at its index or above are contained in it.
  const kept = (old?.cuts ?? []).filter((cut) => !cuts.some((fresh) => fresh.firstIndex <= cut.firstIndex));
  tables.sweeps.put({ ino, sequence: (old?.sequence ?? 0) + 1, cuts: [...kept, ...cuts] }, ino);
  effects.push({ type: "sweep", ino });
}

function isSamePolicy(a: ChunkPolicy, b: ChunkPolicy): boolean {
  return (
    a.replicas === b.replicas &&
    a.replicasMinimum === b.replicasMinimum &&
    a.failureDomain === b.failureDomain &&
    a.tier === b.tier &&
    a.chunkBytes === b.chunkBytes
  );
}
