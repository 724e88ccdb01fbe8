import type { FailureCode } from "../base/index.js";
import type { ChunkId, ChunkMap, ChunkVersion, CsId } from "../chunk/index.js";
import type { ClientLoad } from "./admin.js";
import type { Attributes, DirectoryEntry, FailureDomain, Timestamp } from "./attributes.js";
import type { Coherence, Invalidate, Invalidated } from "./coherence.js";
import type { ChangedTogether, ChangeTogether } from "./early-changes.js";
import type { MarkAccessed, OpenAhead, OpenedAhead } from "./file-batches.js";
import type { InodeNumber, SessionId } from "./ids.js";
import type { AwaitLock, ForgetLockWait, LockFree, LockState, SetLock, TestLock } from "./locks.js";
import type { InlineContents, Settled, SettleFiles } from "./settlements.js";

/**
 * What a client asks of the metadata service over its session, one stream for everything.
 *
 * Names are bytes, anything but `/` and NUL. Permission bits are not checked here: the kernel does that on a
 * mount (default_permissions), and the library acts as root.
 */

/** First message of a stream. `sessionId` 0 begins a session; another resumes it after a lost connection. */
export interface Hello {
  readonly clusterId: string;
  readonly sessionId: number;
  /** Shown to operators. */
  readonly hostname: string;
  readonly protocolVersion: number;
  /** What the client is, for `top`: `mount`, `library`, `command`. */
  readonly program: string;
  /**
   * It keeps what it was told of names and attributes, answers `invalidate`, and has dropped everything it kept before
   * it says hello again. Decided by the hello that begins the session.
   */
  readonly caches?: boolean | undefined;
  /**
   * It answers mutations early; the number of those that the MDS has not answered yet: until it has, nobody else is
   * answered anything. Absent: it does not.
   */
  readonly earlyCount?: number | undefined;
  /** The highest level of a cluster that it knows. Absent: the first. */
  readonly level?: number | undefined;
}

/**
 * Every mutation is named by (session, sequence): repeated after a lost answer, it gets the same answer, failures
 * too. Trying again after a failure is a new mutation with a new sequence; only `busy` is not kept. The sequence is at
 * most 4096 greater than `answeredBelow`.
 */
export interface MutationId {
  /** From 1, one more for each mutation of the session. */
  readonly sequence: number;
  /** Answers below this sequence have arrived, and may be forgotten; but for those of `unanswered`. */
  readonly answeredBelow: number;
  /** The few below it that wait for long, ascending; at most 1024. */
  readonly unanswered: readonly number[];
  /** It is not carried out before that mutation of the session was: refused with `busy` till then. */
  readonly after?: number | undefined;
  /** Its caller was answered early, as of this time (milliseconds since 1970), which its outcome has. */
  readonly stampMs?: number | undefined;
}

/** How a file is open, and what its lease allows. */
export type Access = "read" | "write" | "exclusive";

/**
 * A lease on a file's contents, held by a session.
 * - `read`: any number of holders; contents and size may be cached.
 * - `exclusive`: one holder, who alone reads and writes; it may cache, and reports size and times later.
 * - `shared`: readers and writers together; no caching; size and times are the MDS's.
 *
 * For one sequence kinds only go down, so a grant of a sequence under which the client came down already is old news.
 * A lease goes up only with another open, under a new sequence. `lease_lost` concerns the sequence of the request: if
 * the client holds a newer one by now, it goes on with that.
 */
export type LeaseKind = "none" | "read" | "exclusive" | "shared";

