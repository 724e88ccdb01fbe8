import { failureOf } from "../../../base/index.js";
import type { Cluster } from "../../../client/index.js";
import type { Clock } from "../../../io/index.js";
import type { ChunkInfo, ReplicaInfo } from "../../../meta/index.js";
import { REGION_BYTES, sameContents } from "../../files/region-sums.js";

/** Something about a replica that is not as it should be. */
export interface Finding {
  readonly chunkId: number;
  readonly csId: number;
  /** Within the chunk. */
  readonly offset: number;
  /** `damaged`, `differs`, or why it could not be read. */
  readonly what: string;
}

export interface ChunkVerdict {
  readonly checkedBytes: number;
  readonly findings: readonly Finding[];
}

/** Replicas that differ are read so often: a write under way reaches them one after the other. */
const TRIES = 4;
const RETRY_MS = 200;

/** Reads all complete replicas of a chunk, region by region. */
export async function verifyChunk(cluster: Cluster, clock: Clock, known: ChunkInfo): Promise<ChunkVerdict> {
  const findings: Finding[] = [];
  let checkedBytes = 0;
  let chunk = known;
  let end = await endOf(cluster, chunk);
  for (let region = 0; region * REGION_BYTES < end; region++) {
    for (let attempt = 1; ; attempt++) {
      const found = await compareRegion(cluster, chunk, region);
      const isSettled = found.length === 0 || attempt === TRIES;
      if (isSettled) {
        findings.push(...found);
        break;
      }
      await clock.sleep("cli.verify", RETRY_MS);
      // It may have moved on to another version meanwhile, or be gone.
      const fresh = await again(cluster, chunk);
      if (fresh === undefined) return { checkedBytes, findings };
      chunk = fresh;
      end = Math.max(end, await endOf(cluster, chunk));
    }
    const count = chunk.members.filter(isComplete).length;
    checkedBytes += count * Math.min(REGION_BYTES, end - region * REGION_BYTES);
  }
  return { checkedBytes, findings };
}

function isComplete({ role }: ReplicaInfo): boolean {
  return role === "complete";
}

async function again(cluster: Cluster, { chunkId }: ChunkInfo): Promise<ChunkInfo | undefined> {
  try {
    return await cluster.admin.chunk({ chunkId });
  } catch (error) {
    if (failureOf(error)?.code === "not_found") return undefined;
    throw error;
  }
}

/** Where the longest replica ends; a server that does not answer is found out when it is read. */
async function endOf(cluster: Cluster, chunk: ChunkInfo): Promise<number> {
  const ends = chunk.members.filter(isComplete).map(async ({ address }) => {
    try {
      return (await cluster.replicas.describe(address, chunk)).highWaterBytes;
    } catch (error) {
      if (failureOf(error) === undefined) throw error;
      return 1;
    }
  });
  return Math.max(0, ...(await Promise.all(ends)));
}

async function compareRegion(cluster: Cluster, chunk: ChunkInfo, region: number): Promise<Finding[]> {
  const offset = region * REGION_BYTES;
  const read = await Promise.all(
    chunk.members.filter(isComplete).map(async ({ csId, address }) => {
      try {
        return { csId, sums: await cluster.replicas.regionChecksums(address, chunk, region) };
      } catch (error) {
        const failure = failureOf(error);
        if (failure === undefined) throw error;
        return {
          csId,
          what: failure.code === "chunk_corrupt" ? "damaged" : `cannot be read: ${failure.detail}`,
        };
      }
    }),
  );
  const findings: Finding[] = [];
  let first: Uint8Array | undefined;
  for (const { csId, sums, what } of read) {
    if (sums === undefined) findings.push({ chunkId: chunk.chunkId, csId, offset, what: what ?? "" });
    else if (first === undefined) first = sums;
    else if (!sameContents(first, sums))
      findings.push({ chunkId: chunk.chunkId, csId, offset, what: "differs" });
  }
  return findings;
}
