import { expect } from "vitest";
import type { ChunkId, ChunkVersion, CsId } from "../../../../src/chunk/index.js";
import { type DoubtReport, planConfirmation } from "../../../../src/mds/core/doubted-chunks.js";
import type { LostEvidence } from "../../../../src/mds/core/inventory.js";
import type { ChunkRecord } from "../../../../src/mds/core/records.js";
import { type CoreWorld, codeOf } from "./core-world.js";

/** The servers of the chunk model, and how they come back after a recovery of the metadata. */

/** A write: a number for what it wrote, and where. */
export interface Write {
  readonly id: number;
  readonly offset: number;
}

/** What a server has of a chunk. */
export interface Replica {
  version: ChunkVersion;
  readonly writes: Map<number, Write>;
  isSuspect: boolean;
  /** It was installed as a member to be filled, and was not yet. */
  isFilling: boolean;
  /** And it began empty. */
  beganEmpty: boolean;
  /** In the chain of its version. */
  position: number;
}

export interface Server {
  readonly csId: CsId;
  isUp: boolean;
  readonly replicas: Map<ChunkId, Replica>;
}

/** A map that a client once got, and may use as long as it likes. */
export interface OldMap {
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
  readonly members: readonly CsId[];
}

/** What is known of a lost replica there. */
export function evidenceAt(server: Server | undefined, { chunkId }: ChunkRecord): LostEvidence {
  if (server?.isUp !== true) return "unknown";
  const replica = server.replicas.get(chunkId);
  if (replica === undefined) return "missing";
  return replica.isSuspect ? "suspect" : "complete";
}

/** The server is up, and has a replica that missed versions. */
export function hasStale(server: Server | undefined, { chunkId, installedVersion }: ChunkRecord): boolean {
  const replica = server?.isUp === true ? server.replicas.get(chunkId) : undefined;
  return replica !== undefined && !replica.beganEmpty && replica.version < installedVersion;
}

/** The server comes back, whether the metadata know it or not. */
export function register(world: CoreWorld, server: Server): void {
  const { csId } = server;
  const hostId = world.tables.chunkServers.get(csId)?.hostId ?? `new${csId}`;
  server.isUp = true;
  const place = { address: "10.0.1.1:1000", hostId, location: "0.0.0", tier: 0 };
  const space = { totalBytes: 2 ** 40, freeBytes: 2 ** 40 };
  const body = { csId, ...place, incarnation: 9, runs: ["run"], space };
  expect(codeOf(world.apply({ type: "registerCs", body }).outcome)).toBe("done");
}

/** What a truncation that was under way in the backup will cut off, again. */
export function forgetTruncated(
  chunks: readonly ChunkRecord[],
  acknowledged: ReadonlyMap<ChunkId, Map<number, Write>>,
): void {
  for (const { chunkId, truncateBytes } of chunks) {
    const writes = acknowledged.get(chunkId);
    if (writes === undefined || truncateBytes === undefined) continue;
    for (const { id, offset } of writes.values()) if (offset >= truncateBytes) writes.delete(id);
  }
}

/** Confirms what can be confirmed by what these servers say; gives how many chunks. */
export function confirmAll(
  world: CoreWorld,
  servers: ReadonlyMap<CsId, Server>,
  heard: ReadonlySet<CsId>,
  isEveryoneHeard: boolean,
): number {
  let count = 0;
  for (const record of [...world.tables.chunks.values()]) {
    const reports = [...heard].flatMap((csId) => reportOf(servers, csId, record.chunkId));
    const body = planConfirmation(record, reports, { isHeard: (csId) => heard.has(csId), isEveryoneHeard });
    if (body === undefined) continue;
    expect(codeOf(world.apply({ type: "confirmChunk", body }).outcome)).toBe("done");
    count += 1;
  }
  return count;
}

function reportOf(servers: ReadonlyMap<CsId, Server>, csId: CsId, chunkId: ChunkId): DoubtReport[] {
  const replica = servers.get(csId)?.replicas.get(chunkId);
  if (replica === undefined) return [];
  const { version, isFilling, beganEmpty, isSuspect, position } = replica;
  return [{ csId, version, isComplete: !isFilling, beganEmpty, isSuspect, isHostCrashed: false, position }];
}
