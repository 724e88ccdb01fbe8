import type { CsTotals } from "../chunk/index.js";

/** What operators ask of the leading MDS: unary calls, answered for certificates with the role `admin` or `client`. */

/** The whole picture behind `stat` and `top`. */
export interface ClusterStatus {
  readonly clusterName: string;
  readonly clusterId: string;
  /** `healthy`, `degraded`, `failure` or `unknown`, as in the original. */
  readonly health: string;
  /** Which MDS answered. */
  readonly mdsId: number;
  readonly mdsServers: readonly MdsStatus[];
  readonly chunkServers: readonly CsStatus[];
  readonly clients: readonly ClientStatus[];
  readonly space: SpaceStatus;
  readonly chunks: ChunkCounts;
  readonly filesystem: FilesystemCounts;
  /** Attributes of the root directory: what new files get. */
  readonly replicas: number;
  readonly replicasMinimum: number;
  /** Since the present leader began, s. */
  readonly epochUptimeSeconds: number;
  /** Its clock, when it answered: ms since 1970. */
  readonly wallMs: number;
  /** What servers and clients may ask of each other. */
  readonly level: number;
  /** Who keeps it from being raised, for people. Empty: nobody. */
  readonly levelHeldBy: readonly string[];
}
export interface MdsStatus {
  readonly mdsId: number;
  readonly address: string;
  readonly isLeader: boolean;
  /** `avail`, `stale`, `unavail`, or `learner` while it is catching up. */
  readonly status: string;
  readonly appliedIndex: number;
  readonly commitsPerSecond: number;
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly uptimeSeconds: number;
  /** Share of the time spent with writing the log. */
  readonly logTimePercent: number;
  /** False: it did not say what it costs, and the numbers are 0. */
  readonly hasLoad: boolean;
}
/** What a metadata server costs, over the last seconds. */
export interface MdsLoad {
  readonly commitsPerSecond: number;
  readonly logTimePercent: number;
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly uptimeSeconds: number;
  /** The highest level of a cluster that it knows. Absent: the first. */
  readonly level?: number | undefined;
}
export interface CsStatus {
  readonly csId: number;
  /** `active`, `inactive`, `offline`, `releasing`, `failed`, `dropped`. */
  readonly status: string;
  readonly address: string;
  readonly hostId: string;
  readonly location: string;
  readonly tier: number;
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly replicaCount: number;
  /** Chunks that have their only replica here. */
  readonly uniqueCount: number;
  readonly ioWaitPercent: number;
  readonly latencyMsAverage: number;
  readonly latencyMsMax: number;
  readonly queueDepth: number;
  readonly readBytesPerSecond: number;
  readonly writeBytesPerSecond: number;
  readonly readsPerSecond: number;
  readonly writesPerSecond: number;
  readonly flags: string;
  readonly syncsPerSecond: number;
  /** Written by making replicas anew, and read for others that do. */
  readonly fillBytesPerSecond: number;
  readonly servedFillBytesPerSecond: number;
  /** Requests under way, over the last seconds. */
  readonly queueDepthAverage: number;
  readonly queueDepthMax: number;
  /** Since its process started. */
  readonly totals: CsTotals;
}
export interface ClientStatus {
  readonly sessionId: number;
  readonly hostname: string;
  readonly program: string;
  readonly leaseCount: number;
  readonly address: string;
  /** Over the time between the last two reports of the client. */
  readonly readBytesPerSecond: number;
  readonly writeBytesPerSecond: number;
  readonly readsPerSecond: number;
  readonly writesPerSecond: number;
  readonly syncsPerSecond: number;
  /** Of its requests to chunk servers. */
  readonly latencyMsAverage: number;
  readonly latencyMsMax: number;
}
/** What a client has done since it began: only grows, except where it says otherwise. */
export interface ClientLoad {
  readonly readBytes: number;
  readonly readCount: number;
  readonly writeBytes: number;
  readonly writeCount: number;
  readonly syncCount: number;
  /** Of all requests to chunk servers together. */
  readonly latencyMsSum: number;
  /** Of one of them, since the client told the last time. */
  readonly latencyMsMax: number;
}
export interface SpaceStatus {
  /** Of all chunk servers that are not dropped. */
  readonly totalBytes: number;
  readonly freeBytes: number;
  /** Logical: what can be stored at the present number of replicas, and what of it is free. */
  readonly allocatableBytes: number;
  readonly allocatableFreeBytes: number;
  /** In the order of the tiers; only tiers with a server. */
  readonly tiers: readonly TierSpace[];
  /** The limit on what users store, `mds.alloc.capacity_max`; 0: none. */
  readonly capacityBytes: number;
  /** What counts against it: the sizes of all files. */
  readonly usedBytes: number;
}
/** Of the servers of one tier that are not dropped. */
export interface TierSpace {
  readonly tier: number;
  readonly serverCount: number;
  readonly totalBytes: number;
  readonly freeBytes: number;
}
/** How many chunks are in each state; a chunk is counted once, under its worst state. */
export interface ChunkCounts {
  readonly total: number;
  readonly healthy: number;
  readonly standby: number;
  readonly degraded: number;
  readonly urgent: number;
  readonly blocked: number;
  readonly pending: number;
  readonly offline: number;
  readonly replicating: number;
  readonly overcommitted: number;
  readonly deleting: number;
  readonly unique: number;
  readonly void: number;
}
export interface FilesystemCounts {
  readonly fileCount: number;
  readonly inodeCount: number;
  /** Sum of the sizes of all files. */
  readonly sizeBytes: number;
  readonly chunkCount: number;
}

