import { type ChunkId, type ChunkVersion, type CsId, chunkVersion } from "../../chunk/index.js";
import { activeCount, putChunk } from "./chunk-index.js";
import type { Context } from "./context.js";
import type { ChunkRecord, LostReplica, ReplicaRecord } from "./records.js";

/**
 * The step of a chunk from one version to the next: the only way its chain changes.
 *
 * What it keeps true: no client has a map of a version that was not installed, so nothing is acknowledged under it.
 * Hence every replica that was an active member of the last *installed* version has everything that was ever
 * acknowledged, until a later version is installed. Those that drop out meanwhile are `lost`, not forgotten: if no
 * active member stays, any of them can bring the chunk back. When a version is installed with an active member,
 * writes may go past the lost ones, and they are `leftovers` from then on. No data are deleted before enough active
 * members have an installed version (`chunk-settle.ts`).
 *
 * A step over a version that is not installed yet takes its unfinished business along: members that were to start
 * empty still do, a truncation that was not carried out is carried out with this one.
 */
export interface Step {
  readonly remove?: readonly CsId[] | undefined;
  readonly add?: readonly { readonly csId: CsId; readonly keepContents: boolean }[] | undefined;
  /** A lost replica that becomes the chain. */
  readonly revive?: CsId | undefined;
  /** What lies in the chunk from there on is to read as zeros. */
  readonly truncateBytes?: number | undefined;
}

/** Takes the step and starts the installation. The caller has checked that it makes sense. */
export function takeStep(context: Context, record: ChunkRecord, step: Step): ChunkRecord {
  const next = stepOf(record, step);
  for (const { csId } of step.add ?? []) context.tables.deletions.delete(csId, record.chunkId);
  putChunk(context, next);
  if (next.chain.length > 0) requestInstall(context, next);
  else context.effects.push({ type: "repair", chunkId: next.chunkId });
  return next;
}

/** The next version of the record, without effects. */
export function stepOf(record: ChunkRecord, step: Step): ChunkRecord {
  const remove = new Set(step.remove ?? []);
  const add = step.add ?? [];
  const isVirgin = record.installedVersion === 0;
  const leaving = record.chain.filter(({ csId }) => remove.has(csId));
  const staying = record.chain.filter(({ csId }) => !remove.has(csId));
  const revived = step.revive === undefined ? [] : [ACTIVE(step.revive)];
  const active = [...revived, ...staying.filter(({ syncing }) => !syncing)];
  const isComplete = (csId: CsId): boolean =>
    [...record.lost, ...leaving.filter(({ syncing }) => !syncing)].some((other) => other.csId === csId);
  const added = add.map(({ csId, keepContents }) =>
    newMember(csId, keepContents, isVirgin, keepContents && !isComplete(csId)),
  );
  const hasData = isVirgin || active.length > 0;
  const chain = hasData ? [...active, ...staying.filter(({ syncing }) => syncing), ...added] : [];
  const lost = isVirgin ? [] : lostAfter(record, leaving, step);
  const inChain = new Set(chain.map(({ csId }) => csId));
  const isLost = new Set(lost.map(({ csId }) => csId));
  const gone = [...record.leftovers, ...record.chain.map(({ csId }) => csId)];
  return {
    ...record,
    version: chunkVersion(record.version + 1),
    installed: false,
    chain,
    lost,
    leftovers: unique(gone).filter((csId) => !inChain.has(csId) && !isLost.has(csId)),
    truncateBytes: truncationAfter(record, step),
  };
}

/** A member that has everything. */
const ACTIVE = (csId: CsId): ReplicaRecord => ({ csId, syncing: false, create: false, keepContents: false });

/** In a chunk that was never written everybody starts empty, and has everything. */
function newMember(csId: CsId, keepContents: boolean, isVirgin: boolean, isBehind: boolean): ReplicaRecord {
  if (isVirgin) return { csId, syncing: false, create: true, keepContents: false };
  const member = { csId, syncing: true, create: !keepContents, keepContents };
  return isBehind ? { ...member, isBehind } : member;
}

/**
 * Active members that leave are lost, also surplus ones: until the new version is installed they are as good as those
 * that stay. One that comes back at once to be filled while keeping its contents stays in the list, too.
 */
function lostAfter(record: ChunkRecord, leaving: readonly ReplicaRecord[], step: Step): LostReplica[] {
  const wiped = new Set((step.add ?? []).filter((add) => !add.keepContents).map(({ csId }) => csId));
  const kept = record.lost.filter(({ csId }) => csId !== step.revive && !wiped.has(csId));
  const known = new Set(kept.map(({ csId }) => csId));
  const fresh = leaving.filter(({ csId, syncing }) => !syncing && !known.has(csId) && !wiped.has(csId));
  const version = record.installedVersion;
  return [...kept, ...fresh.map(({ csId }) => ({ csId, version, position: positionOf(record, csId) }))];
}

/**
 * The place of a member in the chain of the last installed version. Members keep their order, so that they have, one
 * after the other, the places that no lost replica had; new ones come behind them.
 */
export function positionOf({ chain, lost }: ChunkRecord, csId: CsId): number {
  const taken = new Set(lost.map(({ position }) => position));
  const isLost = new Set(lost.map((other) => other.csId));
  let position = 0;
  for (const member of chain) {
    if (isLost.has(member.csId)) continue;
    while (taken.has(position)) position += 1;
    if (member.csId === csId) break;
    position += 1;
  }
  return position;
}

function truncationAfter(record: ChunkRecord, { truncateBytes }: Step): number | undefined {
  const pending = record.installed ? undefined : record.truncateBytes;
  if (truncateBytes === undefined || pending === undefined) return truncateBytes ?? pending;
  return Math.min(pending, truncateBytes);
}

function requestInstall(context: Context, { chunkId, version, ino }: ChunkRecord): void {
  context.effects.push({ type: "install", chunkId, version, ino });
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

/** The first version of a new chunk: every member starts empty. */
export function startChunk(
  context: Context,
  chunkId: ChunkId,
  rest: Pick<ChunkRecord, "ino" | "index" | "policy">,
  servers: readonly CsId[],
): ChunkRecord {
  const record: ChunkRecord = {
    chunkId,
    ...rest,
    version: chunkVersion(1),
    installed: false,
    installedVersion: 0 as ChunkVersion,
    chain: servers.map((csId) => newMember(csId, false, true, false)),
    lost: [],
    leftovers: [],
  };
  putChunk(context, record);
  requestInstall(context, record);
  return record;
}

/** Below that the members it has are too few for writing. */
export function isWritable(record: ChunkRecord): boolean {
  return record.installed && activeCount(record) >= record.policy.replicasMinimum;
}
