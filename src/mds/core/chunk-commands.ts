import type { CsId } from "../../chunk/index.js";
import { activeCount, putChunk } from "./chunk-index.js";
import { settleChunk } from "./chunk-settle.js";
import { takeStep } from "./chunk-step.js";
import { dropChunk } from "./chunks.js";
import type { ChunkAt, ChunkInstalled, Outcome, ReconfigureChunk, ReplicaAt } from "./command.js";
import { type Context, done, fail } from "./context.js";
import { movedOut } from "./inline-contents.js";
import type { ChunkRecord } from "./records.js";
import { noteFenced } from "./recovery.js";

/** The commands of the leader's loops about chunks. */

/** One step to the next version, which is the result. */
export function reconfigureChunk(context: Context, body: ReconfigureChunk): Outcome {
  const record = current(context, body);
  if (record === undefined) return fail("conflict", "the chunk is not at that version any more");
  const refusal = refusalOf(context, record, body);
  if (refusal !== undefined) return fail("conflict", refusal);
  if (!body.areSurplus) noteFailures(context, body.remove);
  const isVirgin = record.installedVersion === 0;
  const stays = record.chain.some(({ csId }) => !body.remove.includes(csId));
  // Nobody has ever written it: its writers allocate it anew elsewhere.
  if (isVirgin && !stays && body.add.length === 0) {
    dropChunk(context, record.chunkId);
    return done();
  }
  return done(takeStep(context, withoutDropped(context, record), body).version);
}

/** All members have accepted the version, and no older map is in use any more. */
export function chunkInstalled(context: Context, body: ChunkInstalled): Outcome {
  const record = current(context, body);
  if (record === undefined) return fail("conflict", "the chunk is not at that version any more");
  if (record.installed) return done(record.version);
  if (record.chain.length === 0) return fail("conflict", "the chunk has no replica");
  const leftovers = [...record.leftovers, ...record.lost.map(({ csId }) => csId)];
  const inChain = new Set(record.chain.map(({ csId }) => csId));
  const next: ChunkRecord = {
    ...record,
    installed: true,
    installedVersion: record.version,
    chain: record.chain.map((member) => ({ ...member, create: false })),
    truncateBytes: undefined,
    lost: [],
    leftovers: [...new Set(leftovers)].filter((csId) => !inChain.has(csId)),
  };
  putChunk(context, next);
  if (record.installedVersion === 0) movedOut(context, next);
  // Members behind the head accept the version before the cut reaches them: what they had beyond it is gone now.
  const cutBytes = record.truncateBytes ?? Number.POSITIVE_INFINITY;
  noteFenced(context, next, Math.min(body.highWaterBytes, cutBytes));
  settleChunk(context, next);
  return done(next.version);
}

/**
 * A syncing member has everything now. It becomes active without a new version: the chain stays as it is, writes go
 * to the same servers in the same order, and a client with an older picture of this version merely does not read
 * there. It need not be installed everywhere: what is still to be handed down the new chain passes this member, too.
 */
export function replicaSynced(context: Context, body: ReplicaAt): Outcome {
  const record = current(context, body);
  const member = record?.chain.find(({ csId }) => csId === body.csId);
  if (record === undefined || member === undefined) {
    return fail("conflict", "the server is not a member of the chunk at that version");
  }
  if (!member.syncing) return done();
  const synced = { csId: body.csId, syncing: false, create: false, keepContents: false };
  const next: ChunkRecord = {
    ...record,
    chain: record.chain.map((other) => (other.csId === body.csId ? synced : other)),
    lost: record.lost.filter(({ csId }) => csId !== body.csId),
  };
  putChunk(context, next);
  settleChunk(context, next);
  return done();
}

/** The server has deleted what was asked for, up to these versions. */
export function replicasDeleted(
  context: Context,
  { csId, replicas }: { readonly csId: CsId; readonly replicas: readonly ChunkAt[] },
): Outcome {
  for (const { chunkId, version } of replicas) {
    const wanted = context.tables.deletions.get(csId, chunkId);
    // A newer wish stays.
    if (wanted !== undefined && wanted <= version) context.tables.deletions.delete(csId, chunkId);
  }
  return done();
}

