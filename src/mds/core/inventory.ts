import type { CsId, ReplicaReport } from "../../chunk/index.js";
import { presenceOf } from "./chunk-states.js";
import { positionOf } from "./chunk-step.js";
import type { ReconfigureChunk } from "./command.js";
import { isOrphan } from "./epochs.js";
import type { ChunkRecord } from "./records.js";
import type { Tables } from "./tables.js";

/**
 * Comparing what a server says it has with what the state says it should have.
 *
 * - `current`: a member, at a version it may have; nothing to do.
 * - `suspect`: a member that should be complete, after an unclean stop: `planSuspects`.
 * - `behind`: a member whose replica is older or less complete than the state believes: it must be left out.
 * - `lost`: complete, and able to bring the chunk back if no member is left: `planRevival`.
 * - `useless`: nobody needs it: `adoptReplicas`.
 * - `doubted`: the record itself is in doubt after a recovery: `planConfirmation`.
 * - `orphan`: of a chunk that only the time before a recovery knew; kept for a while.
 */
export type ReplicaVerdict = "current" | "suspect" | "behind" | "lost" | "useless" | "doubted" | "orphan";

export function judgeReplica(
  tables: Pick<Tables, "chunks" | "cluster">,
  csId: CsId,
  report: ReplicaReport,
): ReplicaVerdict {
  const record = tables.chunks.get(report.chunkId);
  if (record === undefined) return isOrphan(tables, report.chunkId) ? "orphan" : "useless";
  if (record.doubt !== undefined) return "doubted";
  const member = record.chain.find((other) => other.csId === csId);
  if (member !== undefined) {
    if (member.create) return "current";
    // Once it was told, its filling must go on, or be over: nobody begins it again.
    if (member.syncing && record.installed) {
      return report.version >= record.version && !report.suspect ? "current" : "behind";
    }
    // What it had before does not matter.
    if (member.syncing && !member.keepContents) return "current";
    if (!hasEverything(record, report)) return "behind";
    return report.suspect && !member.syncing ? "suspect" : "current";
  }
  const lost = record.lost.find((other) => other.csId === csId);
  if (lost === undefined) return "useless";
  return hasEverything(record, report) ? "lost" : "behind";
}

/**
 * What is to be done about members that are suspect, or undefined. If a member that is not suspect is there, they are
 * filled from it, keeping what is right. If all are suspect, one becomes the truth, and the others are filled from it. Any
 * that only its process left has every acknowledged write; the last in the chain also has every write that anybody has read,
 * and the fewest others, whose clients will repeat them (docs/protocol-chunk.md, 6). So those behind it are waited for while they
 * may come, and lost ones behind it make it give way. One whose host crashed may lack anything: it gives way to every better one,
 * wherever that was in the chain.
 */
export function planSuspects(
  tables: Pick<Tables, "chunkServers">,
  record: ChunkRecord,
  suspects: ReadonlyMap<CsId, { readonly hostCrashed: boolean }>,
  evidenceOf: (csId: CsId) => LostEvidence,
): ReconfigureChunk | undefined {
  const active = record.chain.filter(({ syncing }) => !syncing).map(({ csId }) => csId);
  const present = active.filter((csId) => presenceOf(tables.chunkServers.get(csId)) === "active");
  const doubtful = present.filter((csId) => suspects.has(csId));
  if (doubtful.length === 0) return undefined;
  if (doubtful.length < present.length) return resync(record, doubtful, "filled again after an unclean stop");
  const sound = doubtful.findLast((csId) => suspects.get(csId)?.hostCrashed === false);
  const truth = sound ?? doubtful.at(-1);
  if (truth === undefined) return undefined;
  const mayBeBetter = (csId: CsId, position: number): boolean =>
    csId !== truth && (sound === undefined || position > positionOf(record, truth));
  const lost = knownLost(tables, record, evidenceOf).filter((one) => mayBeBetter(one.csId, one.position));
  if (lost.some(({ evidence }) => evidence === "complete" || evidence === "suspect")) {
    return { ...resync(record, doubtful, "another replica has more after an unclean stop of all"), add: [] };
  }
  const isAwaited = (csId: CsId): boolean =>
    presenceOf(tables.chunkServers.get(csId)) === "inactive" && mayBeBetter(csId, positionOf(record, csId));
  if (active.some(isAwaited) || lost.some(mayStillCome)) return undefined;
  const others = doubtful.filter((csId) => csId !== truth);
  return resync(record, others, `CS#${truth} is taken for right after an unclean stop of all`);
}

