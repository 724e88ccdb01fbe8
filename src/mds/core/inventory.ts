import type { CsId, ReplicaReport } from "../../chunk/index.js";
import { presenceOf } from "./chunk-states.js";
import type { ReconfigureChunk } from "./command.js";
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
 */
export type ReplicaVerdict = "current" | "suspect" | "behind" | "lost" | "useless";

export function judgeReplica(
  tables: Pick<Tables, "chunks">,
  csId: CsId,
  report: ReplicaReport,
): ReplicaVerdict {
  const record = tables.chunks.get(report.chunkId);
  if (record === undefined) return "useless";
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
 * filled from it, keeping what is right. If all are suspect, the last one in the chain becomes the truth, and the others are
 * filled from it: any of them has every acknowledged write, unless its host crashed, and the last one has the fewest that were
 * not acknowledged, whose clients will repeat them (docs/protocol-chunk.md). If it did, members that are not there but
 * may have more are waited for; so are lost replicas, which are as good as members, and if one has more they make way for it.
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
  // One that only its process left has every acknowledged write; the others may have been written to no more.
  const truth = doubtful.findLast((csId) => suspects.get(csId)?.hostCrashed === false) ?? doubtful.at(-1);
  if (truth === undefined || suspects.get(truth)?.hostCrashed !== false) {
    const lost = knownLost(tables, record, evidenceOf);
    if (lost.some(({ evidence }) => evidence === "complete" || evidence === "suspect")) {
      return {
        ...resync(record, doubtful, "another replica has more after an unclean stop of all"),
        add: [],
      };
    }
    const isInactive = (csId: CsId): boolean => presenceOf(tables.chunkServers.get(csId)) === "inactive";
    if (active.some(isInactive) || lost.some(mayStillCome)) return undefined;
  }
  return resync(
    record,
    doubtful.filter((csId) => csId !== truth),
    `CS#${truth} is taken for right after an unclean stop of all`,
  );
}

/** What is known of a lost replica. */
export type LostEvidence = "unknown" | "missing" | "complete" | "suspect" | "hostCrashed";

/**
 * How a chunk without any member comes back: a complete replica becomes the chain, the other complete ones are filled
 * from it. One whose host crashed may lack acknowledged writes, so that it is taken only if nobody better can come.
 */
export function planRevival(
  tables: Pick<Tables, "chunkServers">,
  record: ChunkRecord,
  evidenceOf: (csId: CsId) => LostEvidence,
): ReconfigureChunk | undefined {
  if (record.chain.length > 0) return undefined;
  const known = knownLost(tables, record, evidenceOf);
  const has = (evidence: LostEvidence): readonly CsId[] =>
    known.filter((lost) => lost.evidence === evidence).map(({ csId }) => csId);
  const good = [...has("complete"), ...has("suspect")];
  const candidates = good.length > 0 || known.some(mayStillCome) ? good : has("hostCrashed");
  const revive = candidates[0];
  if (revive === undefined) return undefined;
  const others = [...good, ...has("hostCrashed")].filter((csId) => csId !== revive);
  return {
    chunkId: record.chunkId,
    version: record.version,
    remove: [],
    areSurplus: false,
    add: others.map((csId) => ({ csId, keepContents: true })),
    revive,
    reason: `CS#${revive} has returned`,
  };
}

interface KnownLost {
  readonly csId: CsId;
  readonly presence: ReturnType<typeof presenceOf>;
  readonly evidence: LostEvidence;
}

function knownLost(
  tables: Pick<Tables, "chunkServers">,
  record: ChunkRecord,
  evidenceOf: (csId: CsId) => LostEvidence,
): readonly KnownLost[] {
  return record.lost.map(({ csId }) => {
    const presence = presenceOf(tables.chunkServers.get(csId));
    return { csId, presence, evidence: presence === "active" ? evidenceOf(csId) : "unknown" };
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