function current({ tables }: Context, { chunkId, version }: ChunkAt): ChunkRecord | undefined {
  const record = tables.chunks.get(chunkId);
  return record?.version === version ? record : undefined;
}

/** Why this step must not be taken, or undefined. */
function refusalOf(context: Context, record: ChunkRecord, body: ReconfigureChunk): string | undefined {
  const { remove, add, revive, areSurplus } = body;
  if (record.doubt !== undefined) return "the chunk is in doubt";
  const staying = record.chain.filter(({ csId }) => !remove.includes(csId));
  const active = staying.filter(({ syncing }) => !syncing).length;
  if (revive !== undefined) return refusalOfRevival(record, revive, add);
  if (areSurplus && active < record.policy.replicas && active < activeCount(record)) {
    return "a replica that is needed is not surplus";
  }
  // Nothing to remove and nothing to add is a plain step: every member is told again what it is.
  if (add.length === 0 && remove.length === 0) return undefined;
  if (add.length === 0) return removesNothing(context, record, remove) ? "nothing would change" : undefined;
  if (active === 0 && record.installedVersion > 0) return "there is nobody to fill a new replica from";
  return refusalOfAdditions(context, record, body);
}

function refusalOfRevival(
  record: ChunkRecord,
  revive: CsId,
  add: ReconfigureChunk["add"],
): string | undefined {
  if (record.chain.length > 0) return "the chunk has replicas";
  const isLost = (csId: CsId): boolean => record.lost.some((lost) => lost.csId === csId);
  if (!isLost(revive)) return "the server has no replica that could bring the chunk back";
  const others = add.every(({ csId, keepContents }) => csId !== revive && keepContents && isLost(csId));
  return others ? undefined : "only lost replicas come back together";
}

function refusalOfAdditions(
  { tables }: Context,
  record: ChunkRecord,
  { add, remove }: ReconfigureChunk,
): string | undefined {
  const ids = add.map(({ csId }) => csId);
  if (new Set(ids).size < ids.length) return "a server is added once";
  for (const { csId, keepContents } of add) {
    const member = record.chain.find((other) => other.csId === csId);
    if (member !== undefined && !remove.includes(csId)) return `CS#${csId} is a member already`;
    const isComplete = member?.syncing === false || record.lost.some((lost) => lost.csId === csId);
    // Until the next version is installed, these contents may be needed.
    if (isComplete && !keepContents) return `the contents of CS#${csId} are not to be lost`;
    // What missed versions is worth nothing before it is filled, and little has to be fetched.
    const isStale = record.leftovers.includes(csId);
    if (!isComplete && !isStale && keepContents) return `CS#${csId} has no contents to keep`;
    // A member may stay what it is on a server that gets nothing new.
    if (tables.chunkServers.get(csId)?.administration !== "normal" && member === undefined) {
      return `CS#${csId} takes no replicas`;
    }
  }
  return undefined;
}

/** A dropped server may be taken from the lost ones, too. */
function removesNothing(context: Context, record: ChunkRecord, remove: readonly CsId[]): boolean {
  if (record.chain.some(({ csId }) => remove.includes(csId))) return false;
  return !record.lost.some(({ csId }) => remove.includes(csId) && isDropped(context, csId));
}

function withoutDropped(context: Context, record: ChunkRecord): ChunkRecord {
  const lost = record.lost.filter(({ csId }) => !isDropped(context, csId));
  return lost.length === record.lost.length ? record : { ...record, lost };
}

function isDropped({ tables }: Context, csId: CsId): boolean {
  return (tables.chunkServers.get(csId)?.administration ?? "dropped") === "dropped";
}

/** To about a second, so that a server with many chunks costs one record a second. */
function noteFailures({ tables, stampMs }: Context, failed: readonly CsId[]): void {
  for (const csId of failed) {
    const server = tables.chunkServers.get(csId);
    if (server === undefined || server.failedMs + 1000 > stampMs) continue;
    tables.chunkServers.put({ ...server, failedMs: stampMs }, csId);
  }
}