export interface Lookup {
  readonly parent: InodeNumber;
  /** `.` and `..` are understood. */
  readonly name: Uint8Array;
}
export interface GetAttributes {
  readonly ino: InodeNumber;
  /**
   * For a read or write of its contents under way: is answered although another session has not yet acknowledged an
   * invalidation of these attributes.
   */
  readonly forData?: boolean | undefined;
}
export interface ResolvePath {
  /** From the root; symbolic links are followed, the last one only with `followLast`. */
  readonly path: Uint8Array;
  readonly followLast: boolean;
  /** Size and times of a file may be older than what its writer was acknowledged: the writer is not asked. */
  readonly mayBeStale: boolean;
}
export interface ReadDirectory {
  readonly ino: InodeNumber;
  /** Entries after that name, in byte order; empty for the beginning. `.` and `..` are not among them. */
  readonly after: Uint8Array;
  readonly limit: number;
  readonly withAttributes: boolean;
}
export interface ReadSymlink {
  readonly ino: InodeNumber;
}
export interface GetXattr {
  readonly ino: InodeNumber;
  readonly name: Uint8Array;
}
export interface ListXattrs {
  readonly ino: InodeNumber;
}
/** For a client that holds a lease. Chunks never written are not among the answers. */
export interface GetChunkMaps {
  readonly ino: InodeNumber;
  readonly firstIndex: number;
  readonly count: number;
}

/** Creates anything but a hard link: the type bits of `mode` say what. */
export interface Create {
  readonly id: MutationId;
  readonly parent: InodeNumber;
  readonly name: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  /** Of a symbolic link. */
  readonly target: Uint8Array;
  /** Opens the new file at once. An existing one is opened too unless `mustBeNew`. */
  readonly open?: Access | undefined;
  readonly mustBeNew: boolean;
  /** Permission bits to be left out, unless the directory has a default ACL, which then decides. Absent: none. */
  readonly umask?: number | undefined;
  /**
   * A regular file without a name, as O_TMPFILE makes it: `name` is empty, `open` is set, `parent` gives it what files
   * inherit. It is gone with its last close unless `link` gives it a name.
   */
  readonly unnamed?: boolean | undefined;
  /** The number that the new inode gets, one reserved for the session; its first lease gets the one that goes with it. */
  readonly ino?: InodeNumber | undefined;
}
/** Numbers for inodes that this session will create, and for the first leases on them. Nobody else ever gets them. */
export interface ReserveNumbers {
  readonly id: MutationId;
  /** At most `RESERVED_MAX`. */
  readonly count: number;
}
export const RESERVED_MAX = 4096;
export interface Link {
  readonly id: MutationId;
  readonly ino: InodeNumber;
  readonly parent: InodeNumber;
  readonly name: Uint8Array;
}
export interface Remove {
  readonly id: MutationId;
  readonly parent: InodeNumber;
  readonly name: Uint8Array;
  /** rmdir rather than unlink. */
  readonly directory: boolean;
}
export interface Rename {
  readonly id: MutationId;
  readonly fromParent: InodeNumber;
  readonly fromName: Uint8Array;
  readonly toParent: InodeNumber;
  readonly toName: Uint8Array;
  readonly mode: "replace" | "no_replace" | "exchange";
}
/** Only the fields that are present change. A change of size goes through `truncate`. */
export interface SetAttributes {
  readonly id: MutationId;
  readonly ino: InodeNumber;
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** A missing time with its `Now` flag means the MDS's time. */
  readonly atime?: Timestamp | undefined;
  readonly mtime?: Timestamp | undefined;
  readonly atimeNow: boolean;
  readonly mtimeNow: boolean;
  /**
   * Takes set-user-ID, set-group-ID where the group may execute, and `security.capability` away. A change of owner does
   * so anyway. If that is all there is to do and there is nothing to take, nothing changes, no time either.
   */
  readonly killPrivileges?: boolean | undefined;
  /** Somebody read it: the access time moves on as with `relatime`, and nothing else does. Alone. See `MarkAccessed`. */
  readonly accessed?: boolean | undefined;
}
/**
 * Sets the size. What lay beyond reads as zeros ever after. Needs no open; others who cache the file come down to
 * `shared` first. The session itself must have no writes of the cut range under way.
 */
