import type { ChunkId, ChunkVersion, CsId } from "../../chunk/index.js";
import type {
  Access,
  FailureDomain,
  InodeNumber,
  LeaseKind,
  LockFamily,
  LockOwner,
  SessionId,
  StorageAttributes,
  Timestamp,
} from "../../meta/index.js";
import type { LockedRange } from "./lock-ranges.js";

/**
 * The replicated state, record by record. Records are values: changed by putting a new one, never in place.
 * Every MDS that applied the same log holds the same records, byte for byte.
 */

/** What `make-mds -I` made; one of it. */
export interface ClusterRecord {
  readonly clusterId: string;
  readonly name: string;
  readonly createdMs: number;
  /** Opaque here: certificate authority and password verifier, as `auth/` encodes them. */
  readonly secrets: Uint8Array;
  /** Of the recovery that the group comes from; whoever has met a higher one obeys no lower one. Absent: 0, never recovered. */
  readonly epoch?: number | undefined;
  /** All recoveries, oldest first. */
  readonly epochs: readonly EpochRecord[];
  /** What servers and clients may ask of each other. Absent: the first. */
  readonly level?: number | undefined;
}

/**
 * The metadata were taken back to an earlier moment: from a backup, or to what one survivor of the group knew. What was done between
 * that moment and the disaster is unknown, but leaves traces on chunk servers: ids in these ranges.
 */
export interface EpochRecord {
  /** Seconds since 2020 at the recovery, and greater than all before. */
  readonly epoch: number;
  /** When it began, leader's stamp. */
  readonly wallMs: number;
  /** `a backup of ...` or `the state of MDS#2`, for people. */
  readonly source: string;
  /** Chunk ids that may have been given out in the time that was lost: greater than `chunkAfter`, up to `chunkLast`. */
  readonly chunkAfter: number;
  readonly chunkLast: number;
  /** The same for CSIDs. */
  readonly csAfter: number;
  readonly csLast: number;
  /** Every chunk is in doubt and every old session over: the group may serve. */
  readonly isReady: boolean;
}

/** The last number given out of each kind. */
export interface CounterRecord {
  readonly inode: number;
  readonly chunk: number;
  readonly session: number;
  readonly lease: number;
  readonly cs: number;
  readonly mds: number;
  readonly event: number;
}

export interface InodeRecord {
  readonly ino: InodeNumber;
  readonly generation: number;
  readonly mode: number;
  /** 0 for a file that only open handles keep alive. */
  readonly linkCount: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  /** Of files and symbolic links. */
  readonly sizeBytes: number;
  /** Of directories. */
  readonly entryCount: number;
  /** Of directories: where `..` leads. Of others: the directory of their latest name, for messages only. */
  readonly parent: InodeNumber;
  /** How many chunks it has. */
  readonly chunkCount: number;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
  readonly birthTime: Timestamp;
  readonly changeCount: number;
  readonly storage: StorageAttributes;
  /** Of symbolic links. */
  readonly target: Uint8Array;
  readonly xattrNames: readonly Uint8Array[];
  /** Made without a name: it may be given its first one although its link count is 0. */
  readonly isLinkable?: boolean | undefined;
  /** Of files: bytes written so far, as far as they may still be there. Absent: unknown. */
  readonly writtenBytes?: number | undefined;
  /** Of files: as in `Attributes`. Absent: 0. */
  readonly dataVersion?: number | undefined;
  /** Of files: length of the contents in the table `inlines`. Absent: there are none. */
  readonly inlineBytes?: number | undefined;
}

export interface DentryRecord {
  readonly ino: InodeNumber;
  /** Type bits, so that listing needs no inode. */
  readonly mode: number;
}

