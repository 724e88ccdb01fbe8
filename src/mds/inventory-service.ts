import type { ChunkId, CsId, ReplicaReport } from "../chunk/index.js";
import type { ChunkAt, ReconfigureChunk } from "./core/command.js";
import type { DoubtReport } from "./core/doubted-chunks.js";
import { judgeReplica, type LostEvidence, type ReplicaVerdict } from "./core/inventory.js";
import type { ChunkRecord } from "./core/records.js";
import type { Leadership } from "./leadership.js";
import type { Reservation, Reservations } from "./lost-evidence.js";
import { isStale } from "./stale-replicas.js";

const PAGE = 1000;
/** Replicas judged in one turn of the event loop. */
const TURN = 400;
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

type ComparisonWorld = Pick<Leadership, "tables" | "store" | "clock">;

/**
 * Compares what a server says it has with what the state says it should have, part by part as it comes: a server may have hundreds of
 * thousands of replicas, and others want to be answered meanwhile. The state may change in between, until the server is given commands;
 * what a verdict calls for is checked again when it is applied.
 */
export class InventoryComparison {
  readonly #world: ComparisonWorld;
  readonly #csId: CsId;
  readonly #reported = new Set<ChunkId>();
  readonly #remove: ReconfigureChunk[] = [];
  readonly #useless: ChunkAt[] = [];
  readonly #suspects = new Map<ChunkId, { readonly hostCrashed: boolean }>();
  readonly #reservations = new Map<ChunkId, Reservation>();
  readonly #doubted = new Map<ChunkId, DoubtReport>();
  readonly #orphans: ChunkAt[] = [];
  readonly #stale = new Set<ChunkId>();

  constructor(world: ComparisonWorld, csId: CsId) {
    this.#world = world;
    this.#csId = csId;
  }

  /** To be called for one part after the other. */
  async add(reports: readonly ReplicaReport[]): Promise<void> {
    for (let from = 0; from < reports.length; from += TURN) {
      if (from > 0) await this.#world.clock.sleep("mds.inventory.turn", 0);
      for (const report of reports.slice(from, from + TURN)) this.#judge(report);
    }
  }

  /** Nothing else is there. */
  async verdicts(): Promise<InventoryVerdicts> {
    const { tables, store } = this.#world;
    let after: ChunkId | undefined;
    for (;;) {
      const page = await store.csChunksPage(this.#csId, after, PAGE);
      for (const chunkId of page) {
        if (this.#reported.has(chunkId)) continue;
        const record = tables.chunks.get(chunkId);
        const member = record?.chain.find((other) => other.csId === this.#csId);
        if (record === undefined || member?.create === true) continue;
        this.#reserve(record, "missing");
        if (member !== undefined) this.#remove.push(removal(record, this.#csId, "its replica is missing"));
      }
      after = page.at(-1);
      if (page.length < PAGE) break;
    }
    return {
      remove: this.#remove,
      useless: this.#useless,
      suspects: this.#suspects,
      reservations: this.#reservations,
      doubted: this.#doubted,
      orphans: this.#orphans,
      stale: this.#stale,
    };
  }

  #judge(report: ReplicaReport): void {
    const { tables } = this.#world;
    const { chunkId, version, hostCrashed } = report;
    this.#reported.add(chunkId);
    const record = tables.chunks.get(chunkId);
    const verdict = judgeReplica(tables, this.#csId, report);
    const doubt = doubtOf(verdict, report);
    if (record !== undefined && doubt !== undefined) this.#reserve(record, doubt);
    if (record !== undefined && isStale(record, report)) this.#stale.add(chunkId);
    switch (verdict) {
      case "current":
      case "lost":
        break;
      case "suspect":
        this.#suspects.set(chunkId, { hostCrashed });
        break;
      case "behind":
        if (record !== undefined)
          this.#remove.push(removal(record, this.#csId, "its replica is out of date"));
        break;
      case "useless":
        this.#useless.push({ chunkId, version });
        break;
      case "doubted":
        this.#doubted.set(chunkId, doubtReport(this.#csId, report));
        break;
      case "orphan":
        this.#orphans.push({ chunkId, version });
    }
  }

  #reserve({ chunkId, installedVersion }: ChunkRecord, evidence: LostEvidence): void {
    this.#reservations.set(chunkId, { evidence, installedVersion });
  }
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
