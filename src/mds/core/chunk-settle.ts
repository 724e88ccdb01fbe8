import type { CsId } from "../../chunk/index.js";
import { activeCount, putChunk } from "./chunk-index.js";
import { takeStep } from "./chunk-step.js";
import type { Context } from "./context.js";
import { domainOf } from "./failure-domain.js";
import type { ChunkRecord, CsRecord, ReplicaRecord } from "./records.js";
import type { Tables } from "./tables.js";

/**
 * What follows when a version is installed, a replica is complete, or the wishes of the file changed: data of no use
 * are deleted, surplus members leave, and whoever waits is told.
 */
export function settleChunk(context: Context, record: ChunkRecord): void {
  let settled = record;
  if (mayDeleteLeftovers(record)) settled = deleteLeftovers(context, record);
  const { chunkId } = settled;
  if (settled.installed) context.effects.push({ type: "wake", key: { type: "chunk", chunkId } });
  if (activeCount(settled) < settled.policy.replicas) context.effects.push({ type: "repair", chunkId });
  const surplus = settled.installed ? surplusOf(context.tables, settled) : [];
  if (surplus.length > 0) takeStep(context, settled, { remove: surplus });
}

/** Everything acknowledged is on as many active members as the file wants, under a version they all accepted. */
function mayDeleteLeftovers(record: ChunkRecord): boolean {
  return record.installed && record.leftovers.length > 0 && activeCount(record) >= record.policy.replicas;
}

function deleteLeftovers(context: Context, record: ChunkRecord): ChunkRecord {
  for (const csId of record.leftovers) requestDeletion(context, csId, record);
  const settled = { ...record, leftovers: [] };
  putChunk(context, settled);
  return settled;
}

/** Lets a server delete what it has of a chunk, up to the record's version. */
export function requestDeletion(
  context: Context,
  csId: CsId,
  { chunkId, version }: Pick<ChunkRecord, "chunkId" | "version">,
): void {
  const server = context.tables.chunkServers.get(csId);
  if (server === undefined || server.administration === "dropped") return;
  context.tables.deletions.put(version, csId, chunkId);
  context.effects.push({ type: "deleteReplica", csId, chunkId, version });
}

/**
 * Active members that may leave: those beyond the wanted number, provided that the wanted number stays on servers
 * that are up and wanted themselves. The worst placed go first.
 */
export function surplusOf(tables: Pick<Tables, "chunkServers">, record: ChunkRecord): CsId[] {
  const active = record.chain.filter(({ syncing }) => !syncing);
  let excess = active.length - record.policy.replicas;
  if (excess <= 0) return [];
  const ranked = rankForRemoval(tables, record, active);
  const surplus: CsId[] = [];
  for (const { csId } of ranked) {
    if (excess === 0) break;
    const staying = active.filter((member) => member.csId !== csId && !surplus.includes(member.csId));
    const sound = staying.filter((member) => isSound(tables.chunkServers.get(member.csId)));
    if (sound.length < record.policy.replicas) continue;
    surplus.push(csId);
    excess -= 1;
  }
  return surplus;
}

/** A replica there counts: the server is up, and not on its way out. */
export function isSound(server: CsRecord | undefined): boolean {
  return server?.activity === "active" && server.administration === "normal";
}

/** Those that should leave first: the worst placed, then those on the fullest disks. */
export function rankForRemoval(
  tables: Pick<Tables, "chunkServers">,
  record: ChunkRecord,
  active: readonly ReplicaRecord[],
): readonly ReplicaRecord[] {
  const badness = new Map(active.map(({ csId }) => [csId, misplacement(tables, record, csId)]));
  const badnessOf = ({ csId }: ReplicaRecord): number => badness.get(csId) ?? 0;
  const freeOf = ({ csId }: ReplicaRecord): number => freeFraction(tables.chunkServers.get(csId));
  return [...active].sort((a, b) => badnessOf(b) - badnessOf(a) || freeOf(a) - freeOf(b) || a.csId - b.csId);
}

/** How badly a complete member is placed, from 0: its server is not sound, shares its failure domain with another, or is of another tier. */
export function misplacement(
  { chunkServers }: Pick<Tables, "chunkServers">,
  { chain, policy }: ChunkRecord,
  csId: CsId,
): number {
  const server = chunkServers.get(csId);
  if (server === undefined || !isSound(server)) return 4;
  const domain = domainOf(server, policy.failureDomain);
  const isShared = chain.some((other) => {
    const there = other.csId === csId || other.syncing ? undefined : chunkServers.get(other.csId);
    return there !== undefined && domainOf(there, policy.failureDomain) === domain;
  });
  return (isShared ? 2 : 0) + (server.tier === policy.tier ? 0 : 1);
}

function freeFraction(server: CsRecord | undefined): number {
  return server === undefined || server.totalBytes === 0 ? 0 : server.freeBytes / server.totalBytes;
}