export interface Truncate {
  readonly id: MutationId;
  readonly ino: InodeNumber;
  readonly sizeBytes: number;
  /** As in `SetAttributes`. */
  readonly killPrivileges?: boolean | undefined;
}
export interface SetXattr {
  readonly id: MutationId;
  readonly ino: InodeNumber;
  readonly name: Uint8Array;
  readonly value: Uint8Array;
  readonly mode: "any" | "create" | "replace";
  /** With an access ACL: set-group-ID goes too. */
  readonly killSetgid?: boolean | undefined;
}
export interface RemoveXattr {
  readonly id: MutationId;
  readonly ino: InodeNumber;
  readonly name: Uint8Array;
}
/** Only the fields that are present change. */
export interface SetStorage {
  readonly id: MutationId;
  readonly ino: InodeNumber;
  readonly replicas?: number | undefined;
  readonly replicasMinimum?: number | undefined;
  readonly failureDomain?: FailureDomain | undefined;
  readonly tier?: number | undefined;
  readonly chunkBytes?: number | undefined;
  readonly clientSsdCache?: boolean | undefined;
  readonly exclusive?: boolean | undefined;
}
/** Waits until the lease can be had (others are recalled), or refuses where one writer is demanded. */
export interface Open {
  readonly id: MutationId;
  readonly ino: InodeNumber;
  readonly access: Access;
}
/** Ends one open. A file without names whose last open ends is gone. */
export interface Close {
  readonly id: MutationId;
  readonly ino: InodeNumber;
  readonly access: Access;
}
/**
 * What a writer knows about its file. Under an exclusive lease size and times are taken as they are; under a
 * shared one the size only grows. `leaseSequence` must be the one granted, else `lease_lost`.
 */
export interface ReportFile {
  readonly id: MutationId;
  readonly ino: InodeNumber;
  readonly leaseSequence: number;
  readonly sizeBytes: number;
  readonly mtime: Timestamp;
  /**
   * Answer of a recall: from now on the holder has no more than this. `none` gives up all opens: they only keep the
   * file alive until they are closed. Absent, or the kind it has already: it keeps what it has.
   */
  readonly downgradeTo?: LeaseKind | undefined;
  /** Of the recall that this answers. */
  readonly ask?: number | undefined;
  /** So many bytes were written since the last report, those written twice counted twice. For the space it takes. */
  readonly writtenBytes?: number | undefined;
  /** Bytes became zeros, which does not move the end, wherever it is: `sizeBytes` is 0. */
  readonly zeroed?: boolean | undefined;
  /** What a write reached under a shared lease, in each chunk that it was in; `sizeBytes` is the farthest. At most `WRITTEN_CHUNKS_MAX`. */
  readonly written: readonly WrittenChunk[];
}
/** What a truncation has cut off since does not make the file longer: it carried the chunk to a later version. */
export interface WrittenChunk {
  readonly chunkId: ChunkId;
  /** Under which the chunk servers carried it out. */
  readonly version: ChunkVersion;
  /** In the file. */
  readonly endBytes: number;
}
export const WRITTEN_CHUNKS_MAX = 256;
/**
 * Makes room for an append at the end of a file under a `shared` lease, where nobody else knows the end: the size grows
 * at once, and the answer says where the room begins. Rooms never overlap, whoever asks. Until the bytes are written
 * there, and for ever if they never are, readers see zeros. A truncation in between makes of the append an ordinary
 * write at that offset. An exclusive holder knows the end itself, and is refused (`invalid`).
 */
export interface Extend {
  readonly id: MutationId;
  readonly ino: InodeNumber;
  readonly leaseSequence: number;
  readonly lengthBytes: number;
}
/**
 * The map for writing a chunk, which is created if it was never written. Waits for space and replicas. Under each new
 * lease sequence a chunk must be asked for so before it is written, even if its map is known from elsewhere: only then
 * it is fenced should the session die.
 */
export interface AllocateChunk {
  readonly id: MutationId;
  readonly ino: InodeNumber;
  readonly leaseSequence: number;
  readonly index: number;
}
/** A replica failed under that version. Answered with the new map, once there is one. */
export interface ReportChunk {
  readonly ino: InodeNumber;
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
  /** The member that failed; 0 if the client only found its map stale. */
  readonly csId: CsId;
  readonly code: FailureCode;
}
/** The client has dropped its map of that chunk, as `chunkMapChanged` demanded. */
export interface MapDropped {
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
}
/** Ends all leases that other sessions hold on that file, at once and for good. */
export interface Revoke {
  readonly id: MutationId;
  readonly ino: InodeNumber;
}

