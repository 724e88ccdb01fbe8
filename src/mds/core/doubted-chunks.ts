import {
  type ChunkId,
  type ChunkVersion,
  type CsId,
  chunkVersion,
  RECOVERY_VERSION_GAP,
} from "../../chunk/index.js";
import { putChunk } from "./chunk-index.js";
import { positionOf } from "./chunk-step.js";
import { dropChunk } from "./chunks.js";
import type { ConfirmChunk, Outcome } from "./command.js";
import { type Context, done, fail } from "./context.js";
import type { ChunkRecord, LostReplica } from "./records.js";

/**
 * Chunks after a recovery of the metadata. A record may be older than the replicas: in the lost time the chunk can have moved to
 * later versions, on other servers. So every chunk is first in doubt: it has no chain, and waits. The servers say what they have, each
 * with the version; the newest replicas are the truth.
 *
 * Why the newest: a version is installed on its whole chain before anything is acknowledged under it, and every member that did not
 * begin empty has everything acknowledged before. Why it can be known that there is no newer one: the first later version has as a member
 * one that was complete at this one. If all of these are here, complete, and none is further, then nobody is. Otherwise
 * every server that may have something has to be heard, or be given up by the operator (`rm-cs -f`).
 */

/**
 * How far the version of a confirmed chunk is beyond what was found: replicas that turn up later are recognised as old, and no
 * reader's cache takes what it kept in the lost time for the present.
 */
const VERSIONS_SKIPPED = RECOVERY_VERSION_GAP;

/** What a server has of a chunk in doubt. */
export interface DoubtReport {
  readonly csId: CsId;
  readonly version: ChunkVersion;
  /** Nothing is left to be fetched. */
  readonly isComplete: boolean;
  /** It began empty, and lacks what was there before. One that is being filled and kept what it had lacks nothing acknowledged. */
  readonly beganEmpty: boolean;
  /** An unclean stop may have left it different from its peers. */
  readonly isSuspect: boolean;
  readonly isHostCrashed: boolean;
  /** In the chain of its version. */
  readonly position: number;
}

/** Who has been heard since this leader leads. */
export interface DoubtWorld {
  readonly isHeard: (csId: CsId) => boolean;
  /** Every server that is not removed, and there was time enough for those that the metadata do not know. */
  readonly isEveryoneHeard: boolean;
}

/** Puts these chunks in doubt. Those that are gone or in doubt already stay as they are. */
export function doubtChunks(context: Context, chunks: readonly ChunkId[]): Outcome {
  for (const chunkId of chunks) {
    const record = context.tables.chunks.get(chunkId);
    if (record === undefined || record.doubt !== undefined) continue;
    putChunk(context, doubted(record));
  }
  return done();
}

/** The record without a chain: whoever had everything is `lost`, whoever was being filled is not counted on. */
function doubted(record: ChunkRecord): ChunkRecord {
  const isVirgin = record.installedVersion === 0;
  const installedVersion = isVirgin ? record.version : record.installedVersion;
  const complete = record.chain.filter(({ syncing }) => !syncing);
  const known = new Set(record.lost.map(({ csId }) => csId));
  const holders: LostReplica[] = complete
    .filter(({ csId }) => !known.has(csId))
    .map(({ csId }) => ({ csId, version: installedVersion, position: positionOf(record, csId) }));
  const lost = [...record.lost.map((one) => ({ ...one, version: installedVersion })), ...holders];
  const isLost = new Set(lost.map(({ csId }) => csId));
  const filling = record.chain.map(({ csId }) => csId).filter((csId) => !isLost.has(csId));
  return {
    ...record,
    // One that nobody had accepted yet counts as one that was begun: no version is installed and in doubt at the same time.
    version: chunkVersion(record.version + 1),
    installed: false,
    installedVersion,
    chain: [],
    lost,
    leftovers: [...new Set([...record.leftovers, ...filling])],
    truncateBytes: record.installed ? undefined : record.truncateBytes,
    doubt: isVirgin ? "virgin" : "written",
  };
}

