import { type ChainMember, type ChunkId, type ChunkMap, type CsId, chunkId } from "../../chunk/index.js";
import { FILE_BYTES_MAX, type InodeNumber } from "../../meta/index.js";
import { cappedFreeBytes } from "./capacity-cap.js";
import { activeCount, deleteChunk, holdersOf } from "./chunk-index.js";
import { requestDeletion } from "./chunk-settle.js";
import { isWritable, startChunk, takeStep } from "./chunk-step.js";
import { isCutOff } from "./chunk-sweep.js";
import type { Outcome } from "./command.js";
import { type Context, fail, nextNumber, wait } from "./context.js";
import { putInode } from "./inodes.js";
import { place } from "./placement.js";
import type { ChunkPolicy, ChunkRecord, InodeRecord } from "./records.js";
import { noteFenced } from "./recovery.js";
import type { Tables } from "./tables.js";

export { truncateChunks } from "./chunk-truncate.js";

/** Chunks as files see them. What chunk servers and the upkeep do to them is in `chunk-commands.ts`. */

/**
 * The map for writing a chunk, which is allocated if it was never written. Gives the reply `chunkMaps`, or waits for
 * the chunk or for space. Puts the inode (`chunkCount`): the caller's copy is old after it.
 */
export function allocateChunk(context: Context, inode: InodeRecord, wantedIndex: number): Outcome {
  const { tables } = context;
  // What is in the metadata goes into the first chunk before anything else is written.
  const index = inode.inlineBytes === undefined ? wantedIndex : 0;
  const existing = chunkAt(tables, inode.ino, index);
  if (existing !== undefined) return mapForWriting(context, existing);
  if ((index + 1) * inode.storage.chunkBytes > FILE_BYTES_MAX) return fail("file_too_large");
  if (cappedFreeBytes(tables) === 0) return wait({ type: "space" });
  const policy = policyOf(inode);
  // The next number, but given out only if the chunk comes to be.
  const seed = (tables.counters.get()?.chunk ?? 0) + 1;
  const { stampMs } = context;
  const servers = place(tables, { count: policy.replicas, policy, members: [], avoid: [], seed, stampMs });
  if (servers.length < policy.replicasMinimum) return wait({ type: "space" });
  const cutOff = tables.fileChunks.get(inode.ino, index);
  if (cutOff !== undefined) dropChunk(context, cutOff);
  const id = chunkId(nextNumber(context, "chunk"));
  startChunk(context, id, { ino: inode.ino, index, policy }, servers);
  tables.fileChunks.put(id, inode.ino, index);
  countChunks(context, inode.ino, 1);
  return wait({ type: "chunk", chunkId: id });
}

/** The chunk of a file at an index; one that a truncation cut off does not count, though it is not dropped yet. */
export function chunkAt(
  tables: Pick<Tables, "chunks" | "fileChunks" | "sweeps">,
  ino: InodeNumber,
  index: number,
): ChunkRecord | undefined {
  const id = tables.fileChunks.get(ino, index);
  if (id === undefined || isCutOff(tables, ino, index, id)) return undefined;
  return tables.chunks.get(id);
}

/** Forgets a chunk for good, with its replicas. A chunk that does not exist is success. Puts the inode. */
export function dropChunk(context: Context, id: ChunkId): void {
  const { tables } = context;
  const record = tables.chunks.get(id);
  if (record === undefined) return;
  deleteChunk(context, record);
  if (tables.fileChunks.get(record.ino, record.index) === id) {
    tables.fileChunks.delete(record.ino, record.index);
  }
  countChunks(context, record.ino, -1);
  for (const csId of replicasOf(record)) requestDeletion(context, csId, record);
  // Nobody needs to wait any more for a chunk that is no more.
  noteFenced(context, record, 0);
  context.effects.push({ type: "wake", key: { type: "chunk", chunkId: id } });
}

/**
 * Makes sure that every map given out so far becomes useless: `chunkInstalled` follows, and calls `noteFenced`. False
 * if there is nothing to fence. With no replica left it is fenced by its revival.
 */
export function fenceChunk(context: Context, id: ChunkId, _reason: string): boolean {
  const record = context.tables.chunks.get(id);
  if (record === undefined) return false;
  // Nobody has a map of a version that is not installed yet.
  if (record.installed) takeStep(context, record, {});
  return true;
}

/** There is a map that clients may be given. */
export function isUsable(context: Pick<Context, "tables">, id: ChunkId): boolean {
  const record = context.tables.chunks.get(id);
  return record?.installed === true && activeCount(record) > 0;
}

/** What a client is told of a chunk that is usable. */
export function chunkMapOf(tables: Pick<Tables, "chunkServers">, record: ChunkRecord): ChunkMap {
  return {
    index: record.index,
    chunkId: record.chunkId,
    version: record.version,
    chain: record.chain.map(({ csId, syncing }) => memberOf(tables, csId, syncing)),
    writable: isWritable(record),
  };
}

export function policyOf({ storage }: InodeRecord): ChunkPolicy {
  const { replicas, replicasMinimum, failureDomain, tier, chunkBytes } = storage;
  return { replicas, replicasMinimum, failureDomain, tier, chunkBytes };
}

function mapForWriting(context: Context, record: ChunkRecord): Outcome {
  if (isWritable(record)) {
    return {
      type: "reply",
      reply: { type: "chunkMaps", body: { maps: [chunkMapOf(context.tables, record)] } },
    };
  }
  // A client waits for it now, which makes it the most urgent one to repair.
  if (record.installed || record.chain.length === 0) {
    context.effects.push({ type: "repair", chunkId: record.chunkId });
  }
  return wait({ type: "chunk", chunkId: record.chunkId });
}

function memberOf(tables: Pick<Tables, "chunkServers">, csId: CsId, syncing: boolean): ChainMember {
  const server = tables.chunkServers.get(csId);
  return { csId, address: server?.address ?? "", hostId: server?.hostId ?? "", syncing };
}

/** Every server that may have anything of it. */
function replicasOf(record: ChunkRecord): CsId[] {
  return [...new Set([...holdersOf(record), ...record.leftovers])];
}

function countChunks(context: Context, ino: InodeNumber, change: 1 | -1): void {
  const { tables } = context;
  const inode = tables.inodes.get(ino);
  if (inode === undefined) return;
  const chunkCount = inode.chunkCount + change;
  putInode(context, { ...inode, chunkCount });
  // What was cut off is gone with the last chunk.
  if (chunkCount === 0) tables.sweeps.delete(ino);
}
