import type { FailureCode } from "../base/index.js";
import type { ChunkId, ChunkVersion, CsId } from "./ids.js";
import type { CsCommand } from "./messages.js";

/** What a chunk server tells the leading MDS over its one stream, and what it is told there. */

/** First message on the stream. */
export interface RegisterCs {
  readonly clusterId: string;
  readonly csId: CsId;
  /** Where its chunk service listens, `IP:PORT`. */
  readonly address: string;
  readonly hostId: string;
  /** `room.row.rack` from /etc/pstorage/location; `0.0.0` by default. */
  readonly location: string;
  /** 0 to 3. */
  readonly tier: number;
  /** Grows by one with every start of the process, so that an older stream is never taken for the newer. */
  readonly incarnation: number;
  /** Processes of its repository: the last that the cluster is known to have taken in, and those since; the last is this one. */
  readonly runs: readonly string[];
  readonly protocolVersion: number;
  /** The highest level of a cluster that it knows. Absent: the first. */
  readonly level?: number | undefined;
  readonly space: CsSpace;
}

export interface CsSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/** All replicas it holds, in parts of at most 10,000; follows the registration, and repeats if asked. */
export interface ReportInventory {
  readonly replicas: readonly ReplicaReport[];
  readonly isLast: boolean;
}

export interface ReplicaReport {
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
  /** It began empty, was being filled and is not complete. */
  readonly syncing: boolean;
  /**
   * The process died while parts of it were dirty: writes that were under way may differ from its peers, and
   * after a crash of the host unsynced ones may be missing. Its contents are right elsewhere. Also: its filling, with or
   * without `syncing`, ended with an earlier process.
   */
  readonly suspect: boolean;
  /** It is or was suspect, and has not been filled since: the host itself went down, so that acknowledged but unsynced writes may be missing. */
  readonly hostCrashed: boolean;
  /** Parts of it are still to be fetched, whatever it began with. */
  readonly filling: boolean;
  /** Its place in the chain of its version, from 0 at the head. */
  readonly position: number;
}

/** Sent every `heartbeatMs`; a server that hears no answer stops serving on its own before it is given up. */
export interface CsHeartbeat {
  readonly space: CsSpace;
  readonly replicaCount: number;
  readonly load: CsLoad;
  /** Failure letters as in the original: H h S s R T; and J C D c. */
  readonly flags: string;
  readonly scrub?: ScrubReport | undefined;
  /** The last one: it was told to stop. */
  readonly isLeaving?: boolean | undefined;
}

/** How far a chunk server has come with reading everything again. Times are of its own wall clock, ms. */
export interface ScrubReport {
  readonly isRunning: boolean;
  /** Of the present or the last round; 0: there was none. */
  readonly beganMs: number;
  /** Of the last round that went through; 0: there was none. */
  readonly endedMs: number;
  /** In the present or the last round. */
  readonly checkedBytes: number;
  /** All it has. */
  readonly totalBytes: number;
  /** Damaged blocks found since the present or last round began, by clients' reads, too. */
  readonly damagedCount: number;
  /** Replicas with blocks that no server of their chain has whole: kept, and readable elsewhere. */
  readonly quarantinedCount: number;
}

/** How a chunk server shall read everything it has again. */
export interface ScrubOrders {
  /** A round begins that long after the last one began; 0: none begins by itself. */
  readonly periodMs: number;
  /** While no client waits; while one does, it is a fraction of that. */
  readonly bytesPerSecond: number;
}

/** Damaged blocks that a chunk server found since it told the last time. */
export interface ReportDamage {
  /** Grows with every report of one process, so that a repetition is known. */
  readonly number: number;
  /** Blocks put right with what other servers of the chain had. */
  readonly mendedCount: number;
  /** Blocks that no server of the chain has whole. */
  readonly lostCount: number;
  /** Places that could not be put right: their replicas are replaced. */
  readonly replacedCount: number;
  /** The last one of them, and the byte where it is damaged. */
  readonly chunkId: ChunkId;
  readonly offset: number;
}

/** Since the heartbeat before. */
export interface CsLoad {
  readonly readBytes: number;
  readonly readCount: number;
  readonly writeBytes: number;
  readonly writeCount: number;
  readonly syncCount: number;
  /** Average and longest time of one request, ms. */
  readonly latencyMsAverage: number;
  readonly latencyMsMax: number;
  /** Requests under way now. */
  readonly queueDepth: number;
  /** The same on average over the time, and at most. */
  readonly queueDepthAverage: number;
  readonly queueDepthMax: number;
  /** Share of the time in which the disk had something to do, 0 to 100. */
  readonly ioWaitPercent: number;
  /** Of a replica that is being made here, from other servers. */
  readonly fillBytes: number;
  /** What other servers fetched from here for theirs. */
  readonly servedFillBytes: number;
  /** How long since the heartbeat before, ms. */
  readonly elapsedMs: number;
  readonly totals: CsTotals;
}

/** What a chunk server has done since its process started. */
export interface CsTotals {
  readonly readBytes: number;
  readonly readCount: number;
  readonly writeBytes: number;
  readonly writeCount: number;
  readonly syncCount: number;
  readonly fillBytes: number;
  readonly servedFillBytes: number;
}

/** The answer to the command with that number. */
export interface CommandDone {
  readonly commandId: number;
  readonly failure?: { readonly code: string; readonly detail: string } | undefined;
  /** Of `install`: end of the last byte ever written. */
  readonly highWaterBytes: number;
}

/** A member of a chain failed, as seen by another server or by a client. */
export interface ReportReplica {
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
  readonly csId: CsId;
  readonly code: FailureCode;
}

/** A replica that was `syncing` under that version now has everything. */
export interface ReplicaSynced {
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
}

export type RegistryRequest =
  | { readonly type: "register"; readonly body: RegisterCs }
  | { readonly type: "inventory"; readonly body: ReportInventory }
  | { readonly type: "heartbeat"; readonly body: CsHeartbeat }
  | { readonly type: "commandDone"; readonly body: CommandDone }
  | { readonly type: "reportReplica"; readonly body: ReportReplica }
  | { readonly type: "replicaSynced"; readonly body: ReplicaSynced }
  | { readonly type: "reportDamage"; readonly body: ReportDamage };

export interface Registered {
  readonly heartbeatMs: number;
  /** Without an answered heartbeat for that long the server stops serving. */
  readonly leaseMs: number;
  /** Of the metadata: grows when they are recovered from a backup or a survivor. A server that met a higher one obeys no lower one. */
  readonly epoch: number;
  /** As in the answer to a heartbeat. */
  readonly ticketKey?: Uint8Array | undefined;
}

/** Of what is not answered by more. To a heartbeat it says what the cluster wants at present. */
export interface RegistryOk {
  readonly scrub?: ScrubOrders | undefined;
  /** What tickets of clients are sealed with. Absent: none are asked for. */
  readonly ticketKey?: Uint8Array | undefined;
}

export type RegistryReply =
  | { readonly type: "registered"; readonly body: Registered }
  | { readonly type: "ok"; readonly body: RegistryOk };

/** Pushed by the MDS; answered by `commandDone` with the same number. */
export interface NumberedCsCommand {
  readonly commandId: number;
  readonly command: CsCommand;
}
