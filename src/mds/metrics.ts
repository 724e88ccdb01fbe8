import type { ChunkCounts, ClusterStatus } from "../meta/index.js";
import { counterSample, gaugeSample, type MetricSample } from "../telemetry/index.js";

/** How long requests of clients to a metadata server take. */
export const MDS_REQUESTS = {
  name: "pstorage_mds_request_duration_seconds",
  help: "Time from a client's request to its answer, by request; with what it waited for.",
  label: "request",
} as const;

/** Readings of one metadata server, whether it leads or not. */
export interface MdsReadings {
  readonly isLeader: boolean;
  /** It leads, or has heard from a leader lately. */
  readonly hasLeader: boolean;
  readonly term: number;
  readonly appliedIndex: number;
  readonly commitIndex: number;
  /** Time spent with writing the log since the start. */
  readonly logSeconds: number;
}

/** What every metadata server tells of itself. */
export function mdsSamples(readings: MdsReadings): MetricSample[] {
  return [
    gaugeSample("pstorage_mds_is_leader", "1 while this server leads.", readings.isLeader ? 1 : 0),
    gaugeSample(
      "pstorage_mds_has_leader",
      "1 while this server leads or hears from the one that does.",
      readings.hasLeader ? 1 : 0,
    ),
    gaugeSample(
      "pstorage_mds_term",
      "The Raft term that it knows; grows with every election.",
      readings.term,
    ),
    counterSample(
      "pstorage_mds_applied_entries_total",
      "Entries of the log that are applied.",
      readings.appliedIndex,
    ),
    counterSample(
      "pstorage_mds_committed_entries_total",
      "Entries of the log that it knows to be committed.",
      readings.commitIndex,
    ),
    counterSample(
      "pstorage_mds_log_write_seconds_total",
      "Time in which the log was being written.",
      readings.logSeconds,
    ),
  ];
}

/** What the leader alone tells, of the whole cluster. */
export function clusterSamples(status: ClusterStatus): MetricSample[] {
  const { filesystem, space } = status;
  return [
    ...HEALTH.map((state) =>
      gaugeSample(
        "pstorage_cluster_health",
        "1 for the state that the cluster is in.",
        status.health === state ? 1 : 0,
        {
          state,
        },
      ),
    ),
    ...counted("pstorage_cluster_mds_servers", "Metadata servers by status.", MDS_STATES, status.mdsServers),
    ...counted(
      "pstorage_cluster_chunk_servers",
      "Chunk servers by status; removed ones do not count.",
      CS_STATES,
      status.chunkServers,
    ),
    gaugeSample("pstorage_cluster_clients", "Sessions of clients.", status.clients.length),
    ...spaceSamples(status),
    ...chunkSamples(status.chunks),
    gaugeSample("pstorage_cluster_files", "Files.", filesystem.fileCount),
    gaugeSample(
      "pstorage_cluster_inodes",
      "Files, directories and everything else with a name.",
      filesystem.inodeCount,
    ),
    gaugeSample(
      "pstorage_cluster_data_bytes",
      "Sizes of all files; copies do not count.",
      filesystem.sizeBytes,
    ),
    gaugeSample(
      "pstorage_cluster_capacity_limit_bytes",
      "mds.alloc.capacity_max; 0 if there is none.",
      space.capacityBytes,
    ),
  ];
}

const HEALTH = ["healthy", "degraded", "failure", "unknown"] as const;
const MDS_STATES = ["avail", "stale", "unavail", "learner"] as const;
const CS_STATES = ["active", "inactive", "offline", "maintenance", "releasing", "failed"] as const;
const CHUNK_STATES: readonly (keyof ChunkCounts)[] = [
  "healthy",
  "standby",
  "degraded",
  "urgent",
  "blocked",
  "pending",
  "offline",
  "replicating",
  "overcommitted",
  "deleting",
  "unique",
  "void",
];

function counted(
  name: string,
  help: string,
  states: readonly string[],
  servers: readonly { readonly status: string }[],
): MetricSample[] {
  return states.map((state) =>
    gaugeSample(name, help, servers.filter(({ status }) => status === state).length, { status: state }),
  );
}

function spaceSamples({ space }: ClusterStatus): MetricSample[] {
  const physical = "Space on the disks of all chunk servers, by tier: total or free.";
  const logical = "What can be stored at the usual number of copies: total or free.";
  return [
    ...space.tiers.flatMap(({ tier, totalBytes, freeBytes }) => [
      gaugeSample("pstorage_cluster_space_bytes", physical, totalBytes, {
        tier: String(tier),
        kind: "total",
      }),
      gaugeSample("pstorage_cluster_space_bytes", physical, freeBytes, { tier: String(tier), kind: "free" }),
    ]),
    gaugeSample("pstorage_cluster_allocatable_bytes", logical, space.allocatableBytes, { kind: "total" }),
    gaugeSample("pstorage_cluster_allocatable_bytes", logical, space.allocatableFreeBytes, { kind: "free" }),
  ];
}

function chunkSamples(chunks: ChunkCounts): MetricSample[] {
  return CHUNK_STATES.map((state) =>
    gaugeSample("pstorage_cluster_chunks", "Chunks by their worst state.", chunks[state], { state }),
  );
}