export interface ConfigEntry {
  readonly name: string;
  readonly value: string;
  /** Grows with every change of this entry; 0 while it has its default. */
  readonly sequence: number;
  readonly defaultValue: string;
  readonly description: string;
}
export interface Config {
  readonly entries: readonly ConfigEntry[];
}
export interface SetConfig {
  readonly name: string;
  readonly value: string;
  /** The change is made only if the entry still has this sequence. */
  readonly expectedSequence?: number | undefined;
}

export interface GetEvents {
  /** Events with a greater number, oldest first; 0 for the latest ones. */
  readonly after: number;
  readonly limit: number;
}
export interface EventRecord {
  readonly number: number;
  readonly wallMs: number;
  /** `MDS`, `JRN`, `CS`, `CLN`. */
  readonly system: string;
  /** `info`, `warn`, `err`. */
  readonly severity: string;
  readonly message: string;
}
export interface Events {
  readonly events: readonly EventRecord[];
}

/** Of `make-cs`: a new CSID for this host. */
export interface AddChunkServer {
  readonly hostId: string;
  readonly location: string;
  readonly tier: number;
}
export interface ChunkServerAdded {
  readonly csId: number;
}
export interface RemoveChunkServer {
  readonly csId: number;
  /** Forget it now, although data may be lost. */
  readonly force: boolean;
  /** Stop a release that is under way. */
  readonly cancel: boolean;
}
export interface ChunkServerRemoval {
  /** Chunks that still have a replica there; 0: it is gone. */
  readonly remainingCount: number;
  readonly isDropped: boolean;
}

/** Of `make-mds`: a new MDSID; the server joins as a learner and becomes a voter when it has caught up. */
export interface AddMds {
  /** `IP:PORT` of the MDS-to-MDS port. */
  readonly address: string;
  readonly hostId: string;
}
export interface MdsAdded {
  readonly mdsId: number;
  readonly clusterName: string;
  readonly members: readonly MdsMember[];
  /** Of the metadata: grows with every recovery of them. */
  readonly epoch: number;
}
export interface MdsMember {
  readonly mdsId: number;
  readonly address: string;
  /** Takes part in elections; false while it is catching up. */
  readonly isVoter: boolean;
}
export interface RemoveMds {
  readonly mdsId: number;
}