/** What is known of a lost replica. `missing`: it is not there, incomplete, or its server cannot use it. */
export type LostEvidence = "unknown" | "missing" | "complete" | "suspect" | "hostCrashed";

/**
 * How a chunk without any member comes back: one replica becomes the chain, the others that have something are filled from it. A
 * complete one is as good as any; of those that are suspect it is the last in the chain, for the reasons given above, so that those
 * behind it are waited for while they may come. One whose host crashed is taken only if nobody better can come.
 */
export function planRevival(
  tables: Pick<Tables, "chunkServers">,
  record: ChunkRecord,
  evidenceOf: (csId: CsId) => LostEvidence,
): ReconfigureChunk | undefined {
  if (record.chain.length > 0 || record.doubt !== undefined) return undefined;
  const known = knownLost(tables, record, evidenceOf);
  const revive = chooseRevived(known);
  if (revive === undefined) return undefined;
  const has = (evidence: LostEvidence): readonly CsId[] =>
    known.filter((lost) => lost.evidence === evidence).map(({ csId }) => csId);
  const others = [...has("complete"), ...has("suspect"), ...has("hostCrashed")];
  return {
    chunkId: record.chunkId,
    version: record.version,
    remove: [],
    areSurplus: false,
    add: others.filter((csId) => csId !== revive).map((csId) => ({ csId, keepContents: true })),
    revive,
    reason: `CS#${revive} has returned`,
  };
}

/** `known`: in the order of the chain. */
function chooseRevived(known: readonly KnownLost[]): CsId | undefined {
  const last = (evidence: LostEvidence): KnownLost | undefined =>
    known.findLast((lost) => lost.evidence === evidence);
  const complete = last("complete");
  if (complete !== undefined) return complete.csId;
  const suspect = last("suspect");
  const awaited = known.findLast(mayStillCome);
  if (suspect === undefined) return awaited === undefined ? last("hostCrashed")?.csId : undefined;
  return awaited === undefined || awaited.position < suspect.position ? suspect.csId : undefined;
}

/**
 * Members that were to bring the chunk back, or to go on alone, and turned out to be of no use: they make way for a lost replica
 * that may be. Undefined if there is none, for then they are the only hope.
 */
export function planSubstitution(
  tables: Pick<Tables, "chunkServers">,
  record: ChunkRecord,
  evidenceOf: (csId: CsId) => LostEvidence,
): ReconfigureChunk | undefined {
  const complete = record.chain.filter(({ syncing }) => !syncing);
  if (record.installed || complete.length === 0) return undefined;
  if (complete.some(({ csId }) => evidenceOf(csId) !== "missing")) return undefined;
  if (chooseRevived(knownLost(tables, record, evidenceOf)) === undefined) return undefined;
  const members = record.chain.map(({ csId }) => csId);
  return { ...resync(record, members, "another replica is tried, this one is of no use"), add: [] };
}

interface KnownLost {
  readonly csId: CsId;
  readonly position: number;
  readonly presence: ReturnType<typeof presenceOf>;
  readonly evidence: LostEvidence;
}

/** In the order of the chain, head first. */
function knownLost(
  tables: Pick<Tables, "chunkServers">,
  record: ChunkRecord,
  evidenceOf: (csId: CsId) => LostEvidence,
): readonly KnownLost[] {
  const inOrder = [...record.lost].sort((a, b) => a.position - b.position);
  return inOrder.map(({ csId, position }) => {
    const presence = presenceOf(tables.chunkServers.get(csId));
    return { csId, position, presence, evidence: presence === "active" ? evidenceOf(csId) : "unknown" };
  });
}

/** Nobody knows what it has, and it will say so. */
function mayStillCome({ presence, evidence }: KnownLost): boolean {
  return presence !== "gone" && evidence === "unknown";
}

/** Between the last installed version and the present one nothing was acknowledged. */
function hasEverything(record: ChunkRecord, { version, syncing }: ReplicaReport): boolean {
  return !syncing && version >= record.installedVersion;
}

function resync(record: ChunkRecord, members: readonly CsId[], reason: string): ReconfigureChunk {
  return {
    chunkId: record.chunkId,
    version: record.version,
    remove: members,
    areSurplus: false,
    add: members.map((csId) => ({ csId, keepContents: true })),
    reason,
  };
}