/** Requests that change nothing. */
export type MetadataQuery =
  | { readonly type: "lookup"; readonly body: Lookup }
  | { readonly type: "getAttributes"; readonly body: GetAttributes }
  | { readonly type: "resolvePath"; readonly body: ResolvePath }
  | { readonly type: "readDirectory"; readonly body: ReadDirectory }
  | { readonly type: "readSymlink"; readonly body: ReadSymlink }
  | { readonly type: "getXattr"; readonly body: GetXattr }
  | { readonly type: "listXattrs"; readonly body: ListXattrs }
  | { readonly type: "statFilesystem"; readonly body: Record<string, never> }
  | { readonly type: "getChunkMaps"; readonly body: GetChunkMaps }
  | { readonly type: "testLock"; readonly body: TestLock };

/** Requests that go through the log, and have a `MutationId`. */
export type MetadataMutation =
  | { readonly type: "create"; readonly body: Create }
  | { readonly type: "link"; readonly body: Link }
  | { readonly type: "remove"; readonly body: Remove }
  | { readonly type: "rename"; readonly body: Rename }
  | { readonly type: "setAttributes"; readonly body: SetAttributes }
  | { readonly type: "truncate"; readonly body: Truncate }
  | { readonly type: "setXattr"; readonly body: SetXattr }
  | { readonly type: "removeXattr"; readonly body: RemoveXattr }
  | { readonly type: "setStorage"; readonly body: SetStorage }
  | { readonly type: "open"; readonly body: Open }
  | { readonly type: "openAhead"; readonly body: OpenAhead }
  | { readonly type: "markAccessed"; readonly body: MarkAccessed }
  | { readonly type: "close"; readonly body: Close }
  | { readonly type: "reportFile"; readonly body: ReportFile }
  | { readonly type: "settleFiles"; readonly body: SettleFiles }
  | { readonly type: "reserveNumbers"; readonly body: ReserveNumbers }
  | { readonly type: "changeTogether"; readonly body: ChangeTogether }
  | { readonly type: "allocateChunk"; readonly body: AllocateChunk }
  | { readonly type: "revoke"; readonly body: Revoke }
  | { readonly type: "extend"; readonly body: Extend }
  | { readonly type: "setLock"; readonly body: SetLock };

/** Renews the lease, and says for operators what the client has done. */
export interface KeepAlive {
  readonly load?: ClientLoad | undefined;
}

/** Requests about the session itself and about faults; the MDS decides what to log. */
export type SessionRequest =
  | { readonly type: "hello"; readonly body: Hello }
  | { readonly type: "keepAlive"; readonly body: KeepAlive }
  | { readonly type: "reportChunk"; readonly body: ReportChunk }
  | { readonly type: "mapDropped"; readonly body: MapDropped }
  | { readonly type: "invalidated"; readonly body: Invalidated }
  | { readonly type: "awaitLock"; readonly body: AwaitLock }
  | { readonly type: "forgetLockWait"; readonly body: ForgetLockWait }
  /** Ends the session in order: leases and opens are given back. */
  | { readonly type: "goodbye"; readonly body: Record<string, never> };

export type MetadataRequest = SessionRequest | MetadataQuery | MetadataMutation;