/** A chunk server reads everything it has again from now on. */
export interface BeginScrub {
  /** 0: every one that is there. */
  readonly csId: number;
}
export interface ScrubBegun {
  readonly csIds: readonly number[];
  /** Those that should have begun, and did not answer. */
  readonly silentCsIds: readonly number[];
}
export interface ScrubStatus {
  readonly chunkServers: readonly CsScrub[];
}
export interface CsScrub {
  readonly csId: number;
  /** As in `CsStatus`. */
  readonly status: string;
  /** It is connected and has told: the rest is true. */
  readonly isKnown: boolean;
  readonly isRunning: boolean;
  /** Wall-clock time of the server; 0: never. */
  readonly beganMs: number;
  readonly endedMs: number;
  /** Of the present or the last round. */
  readonly checkedBytes: number;
  readonly totalBytes: number;
  /** Damaged blocks found since it began. */
  readonly damagedCount: number;
  /** Replicas with blocks that no server of their chain has whole. */
  readonly quarantinedCount: number;
}

export interface GetChunk {
  readonly chunkId: number;
}
export interface GetFileChunks {
  readonly ino: number;
  readonly firstIndex: number;
  readonly limit: number;
}
export interface GetFileLeases {
  readonly ino: number;
}
export interface FileLeases {
  /** By session. */
  readonly leases: readonly FileLease[];
}
/** What one client holds of a file. */
export interface FileLease {
  readonly sessionId: number;
  readonly hostname: string;
  readonly program: string;
  /** Where it is connected from; empty: it is not, at the moment. */
  readonly address: string;
  /** `read`, `shared`, `exclusive`; `none`: it was revoked. */
  readonly lease: string;
  /** Opens that were not closed: for reading alone, and for writing. */
  readonly readCount: number;
  readonly writeCount: number;
  /** What it was told to come down to, and has not yet. */
  readonly recallTo?: string | undefined;
}
export interface ChunkInfos {
  readonly chunks: readonly ChunkInfo[];
  /** There may be more, from this index on. */
  readonly nextIndex?: number | undefined;
}
/** A chunk and where it is. */
export interface ChunkInfo {
  readonly chunkId: number;
  readonly ino: number;
  readonly index: number;
  readonly version: number;
  /** All members have accepted this version. */
  readonly installed: boolean;
  /** As counted by `stat`. */
  readonly state: string;
  readonly replicas: number;
  readonly replicasMinimum: number;
  readonly chunkBytes: number;
  /** The chain, head first, then others that have something of it. */
  readonly members: readonly ReplicaInfo[];
}
export interface ReplicaInfo {
  readonly csId: number;
  readonly address: string;
  readonly hostId: string;
  /** `complete`, `syncing`, `lost` (complete, and left out until the version is installed), `leftover` (of no use). */
  readonly role: string;
  /** Of the server, as in `CsStatus`. */
  readonly status: string;
}

/** What the repair loop would do now. */
export interface RepairPreview {
  readonly steps: readonly RepairStep[];
  /** Why nothing new is copied; empty: nothing holds it up. */
  readonly suppressed: string;
  /** Chunks that wait because enough is being copied already. */
  readonly delayedCount: number;
  /** Chunks for which there is no server. */
  readonly homelessCount: number;
  /** There are more chunks to look at than were looked at. */
  readonly isPartial: boolean;
}
export interface RepairStep {
  readonly chunkId: number;
  readonly ino: number;
  readonly state: string;
  readonly remove: readonly number[];
  readonly add: readonly number[];
  readonly reason: string;
}

/** What the latest recovery of the metadata has left to do, and what it cannot bring back. */
export interface RecoveryStatus {
  /** 0: they were never recovered; the rest is empty then. */
  readonly epoch: number;
  /** When it began. */
  readonly wallMs: number;
  /** What they were recovered from, for people. */
  readonly source: string;
  /** Chunks of which it is not known yet what the servers have. */
  readonly doubtedCount: number;
  /** CSIDs of servers that are neither heard nor removed: chunks may wait for them. */
  readonly awaitedServers: readonly number[];
  /** Of the chunks in doubt those of which nobody who was heard has anything. */
  readonly missingCount: number;
  /** Paths of files with such chunks, as far as they were looked for. */
  readonly missingFiles: readonly string[];
  /** Replicas of chunks that only the lost time knew, on servers that are here. */
  readonly orphanCount: number;
  /** Until when those are kept. */
  readonly orphansUntilMs: number;
  /** All who may have something were heard: what is missing is gone. An earlier MDS does not say so. */
  readonly isEveryoneHeard: boolean;
}
