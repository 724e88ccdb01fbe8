import { failureOf } from "../../../base/index.js";
import type { Cluster } from "../../../client/index.js";
import type { ChunkInfo, ReplicaInfo } from "../../../meta/index.js";

/** A replica as the leader knows it, and as its server describes it. */
export interface InspectedReplica extends ReplicaInfo {
  /** End of the last byte ever written; undefined if it cannot be asked. */
  readonly highWaterBytes: number | undefined;
  /** Numbers of the regions (1 MiB) with blocks that no server of the chain has whole. */
  readonly damagedRegions: readonly number[] | undefined;
  /** Why it could not be asked, or empty. */
  readonly note: string;
}

/** Asks every member of the chain about its replica. */
export function inspectReplicas(cluster: Cluster, chunk: ChunkInfo): Promise<InspectedReplica[]> {
  return Promise.all(
    chunk.members.map(async (member): Promise<InspectedReplica> => {
      const unknown = { ...member, highWaterBytes: undefined, damagedRegions: undefined };
      if (member.role === "lost" || member.role === "leftover")
        return { ...unknown, note: "out of the chain" };
      try {
        const { highWaterBytes, damagedRegions } = await cluster.replicas.describe(member.address, chunk);
        return { ...member, highWaterBytes, damagedRegions, note: "" };
      } catch (error) {
        const failure = failureOf(error);
        if (failure === undefined) throw error;
        return { ...unknown, note: failure.detail };
      }
    }),
  );
}
