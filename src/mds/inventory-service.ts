import type { ChunkId, CsId, ReplicaReport } from "../chunk/index.js";
import type { ChunkAt, ReconfigureChunk } from "./core/command.js";
import type { DoubtReport } from "./core/doubted-chunks.js";
import { judgeReplica, type LostEvidence, type ReplicaVerdict } from "./core/inventory.js";
import type { ChunkRecord } from "./core/records.js";
import type { Leadership } from "./leadership.js";
import type { Reservation, Reservations } from "./lost-evidence.js";
import { isStale } from "./stale-replicas.js";

const PAGE = 1000;
const UNKNOWN_PER_COMMAND = 1000;

/** What an inventory calls for. Computed before the server is given commands, carried out afterwards. */
export interface InventoryVerdicts {
  /** Members that do not have what they should. */
  readonly remove: readonly ReconfigureChunk[];
  /** Replicas that nobody needs. */
  readonly useless: readonly ChunkAt[];
  /** Complete, but doubtful after an unclean stop. */
  readonly suspects: ReadonlyMap<ChunkId, { readonly hostCrashed: boolean }>;
  /** What is to be thought of its replicas if they are lost, now or later. */
  readonly reservations: Reservations;
  /** What it has of chunks in doubt. */
  readonly doubted: ReadonlyMap<ChunkId, DoubtReport>;
  /** Replicas that only the time before a recovery knew. */
  readonly orphans: readonly ChunkAt[];
  /** Chunks of which it has a replica that missed versions. */
  readonly stale: ReadonlySet<ChunkId>;
}

/** Compares what a server says it has with what the state says it should have. */
export async function judgeInventory(
  { tables, store }: Leadership,
  csId: CsId,
  reports: readonly ReplicaReport[],
): Promise<InventoryVerdicts> {
  const remove: ReconfigureChunk[] = [];
  const useless: ChunkAt[] = [];
  const suspects = new Map<ChunkId, { hostCrashed: boolean }>();
  const reservations = new Map<ChunkId, Reservation>();
  const doubted = new Map<ChunkId, DoubtReport>();
  const orphans: ChunkAt[] = [];
  const stale = new Set<ChunkId>();
  const reserve = ({ chunkId, installedVersion }: ChunkRecord, evidence: LostEvidence): void => {
    reservations.set(chunkId, { evidence, installedVersion });
  };
  const reported = new Set<ChunkId>();
  for (const report of reports) {
    const { chunkId, version, hostCrashed } = report;
    reported.add(chunkId);
    const record = tables.chunks.get(chunkId);
    const verdict = judgeReplica(tables, csId, report);
    const doubt = doubtOf(verdict, report);
    if (record !== undefined && doubt !== undefined) reserve(record, doubt);
    if (record !== undefined && isStale(record, report)) stale.add(chunkId);
    switch (verdict) {
      case "current":
      case "lost":
        break;
      case "suspect":
        suspects.set(chunkId, { hostCrashed });
        break;
      case "behind":
        if (record !== undefined) remove.push(removal(record, csId, "its replica is out of date"));
        break;
      case "useless":
        useless.push({ chunkId, version });
        break;
      case "doubted":
        doubted.set(chunkId, doubtReport(csId, report));
        break;
      case "orphan":
        orphans.push({ chunkId, version });
    }
  }
  let after: ChunkId | undefined;
  for (;;) {
    const page = await store.csChunksPage(csId, after, PAGE);
    for (const chunkId of page) {
      if (reported.has(chunkId)) continue;
      const record = tables.chunks.get(chunkId);
      const member = record?.chain.find((other) => other.csId === csId);
      if (record === undefined || member?.create === true) continue;
      reserve(record, "missing");
      if (member !== undefined) remove.push(removal(record, csId, "its replica is missing"));
    }
    after = page.at(-1);
    if (page.length < PAGE) break;
  }
  return { remove, useless, suspects, reservations, doubted, orphans, stale };
}

function doubtReport(csId: CsId, report: ReplicaReport): DoubtReport {
  const { version, syncing, filling, suspect, hostCrashed, position } = report;
  return {
    csId,
    version,
    isComplete: !syncing && !filling,
    beganEmpty: syncing,
    isSuspect: suspect,
    isHostCrashed: hostCrashed,
    position,
  };
}

/** Why the replica might not bring the chunk back; undefined: it has everything. */
function doubtOf(verdict: ReplicaVerdict, { suspect, hostCrashed }: ReplicaReport): LostEvidence | undefined {
  if (verdict === "behind") return "missing";
  if (hostCrashed) return "hostCrashed";
  return suspect ? "suspect" : undefined;
}

/** Carries out what does not need another look at other servers. */
export async function settleInventory(
  leadership: Leadership,
  csId: CsId,
  { remove, useless }: InventoryVerdicts,
): Promise<void> {
  for (const body of remove) await leadership.proposeQuietly({ type: "reconfigureChunk", body });
  for (let from = 0; from < useless.length; from += UNKNOWN_PER_COMMAND) {
    const unknown = useless.slice(from, from + UNKNOWN_PER_COMMAND);
    await leadership.proposeQuietly({ type: "adoptReplicas", body: { csId, unknown } });
  }
}

function removal({ chunkId, version }: ChunkRecord, csId: CsId, why: string): ReconfigureChunk {
  return { chunkId, version, remove: [csId], areSurplus: false, add: [], reason: `CS#${csId}: ${why}` };
}