/** What is known now is enough to go on, or undefined: somebody has to be waited for, or nothing is left. */
export function planConfirmation(
  record: ChunkRecord,
  reports: readonly DoubtReport[],
  world: DoubtWorld,
): ConfirmChunk | undefined {
  const { chunkId, version, installedVersion, doubt } = record;
  if (doubt === undefined) return undefined;
  const nothing = { chunkId, version, foundVersion: installedVersion, active: [], refill: [], stale: [] };
  const usable = reports.filter(({ beganEmpty }) => !beganEmpty);
  if (!isUnmoved(record, reports, world) && !world.isEveryoneHeard) return undefined;
  if (usable.length === 0) return doubt === "virgin" && reports.length === 0 ? nothing : undefined;
  const found = usable.reduce((best, report) => (report.version > best.version ? report : best));
  const newest = usable
    .filter((report) => report.version === found.version)
    .sort((a, b) => a.position - b.position);
  const active = trusted(newest);
  const isActive = new Set(active.map(({ csId }) => csId));
  const refill = newest.filter(({ csId }) => !isActive.has(csId)).map(({ csId }) => csId);
  const stale = reports.filter((report) => !newest.includes(report));
  return {
    ...nothing,
    foundVersion: found.version,
    active: active.map(({ csId }) => csId),
    refill,
    stale: stale.map(({ csId }) => csId),
  };
}

/** All that were complete when the record was made are here, complete, and nobody is further. */
function isUnmoved(record: ChunkRecord, reports: readonly DoubtReport[], { isHeard }: DoubtWorld): boolean {
  const { installedVersion, lost, doubt } = record;
  if (doubt === "virgin" || lost.length === 0) return false;
  if (reports.some(({ version }) => version > installedVersion)) return false;
  return lost.every(({ csId }) => {
    const report = reports.find((other) => other.csId === csId);
    return isHeard(csId) && report?.isComplete === true && report.version === installedVersion;
  });
}

/**
 * Those that are equal. If all stopped uncleanly, or were being filled from somebody who is gone, one is believed, and the others are
 * filled from it: rather one whose host stayed up, and of these the last in the chain, which has every write that anybody read
 * (docs/protocol-chunk.md, 6 and 7).
 */
function trusted(newest: readonly DoubtReport[]): readonly DoubtReport[] {
  const sound = newest.filter(({ isSuspect, isComplete }) => isComplete && !isSuspect);
  if (sound.length > 0) return sound;
  const one = newest.findLast(({ isHostCrashed }) => !isHostCrashed) ?? newest.at(-1);
  return one === undefined ? [] : [one];
}

/** Ends the doubt: the chunk goes on from what was found, under a version that nobody has seen. */
export function confirmChunk(context: Context, body: ConfirmChunk): Outcome {
  const record = context.tables.chunks.get(body.chunkId);
  if (record?.doubt === undefined || record.version !== body.version) {
    return fail("conflict", "the chunk is not in doubt at that version any more");
  }
  if (body.active.length === 0) {
    if (record.doubt !== "virgin") return fail("conflict", "there is no replica to go on from");
    dropChunk(context, record.chunkId);
    return done();
  }
  const next = confirmed(record, body);
  for (const { csId } of next.chain) context.tables.deletions.delete(csId, record.chunkId);
  putChunk(context, next);
  const { chunkId, version, ino } = next;
  context.effects.push({ type: "install", chunkId, version, ino });
  return done(next.version);
}

function confirmed(record: ChunkRecord, { foundVersion, active, refill, stale }: ConfirmChunk): ChunkRecord {
  const inChain = new Set([...active, ...refill]);
  const others = [...record.leftovers, ...record.lost.map(({ csId }) => csId), ...stale];
  return {
    ...record,
    version: chunkVersion(Math.max(record.version, foundVersion) + VERSIONS_SKIPPED),
    installed: false,
    installedVersion: foundVersion,
    chain: [
      ...active.map((csId) => ({ csId, syncing: false, create: false, keepContents: false })),
      ...refill.map((csId) => ({ csId, syncing: true, create: false, keepContents: true })),
    ],
    lost: [],
    leftovers: [...new Set(others)].filter((csId) => !inChain.has(csId)),
    doubt: undefined,
  };
}