export interface SessionRecord {
  readonly sessionId: SessionId;
  readonly hostname: string;
  readonly hostId: string;
  readonly program: string;
  readonly beganMs: number;
  /** Answers to mutations below this sequence are forgotten, but for those of `unanswered`. */
  readonly answeredBelow: number;
  /** Ascending; all are below `answeredBelow`. */
  readonly unanswered: readonly number[];
  /** It is over, but has more opens than one command gives back: `endSession` is proposed again. */
  readonly isEnding: boolean;
  /** It keeps what it is told of names and attributes, and is told when that becomes untrue. */
  readonly caches?: boolean | undefined;
  /** For inodes that it creates, the latest last. A session with some answers mutations early. */
  readonly reserved: readonly ReservedNumbers[];
}

/** The inode numbered `firstInode + i` has `firstLease + i` for the first lease on it. */
export interface ReservedNumbers {
  readonly firstInode: InodeNumber;
  readonly firstLease: number;
  readonly count: number;
}

/** How many files there are and how much is in them. Kept in step with the inodes by `putInode` and `removeInode`. */
export interface TotalsRecord {
  /** Regular files. */
  readonly fileCount: number;
  /** Anything with attributes. */
  readonly inodeCount: number;
  /** Sum of the sizes of all regular files. */
  readonly sizeBytes: number;
  readonly chunkCount: number;
}

/** What one session holds of one file: its opens, and the lease they earned. */
export interface OpenRecord {
  readonly ino: InodeNumber;
  readonly sessionId: SessionId;
  /** How many opens of each access are not closed yet. */
  readonly counts: OpenCounts;
  /** Opens that were not closed when the lease was revoked: they keep the file alive, and allow nothing. */
  readonly revoked?: OpenCounts | undefined;
  /** `none` if it was revoked and the file was not opened again. */
  readonly lease: LeaseKind;
  /** Of the present lease; 0 with `none`. It stays when the lease comes down, and grows when it goes up. */
  readonly leaseSequence: number;
  /** A recall is under way: the holder was told to come down to this. */
  readonly recallTo?: LeaseKind | undefined;
}

export type OpenCounts = Readonly<Record<Access, number>>;

/** The session was given this chunk's map for writing under a lease it still holds: fence it if the session dies. */
export interface WriterRecord {
  readonly sessionId: SessionId;
  readonly chunkId: ChunkId;
  readonly ino: InodeNumber;
}

/** What one owner within a session has locked of one file in one family: at least one range. */
export interface LockRecord {
  readonly ino: InodeNumber;
  readonly sessionId: SessionId;
  readonly family: LockFamily;
  readonly owner: LockOwner;
  /** In the order of their positions; they do not overlap. */
  readonly ranges: readonly LockedRange[];
}

/** A writer of this file died: its chunks are being fenced and the size found out. Opens wait. */
export interface RecoveryRecord {
  readonly ino: InodeNumber;
  /** Chunks being fenced now; bounded, the next ones are taken from the writer records of `sessions`. */
  readonly chunks: readonly ChunkId[];
  /** The dead writers, while they have writer records of this file. */
  readonly sessions: readonly SessionId[];
  /** Highest end of data found so far, bytes of the file: its size, if it is greater than the MDS's. */
  readonly sizeBytes: number;
  /** The MDS's size may be older than what was acknowledged: questions for it wait. */
  readonly wasExclusive: boolean;
}

export interface ChunkRecord {
  readonly chunkId: ChunkId;
  readonly ino: InodeNumber;
  readonly index: number;
  readonly version: ChunkVersion;
  /** All members have accepted this version, and older maps are out of use. Until then nobody gets a map. */
  readonly installed: boolean;
  /** The last version that was installed; 0: none ever was, so no byte was ever written. */
  readonly installedVersion: ChunkVersion;
  /** What its file wanted of it when it was allocated, or when the file's chunks were last swept. */
  readonly policy: ChunkPolicy;
  /** In chain order, head first; active members before syncing ones at each new version. Empty: no replica is left. */
  readonly chain: readonly ReplicaRecord[];
  /** To be carried out with the installation under way. */
  readonly truncateBytes?: number | undefined;
  /** The last version that cut bytes off: what was written under an earlier one came before that. */
  readonly cutVersion?: ChunkVersion | undefined;
  /**
   * The record comes from before a recovery, and the servers may be further than it: the chain is empty until it is known what
   * they have (`doubted-chunks.ts`). `virgin`: nobody had ever written the chunk when the record was made.
   */
  readonly doubt?: "written" | "virgin" | undefined;
  /**
   * Members that dropped out since the last installed version, and have everything that was ever acknowledged: no
   * map of a later version was given to anybody. Empty while `installed`. Only they can bring the chunk back if the
   * chain is empty.
   */
  readonly lost: readonly LostReplica[];
  /** Servers that may hold data of this chunk which are of no use; deleted when there are replicas enough. */
  readonly leftovers: readonly CsId[];
}

