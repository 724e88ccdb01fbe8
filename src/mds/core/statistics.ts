import {
  type FilesystemCounts,
  type FilesystemStatistics,
  ROOT_INODE,
  type SpaceStatus,
  type TierSpace,
} from "../../meta/index.js";
import { capacityCapBytes, cappedFreeBytes } from "./capacity-cap.js";
import { clusterHealth } from "./cluster-health.js";
import { isInMaintenance } from "./cs-maintenance.js";
import { domainOf } from "./failure-domain.js";
import { totalsOf } from "./inodes.js";
import { usableBytes } from "./placement.js";
import type { CsRecord } from "./records.js";
import type { Tables } from "./tables.js";

/** What can be said of the cluster from the small tables alone: cheap enough for every `stat` and `statfs`. */

/** Of all servers that are not dropped; the logical part as for a file in the root directory. */
export function spaceStatus(tables: Tables): SpaceStatus {
  const servers = [...tables.chunkServers.values()].filter((server) => server.administration !== "dropped");
  const usable = servers.filter(
    (server) => server.activity !== "offline" && server.administration === "normal",
  );
  return {
    totalBytes: sum(servers.map(({ totalBytes }) => totalBytes)),
    freeBytes: sum(servers.map(({ freeBytes }) => freeBytes)),
    allocatableBytes: Math.min(
      logicalBytes(tables, usable, ({ totalBytes }) => totalBytes),
      capacityCapBytes(tables),
    ),
    allocatableFreeBytes: Math.min(
      logicalBytes(tables, usable, (server) => usableBytes(tables, server)),
      cappedFreeBytes(tables),
    ),
    tiers: tierSpaces(servers),
    capacityBytes: Number.isFinite(capacityCapBytes(tables)) ? capacityCapBytes(tables) : 0,
    usedBytes: totalsOf(tables).sizeBytes,
  };
}

function tierSpaces(servers: readonly CsRecord[]): TierSpace[] {
  const tiers = [...new Set(servers.map(({ tier }) => tier))].sort((a, b) => a - b);
  return tiers.map((tier) => {
    const its = servers.filter((server) => server.tier === tier);
    return {
      tier,
      serverCount: its.length,
      totalBytes: sum(its.map(({ totalBytes }) => totalBytes)),
      freeBytes: sum(its.map(({ freeBytes }) => freeBytes)),
    };
  });
}

/** The answer to `statfs`. */
export function filesystemStatistics(tables: Tables): FilesystemStatistics {
  const { allocatableBytes, allocatableFreeBytes } = spaceStatus(tables);
  const { fileCount } = totalsOf(tables);
  return {
    totalBytes: allocatableBytes,
    freeBytes: allocatableFreeBytes,
    fileCount,
    inodesFree: INODES_FREE,
  };
}

export function filesystemCounts(tables: Pick<Tables, "totals">): FilesystemCounts {
  const { fileCount, inodeCount, sizeBytes, chunkCount } = totalsOf(tables);
  return { fileCount, inodeCount, sizeBytes, chunkCount };
}

/** First word of `stat`. Without any chunk server there is not enough to judge by. */
export function healthWord(tables: Tables): "healthy" | "degraded" | "failure" | "unknown" {
  const health = clusterHealth(tables);
  const count = health.activeCount + health.inactiveCount + health.offlineCount;
  return count === 0 ? "unknown" : health.status;
}

/** STATUS of the CS table: what an operator did to it comes before what it did itself. */
export function csStatusWord(server: CsRecord): string {
  if (isInMaintenance(server)) return "maintenance";
  return server.administration === "normal" ? server.activity : server.administration;
}

/**
 * How much can be stored when every byte lies in `replicas` different domains of these capacities: the largest amount N
 * with `sum(min(capacity, N)) >= replicas * N`. Domains larger than N are in every chunk, and cannot be filled.
 */
export function capacityOf(capacities: readonly number[], replicas: number): number {
  // Whole numbers, so that equal domains compare as equal.
  const sorted = capacities.map(Math.floor).sort((a, b) => b - a);
  let rest = sum(sorted);
  for (let fullCount = 0; fullCount < replicas; fullCount++) {
    const largest = sorted[fullCount] ?? 0;
    if (largest * (replicas - fullCount) <= rest) return Math.floor(rest / (replicas - fullCount));
    rest -= largest;
  }
  return 0;
}

/** Numbers are given out one by one and never run out; this is what `df -i` shows as free. */
const INODES_FREE = 2 ** 40;

function logicalBytes(
  tables: Tables,
  servers: readonly CsRecord[],
  bytesOf: (server: CsRecord) => number,
): number {
  const storage = tables.inodes.get(ROOT_INODE)?.storage;
  if (storage === undefined) return 0;
  const domains = new Map<string, number>();
  for (const server of servers) {
    if (server.tier !== storage.tier) continue;
    const key = domainOf(server, storage.failureDomain);
    domains.set(key, (domains.get(key) ?? 0) + bytesOf(server));
  }
  if (domains.size < storage.replicasMinimum) return 0;
  // With fewer domains than wanted, chunks are written with what there is.
  return countable(capacityOf([...domains.values()], Math.min(storage.replicas, domains.size)));
}

/** Each disk may claim to have as many bytes as can be counted. */
const countable = (bytes: number): number => Math.min(Number.MAX_SAFE_INTEGER, bytes);

function sum(values: readonly number[]): number {
  return countable(values.reduce((total, value) => total + value, 0));
}