export interface Welcome {
  readonly sessionId: SessionId;
  /** The session ends if the MDS hears nothing for that long. */
  readonly leaseMs: number;
  /** Which MDS this is, for `connected to MDS#N`. */
  readonly mdsId: number;
  /** False: the session named in the hello had ended; its leases and opens are gone, this is a new one. */
  readonly resumed: boolean;
  readonly clusterName: string;
  /** Of the cluster. Absent: the first. */
  readonly level?: number | undefined;
}
/** A lease as granted; `sequence` is 0 with kind `none`. */
export interface LeaseGrant {
  readonly kind: LeaseKind;
  readonly sequence: number;
}
/** Of lookup, getAttributes, resolvePath, link, setAttributes, truncate, setStorage, reportFile. */
export interface Entry {
  readonly attributes: Attributes;
  /** Of truncate: as in `Opened`. */
  readonly inline?: InlineContents | undefined;
}
/** Of create and open. */
export interface Opened {
  readonly attributes: Attributes;
  readonly lease: LeaseGrant;
  /** Of create: the file did not exist before. */
  readonly created: boolean;
  /** As of the moment of the answer. Absent if the file has chunks, or the lease is not `exclusive` or `read` then. */
  readonly inline?: InlineContents | undefined;
}
export interface Entries {
  readonly entries: readonly DirectoryEntry[];
  readonly isEnd: boolean;
}
/** Of readSymlink and getXattr. */
export interface Value {
  readonly value: Uint8Array;
}
export interface XattrNames {
  readonly names: readonly Uint8Array[];
}
/** Logical bytes: what can be stored at the root's number of replicas. */
export interface FilesystemStatistics {
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly fileCount: number;
  readonly inodesFree: number;
}
/** Of extend: where the room begins, and the attributes with the new size. */
export interface Extended {
  readonly offset: number;
  readonly attributes: Attributes;
}
/** Of reserveNumbers: the inode numbered `firstInode + i` has `firstLease + i`. */
export interface Numbers {
  readonly firstInode: InodeNumber;
  readonly firstLease: number;
  readonly count: number;
  /** As `bytesMax` of the contents of a new file; 0: none are kept in the metadata. */
  readonly inlineBytesMax: number;
}
/** Of getChunkMaps, allocateChunk, reportChunk. */
export interface ChunkMaps {
  readonly maps: readonly ChunkMap[];
  /** Of getChunkMaps: the whole contents of the file are these bytes, then zeros up to its size. */
  readonly inline?: Uint8Array | undefined;
}
export type MetadataReply = AnyReply & { readonly coherence?: Coherence | undefined };

type AnyReply =
  | { readonly type: "welcome"; readonly body: Welcome }
  | { readonly type: "ok"; readonly body: Record<string, never> }
  | { readonly type: "entry"; readonly body: Entry }
  | { readonly type: "opened"; readonly body: Opened }
  | { readonly type: "openedAhead"; readonly body: OpenedAhead }
  | { readonly type: "entries"; readonly body: Entries }
  | { readonly type: "value"; readonly body: Value }
  | { readonly type: "xattrNames"; readonly body: XattrNames }
  | { readonly type: "filesystem"; readonly body: FilesystemStatistics }
  | { readonly type: "chunkMaps"; readonly body: ChunkMaps }
  | { readonly type: "extended"; readonly body: Extended }
  | { readonly type: "settled"; readonly body: Settled }
  | { readonly type: "numbers"; readonly body: Numbers }
  | { readonly type: "changedTogether"; readonly body: ChangedTogether }
  | { readonly type: "lockState"; readonly body: LockState };

/**
 * The holder must stop what `to` does not allow, write back, and answer with a `reportFile` that has `to` as its
 * `downgradeTo`. It does so at once, even while it waits for an open of the same file.
 * - `to` is `exclusive`, which the holder has already: it goes on, and only reports size and times as of now, or
 *   later. Somebody asks for them; the number of the `ask` is in the report.
 * - `to` is `none`: the lease was revoked. Nothing may be written any more, nothing is answered.
 * A push with another sequence than the holder's is out of date and is ignored.
 */
export interface RecallLease {
  readonly ino: InodeNumber;
  readonly leaseSequence: number;
  readonly to: LeaseKind;
  /** Different for every push that asks for size and times, whichever MDS it is from. */
  readonly ask?: number | undefined;
}
/** Older maps of this chunk must not be used any more, not even for a read under way; answer: `mapDropped`. */
export interface ChunkMapChanged {
  readonly ino: InodeNumber;
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
}

/** What the MDS says unasked. */
/** All metadata servers of the cluster: said after the welcome, and whenever it has changed. */
export interface MdsServers {
  /** `IP:PORT` for clients. */
  readonly addresses: readonly string[];
  /** Of the cluster. Absent: the first. */
  readonly level?: number | undefined;
}

export type MetadataPush =
  | { readonly type: "recallLease"; readonly body: RecallLease }
  | { readonly type: "chunkMapChanged"; readonly body: ChunkMapChanged }
  | { readonly type: "invalidate"; readonly body: Invalidate }
  | { readonly type: "mdsServers"; readonly body: MdsServers }
  | { readonly type: "lockFree"; readonly body: LockFree }
  /** The session is over: revoked, or its MDS stops leading. `leaseLost` files cannot be written back. */
  | { readonly type: "sessionEnded"; readonly body: { readonly reason: string } };
