import type { ChunkId, CsId, ReplicaReport } from "../chunk/index.js";
import type { ChunkRecord } from "./core/records.js";

/**
 * Replicas that have missed versions of their chunks, by the inventories of the servers connected to this leader: filled again, they
 * need only what has changed since. A hint for planning: the server itself knows best what it can use.
 */
export class StaleReplicas {
  readonly #servers = new Map<CsId, Set<ChunkId>>();

  /** The server is connected; what it said before is forgotten. */
  reported(csId: CsId, chunks: ReadonlySet<ChunkId>): void {
    this.#servers.set(csId, new Set(chunks));
  }

  /** The server went away. */
  forget(csId: CsId): void {
    this.#servers.delete(csId);
  }

  /** The server cannot go on from what it has of the chunk, or has begun to. */
  used(csId: CsId, chunkId: ChunkId): void {
    this.#servers.get(csId)?.delete(chunkId);
  }

  /** Whether it has one; undefined before its inventory is here. */
  has(csId: CsId, { chunkId }: Pick<ChunkRecord, "chunkId">): boolean | undefined {
    return this.#servers.get(csId)?.has(chunkId);
  }
}

/** Complete once, under a version that the chunk has left behind. */
export function isStale(record: ChunkRecord, { version, syncing }: ReplicaReport): boolean {
  return !syncing && record.doubt === undefined && version < record.installedVersion;
}
