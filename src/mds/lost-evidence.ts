import type { ChunkId, ChunkVersion, CsId } from "../chunk/index.js";
import type { LostEvidence } from "./core/inventory.js";
import type { ChunkRecord } from "./core/records.js";

/** What an inventory said against a replica, and which version of the chunk was installed then. */
export interface Reservation {
  readonly evidence: LostEvidence;
  readonly installedVersion: ChunkVersion;
}

/** Reservations about replicas of one server; whatever is not listed was or became complete. */
export type Reservations = ReadonlyMap<ChunkId, Reservation>;

/**
 * What is known of replicas that the state counts as lost, from the inventories of the servers connected to this leader.
 * A replica may get lost long after the inventory, so that it speaks of all replicas. A lost replica was a full member of the
 * last installed version: if that is newer than the inventory, or it was filled since, it has become complete under the same
 * connection, for a crash would have ended that.
 */
export class Evidence {
  readonly #servers = new Map<CsId, Map<ChunkId, Reservation>>();

  /** The server is connected; what it said before is forgotten. */
  reported(csId: CsId, reservations: Reservations): void {
    this.#servers.set(csId, new Map(reservations));
  }

  /** The server went away: what it has is open again. */
  forget(csId: CsId): void {
    this.#servers.delete(csId);
  }

  /** The replica has everything now. */
  filled(csId: CsId, chunkId: ChunkId): void {
    this.#servers.get(csId)?.delete(chunkId);
  }

  /**
   * The server was told to fill the replica, keeping what it has: it gives up the changes that it had received and not stored, so that it
   * may lack what clients read at those behind it.
   */
  refilled(csId: CsId, record: Pick<ChunkRecord, "chunkId" | "installedVersion">): void {
    const { chunkId, installedVersion } = record;
    if (this.of(csId, record) !== "complete") return;
    this.#servers.get(csId)?.set(chunkId, { evidence: "suspect", installedVersion });
  }

  /** The server cannot use what it has of the chunk, as long as this connection lives. */
  useless(
    csId: CsId,
    { chunkId, installedVersion }: Pick<ChunkRecord, "chunkId" | "installedVersion">,
  ): void {
    this.#servers.get(csId)?.set(chunkId, { evidence: "missing", installedVersion });
  }

  of(
    csId: CsId,
    { chunkId, installedVersion }: Pick<ChunkRecord, "chunkId" | "installedVersion">,
  ): LostEvidence {
    const reservations = this.#servers.get(csId);
    if (reservations === undefined) return "unknown";
    const known = reservations.get(chunkId);
    return known?.installedVersion === installedVersion ? known.evidence : "complete";
  }
}
