import type { Failure } from "../../base/index.js";
import type { ChunkId, ChunkVersion, CsId, CsSpace } from "../../chunk/index.js";
import type { InodeNumber, MetadataMutation, MetadataReply, SessionId } from "../../meta/index.js";
import type { CsActivity, EventRecordStored } from "./records.js";

/** What the log says. `stampMs` is the proposing leader's wall clock, made never to run backwards. */
export interface Command {
  readonly stampMs: number;
  readonly change: Change;
}

export type Change =
  // Cluster.
  | { readonly type: "genesis"; readonly body: Genesis }
  | { readonly type: "addMds"; readonly body: { readonly address: string; readonly hostId: string } }
  | { readonly type: "removeMds"; readonly body: { readonly mdsId: number } }
  | { readonly type: "raiseLevel"; readonly body: { readonly level: number } }
  | { readonly type: "setConfig"; readonly body: SetConfigChange }
  | { readonly type: "recordEvent"; readonly body: Omit<EventRecordStored, "number" | "wallMs"> }
  // Clients.
  | { readonly type: "beginSession"; readonly body: BeginSession }
  | { readonly type: "endSession"; readonly body: { readonly sessionId: SessionId; readonly reason: string } }
  | { readonly type: "mutate"; readonly body: Mutate }
  // Files in the background.
  | { readonly type: "dropChunks"; readonly body: DropChunks }
  | { readonly type: "finishRecovery"; readonly body: { readonly ino: InodeNumber } }
  | { readonly type: "sweepChunks"; readonly body: SweepChunks }
  // Chunks.
  | { readonly type: "reconfigureChunk"; readonly body: ReconfigureChunk }
  | { readonly type: "chunkInstalled"; readonly body: ChunkInstalled }
  | { readonly type: "replicaSynced"; readonly body: ReplicaAt }
  | {
      readonly type: "replicasDeleted";
      readonly body: { readonly csId: CsId; readonly replicas: readonly ChunkAt[] };
    }
  // Chunk servers.
  | { readonly type: "addCs"; readonly body: AddCs }
  | { readonly type: "registerCs"; readonly body: RegisterCsChange }
  | { readonly type: "updateCs"; readonly body: UpdateCs }
  | { readonly type: "setCsActivity"; readonly body: { readonly csId: CsId; readonly activity: CsActivity } }
  | { readonly type: "setCsMaintenance"; readonly body: SetCsMaintenance }
  | {
      readonly type: "removeCs";
      readonly body: { readonly csId: CsId; readonly force: boolean; readonly cancel: boolean };
    }
  | { readonly type: "adoptReplicas"; readonly body: AdoptReplicas }
  // Recovery of the metadata.
  | { readonly type: "beginEpoch"; readonly body: BeginEpoch }
  | { readonly type: "doubtChunks"; readonly body: { readonly chunks: readonly ChunkId[] } }
  | { readonly type: "finishEpoch"; readonly body: { readonly epoch: number } }
  | { readonly type: "confirmChunk"; readonly body: ConfirmChunk };

export interface Genesis {
  readonly clusterId: string;
  readonly name: string;
  readonly secrets: Uint8Array;
  /** Of the first MDS. */
  readonly address: string;
  readonly hostId: string;
  /** Of the new cluster. Absent: the first. */
  readonly level?: number | undefined;
}
export interface SetConfigChange {
  readonly name: string;
  readonly value: string;
  readonly expectedSequence?: number | undefined;
}
export interface BeginSession {
  readonly hostname: string;
  readonly hostId: string;
  readonly program: string;
  readonly caches?: boolean | undefined;
}
export interface Mutate {
  readonly sessionId: SessionId;
  readonly mutation: MetadataMutation;
}
/** Part of the chunks of a file being reclaimed, as the store listed them; `isLast`: there were no more. */
export interface DropChunks {
  readonly ino: InodeNumber;
  readonly indexes: readonly number[];
  readonly isLast: boolean;
}
/** Part of the chunks of a file in `sweeps`, as the store listed them; `isLast`: there were no more. */
export interface SweepChunks extends DropChunks {
  /** Of the sweep record when the listing began. */
  readonly sequence: number;
}
export interface ChunkAt {
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
}
export interface ReplicaAt extends ChunkAt {
  readonly csId: CsId;
}
/** One step of a chunk to its next version. Refused (`conflict`) if the version is not `version` any more. */
export interface ReconfigureChunk extends ChunkAt {
  /** Members that failed or are surplus. */
  readonly remove: readonly CsId[];
  /** Removed because surplus or moved, so that their data may be deleted, rather than because unreachable. */
  readonly areSurplus: boolean;
  /** New members, to be filled. */
  readonly add: readonly { readonly csId: CsId; readonly keepContents: boolean }[];
  /** A lost replica that becomes the chain again, since there is nothing else. */
  readonly revive?: CsId | undefined;
  /** For the event log and for people. */
  readonly reason: string;
}
export interface ChunkInstalled extends ChunkAt {
  /** Highest end of data that a member reported. */
  readonly highWaterBytes: number;
}
export interface AddCs {
  readonly hostId: string;
  readonly location: string;
  readonly tier: number;
}
export interface RegisterCsChange {
  readonly csId: CsId;
  readonly address: string;
  readonly hostId: string;
  readonly location: string;
  readonly tier: number;
  readonly incarnation: number;
  readonly space: CsSpace;
  /** As in `RegisterCs`. */
  readonly runs: readonly string[];
}
/** A process of a chunk server was told to stop, or has been away for too long since. */
export interface SetCsMaintenance {
  readonly csId: CsId;
  /** Of that process. */
  readonly incarnation: number;
  readonly isInMaintenance: boolean;
}
export interface UpdateCs {
  readonly csId: CsId;
  readonly space: CsSpace;
  readonly replicaCount: number;
  readonly flags: string;
}
/** Outcome of comparing an inventory with the state: replicas to be deleted because nobody knows them. */
export interface AdoptReplicas {
  readonly csId: CsId;
  readonly unknown: readonly ChunkAt[];
}

/** The group begins anew with one member, out of older metadata. */
export interface BeginEpoch {
  readonly epoch: number;
  readonly mdsId: number;
  readonly address: string;
  readonly hostId: string;
  /** What they were recovered from, for people. */
  readonly source: string;
}
/** What the servers have of a chunk in doubt. All lists empty: nothing, of a chunk that was never written. */
export interface ConfirmChunk extends ChunkAt {
  /** The newest version of a complete replica. */
  readonly foundVersion: ChunkVersion;
  /** Complete replicas of that version, head first. */
  readonly active: readonly CsId[];
  /** To be filled from them, keeping what they have. */
  readonly refill: readonly CsId[];
  /** Servers with replicas that are of no use any more. */
  readonly stale: readonly CsId[];
}

/** What applying a command gives to whoever proposed it. */
export type Outcome =
  | { readonly type: "reply"; readonly reply: MetadataReply }
  | { readonly type: "failure"; readonly failure: Failure }
  /** Nothing was changed; propose it again when `wake` with this key is seen, or after a pause. */
  | { readonly type: "wait"; readonly key: WaitKey }
  /** Of commands that are not client mutations: a number given out (id, sequence), or 0. */
  | { readonly type: "done"; readonly value: number };

/** What a waiting request waits for. */
export type WaitKey =
  | { readonly type: "lease"; readonly ino: InodeNumber }
  | { readonly type: "chunk"; readonly chunkId: ChunkId }
  | { readonly type: "space" };