/** The part of the storage attributes that concerns the replicas of a chunk. */
export type ChunkPolicy = Pick<
  StorageAttributes,
  "replicas" | "replicasMinimum" | "failureDomain" | "tier" | "chunkBytes"
>;

export interface ReplicaRecord {
  readonly csId: CsId;
  readonly syncing: boolean;
  /** It starts empty with the installation under way. */
  readonly create: boolean;
  /** With `syncing`: it kept its contents, and needs only its dirty regions. */
  readonly keepContents: boolean;
  /** With `keepContents`: it missed versions, and what it keeps is worth nothing before it is filled. */
  readonly isBehind?: boolean | undefined;
}

/** A replica that was complete at that version (the last installed one) when it dropped out. */
export interface LostReplica {
  readonly csId: CsId;
  readonly version: ChunkVersion;
  /** Its place in the chain of that version, from 0 at the head; those that joined since come behind. */
  readonly position: number;
}

/**
 * The chunks of this file have to be gone through in the background, by `sweepChunks`: those that a truncation cut
 * off are dropped, the others take over the file's storage attributes.
 */
export interface SweepRecord {
  readonly ino: InodeNumber;
  /** Grows when there is more to do: a sweep that began before must be begun again. */
  readonly sequence: number;
  readonly cuts: readonly Cut[];
}

/** Chunks of an index from `firstIndex` up, with an id up to `lastChunkId`, were cut off by a truncation. */
export interface Cut {
  readonly firstIndex: number;
  readonly lastChunkId: ChunkId;
}

/** How many chunks have a replica (in the chain or lost) on a server. Exact, unlike `CsRecord.replicaCount`. */
export interface CsCountRecord {
  readonly csId: CsId;
  readonly chunkCount: number;
}

/** How many chunks have this minimum number of replicas. */
export interface MinimumCountRecord {
  readonly replicasMinimum: number;
  readonly chunkCount: number;
}

export type CsActivity = "active" | "inactive" | "offline";
export type CsAdministration = "normal" | "releasing" | "failed" | "dropped";

export interface CsRecord {
  readonly csId: CsId;
  readonly hostId: string;
  /** `room.row.rack` */
  readonly location: string;
  readonly tier: number;
  readonly address: string;
  readonly incarnation: number;
  readonly activity: CsActivity;
  /** When the activity changed, leader's stamp. */
  readonly activitySinceMs: number;
  /** When it last dropped out of a chain because it failed, leader's stamp to about a second; 0: never. */
  readonly failedMs: number;
  readonly administration: CsAdministration;
  /** As last reported, rounded to 1 GiB or 1 % so that it seldom changes: placement must be deterministic. */
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly replicaCount: number;
  readonly flags: string;
  /** The process that was taken in last; absent: none since the metadata were recovered. */
  readonly run?: string | undefined;
  /** It was stopped in order then, leader's stamp, and has not come back: `cs-maintenance.ts`. */
  readonly maintenanceSinceMs?: number | undefined;
}

export interface MdsRecord {
  readonly mdsId: number;
  readonly address: string;
  readonly hostId: string;
}

export interface ConfigRecord {
  readonly name: string;
  readonly value: string;
  readonly sequence: number;
}

export interface EventRecordStored {
  readonly number: number;
  readonly wallMs: number;
  readonly system: "MDS" | "JRN" | "CS" | "CLN";
  readonly severity: "info" | "warn" | "err";
  readonly message: string;
}

export type { FailureDomain };
