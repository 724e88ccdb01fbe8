import type { ChunkId, CsId } from "../../chunk/index.js";
import { dropServerIfDrained } from "./chunk-server-drop.js";
import type { Context } from "./context.js";
import type { ChunkRecord } from "./records.js";
import type { Tables } from "./tables.js";

/**
 * The one place that writes chunk records, and keeps in step with them what is derived from them: `csChunks` and
 * `csCounts` (holders), `degraded` (too few active members), `installing` (an installation under
 * way), `minimumCounts`.
 */

/** Stores the record, new or changed. */
export function putChunk(context: Context, record: ChunkRecord): void {
  const { tables } = context;
  const { chunkId } = record;
  const old = tables.chunks.get(chunkId);
  tables.chunks.put(record, chunkId);
  noteMinimum(tables, old?.policy.replicasMinimum, record.policy.replicasMinimum);
  noteHolders(context, chunkId, holdersOf(old), holdersOf(record));
  if (activeCount(record) < record.policy.replicas) tables.degraded.put(true, chunkId);
  else tables.degraded.delete(chunkId);
  if (isInstalling(record)) tables.installing.put(chunkId, chunkId);
  else tables.installing.delete(chunkId);
}

/** Forgets the record and all that is derived from it. The file's own books are the caller's. */
export function deleteChunk(context: Context, record: ChunkRecord): void {
  const { tables } = context;
  const { chunkId } = record;
  tables.chunks.delete(chunkId);
  noteMinimum(tables, record.policy.replicasMinimum, undefined);
  noteHolders(context, chunkId, holdersOf(record), []);
  tables.degraded.delete(chunkId);
  tables.installing.delete(chunkId);
}

/** Servers that have, or may have, everything of the chunk. Each once. */
export function holdersOf(record: ChunkRecord | undefined): readonly CsId[] {
  if (record === undefined) return [];
  const chain = record.chain.map(({ csId }) => csId);
  const lost = record.lost.map(({ csId }) => csId).filter((csId) => !chain.includes(csId));
  return [...chain, ...lost];
}

/** Members that have everything and answer reads. */
export function activeCount(record: ChunkRecord): number {
  return record.chain.reduce((count, { syncing }) => (syncing ? count : count + 1), 0);
}

/** Its members are being brought to its version. With an empty chain there is nobody to install anything on. */
export function isInstalling(record: ChunkRecord): boolean {
  return !record.installed && record.chain.length > 0;
}

/** How many chunks have a replica on the server, in a chain or lost. */
export function chunkCountOn(tables: Tables, csId: CsId): number {
  return tables.csCounts.get(csId)?.chunkCount ?? 0;
}

function noteHolders(
  context: Context,
  chunkId: ChunkId,
  before: readonly CsId[],
  after: readonly CsId[],
): void {
  const { tables } = context;
  for (const csId of after) {
    if (before.includes(csId)) continue;
    tables.csChunks.put(true, csId, chunkId);
    tables.csCounts.put({ csId, chunkCount: chunkCountOn(tables, csId) + 1 }, csId);
  }
  for (const csId of before) {
    if (after.includes(csId)) continue;
    tables.csChunks.delete(csId, chunkId);
    tables.csCounts.put({ csId, chunkCount: chunkCountOn(tables, csId) - 1 }, csId);
    dropServerIfDrained(context, csId);
  }
}

function noteMinimum(tables: Tables, before: number | undefined, after: number | undefined): void {
  if (before === after) return;
  if (before !== undefined) addMinimum(tables, before, -1);
  if (after !== undefined) addMinimum(tables, after, 1);
}

function addMinimum({ minimumCounts }: Tables, replicasMinimum: number, change: 1 | -1): void {
  const chunkCount = (minimumCounts.get(replicasMinimum)?.chunkCount ?? 0) + change;
  if (chunkCount > 0) minimumCounts.put({ replicasMinimum, chunkCount }, replicasMinimum);
  else minimumCounts.delete(replicasMinimum);
}
