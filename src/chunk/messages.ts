import type { Checksums } from "./checksums.js";
import type { ChainMember } from "./chunk-map.js";
import type { Extent } from "./extents.js";
import type { ChunkId, ChunkVersion, CsId } from "./ids.js";

/**
 * What is said to a chunk server: by clients and by the previous server of the chain (ChunkRequest), and by
 * the MDS leader (CsCommand). A request's payload travels beside its header, never inside it.
 */

/** Every request names the incarnation it believes in; any other is answered `stale_map`. */
interface Addressed {
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
}

/** Identifies a write for ever, so that a repeated one is applied once. */
export interface WriteId {
  /** The client session that writes. */
  readonly sessionId: number;
  /** Grows by one with every write of the session. */
  readonly sequence: number;
  /** Every write of the session with a smaller sequence was acknowledged: its traces may be dropped. */
  readonly acknowledgedBelow: number;
}

/** Payload: the bytes. Sent by clients to the head, which passes it on as `ForwardWrite`. */
export interface WriteChunk extends Addressed, WriteId {
  readonly offset: number;
  /** Of the payload. */
  readonly checksums: Checksums;
  /** Acknowledged only when it is safe from loss of power on every member, and all acknowledged before it. Default: no. */
  readonly isDurable?: boolean | undefined;
}

/** One write of several places. Payload: their bytes, one behind the other. Sent by clients to the head. */
export interface WriteExtents extends Addressed, WriteId {
  /** Whole blocks, ascending, without overlap. */
  readonly extents: readonly Extent[];
  /** Of the payload, one per block. */
  readonly checksums: Checksums;
}

/** Makes a range read as zeros. Ordered like a write; sent by clients to the head. */
export interface ZeroChunk extends Addressed, WriteId {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Which counter of changes an `order` belongs to. Compared by version, then by incarnation. */
export interface ChainEpoch {
  /** The version under which the counter began. */
  readonly version: ChunkVersion;
  /** Of the process that was the head then. */
  readonly incarnation: number;
}

/**
 * A change of a chunk on its way down the chain, from each server to the next: whole blocks only, in the head's
 * order. docs/protocol-chunk.md says what the fields guarantee. Reply: `done`, or `held`.
 *
 * `write`: the payload is the whole range. `zero`: the range reads as zeros afterwards, no payload. `truncate`: the
 * chunk ends at `endBytes`, the payload is the block that holds the end, or empty if the end is a border of blocks.
 * `extents`: the payload is what the extents are to hold, the range reaches from the first to the last.
 */
export interface ForwardWrite extends Addressed, WriteId {
  readonly kind: ForwardKind;
  readonly epoch: ChainEpoch;
  /** Counts the changes of the chunk, one by one. */
  readonly order: number;
  /** Everything below was acknowledged by the receiver, or by what it was before it restarted. */
  readonly floor: number;
  /** Whole blocks. */
  readonly offset: number;
  readonly lengthBytes: number;
  /** Where the client's bytes end: the high-water mark is counted in bytes. */
  readonly endBytes: number;
  /** Of the payload, one per block. */
  readonly checksums: Checksums;
  /** As in `WriteChunk`. */
  readonly isDurable?: boolean | undefined;
  /** As in `WriteExtents`; empty or absent with every other kind. */
  readonly extents?: readonly Extent[] | undefined;
}

export type ForwardKind = "write" | "zero" | "truncate" | "extents";

/** Answer to a change that will not be acknowledged under this version; the sender keeps it. */
export interface ForwardHeld {
  /** The version at the receiver, 0 if it has no replica. */
  readonly installedVersion: number;
  /** The receiver has the change, but a server after it failed; it has told the MDS. */
  readonly successorFailed: boolean;
}

/** Reply: payload and checksums. Beyond what was written there are zeros. */
export interface ReadChunk extends Addressed {
  readonly offset: number;
  readonly lengthBytes: number;
  /**
   * Of a resynchronising server: lower priority; whole blocks; a block never written has checksum 0 and no bytes in
   * the payload.
   */
  readonly background: boolean;
  /** By another server of the chain, which puts damage right for somebody who waits: it has no ticket. */
  readonly isOfServer?: boolean | undefined;
}

/** Makes everything acknowledged so far safe from loss of power, on this server and all after it. */
export interface SyncChunk extends Addressed {
  /** By the server before in the chain: it is answered `held` where a client is answered a failure. */
  readonly isForwarded?: boolean | undefined;
}

/** How far the chunk was ever written, and which regions hold data. */
export interface DescribeChunk extends Addressed {
  /** By a server that has not taken part since that version: which regions have changed? */
  readonly sinceVersion?: number | undefined;
}

/** Where the first block at or after the offset is that holds data, or with `isHole` none. */
export interface SeekChunk extends Addressed {
  readonly offset: number;
  readonly isHole: boolean;
}

/** What a reader on the same host needs to read whole blocks from the data file itself. */
export interface LocateChunk extends Addressed {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Bytes that match these checksums are what a read would have returned when the answer was given. */
export interface ChunkLocation {
  /** One per block; 0: never written, reads as zeros, whatever the file has there. */
  readonly checksums: Checksums;
  /** Of the data file, as the server sees it: bytes lie where they are in the chunk, zeros beyond its end. */
  readonly path: string;
}

export type ChunkRequest =
  | { readonly type: "write"; readonly body: WriteChunk }
  | { readonly type: "extents"; readonly body: WriteExtents }
  | { readonly type: "zero"; readonly body: ZeroChunk }
  | { readonly type: "read"; readonly body: ReadChunk }
  | { readonly type: "sync"; readonly body: SyncChunk }
  | { readonly type: "describe"; readonly body: DescribeChunk }
  | { readonly type: "forward"; readonly body: ForwardWrite }
  | { readonly type: "seek"; readonly body: SeekChunk }
  | { readonly type: "locate"; readonly body: LocateChunk };

export interface ChunkDescription {
  /** End of the last byte ever written and not truncated since. */
  readonly highWaterBytes: number;
  /** One bit per region (1 MiB), lowest bit first: set if the region holds data. */
  readonly regions: Uint8Array;
  /** One bit per region: set if it was dirty when a process of this server died, so that it may differ from its peers. */
  readonly suspectRegions: Uint8Array;
  /** One bit per region: set if blocks of it are damaged here and in no other member of the chain whole. Absent: none. */
  readonly damagedRegions?: Uint8Array | undefined;
  /** One bit per region: set if it changed after the version that was asked about. Absent: not asked, or not known. */
  readonly changedRegions?: Uint8Array | undefined;
}

export type ChunkReply =
  /** Of write, zero, sync, forward. */
  | { readonly type: "done"; readonly body: ChunkDone }
  /** Of read, with payload. */
  | { readonly type: "data"; readonly body: { readonly checksums: Checksums } }
  | { readonly type: "description"; readonly body: ChunkDescription }
  /** Of forward, and of sync between servers. */
  | { readonly type: "held"; readonly body: ForwardHeld }
  /** Of seek: the offset asked for, or the start of the block; the size of the chunk if there is no such block. */
  | { readonly type: "place"; readonly body: { readonly offset: number } }
  /** Of locate. */
  | { readonly type: "location"; readonly body: ChunkLocation };

export interface ChunkDone {
  /** Of a repeated write: it was carried out before, under that version. Absent: under the one of the request. */
  readonly carriedVersion?: ChunkVersion | undefined;
}

/**
 * Moves a replica to a new incarnation: from then on it refuses older requests. Repeating it changes nothing.
 * The head hands writes of the older incarnation that were not acknowledged down the new chain before it
 * answers; no replica serves reads in between.
 */
export interface InstallChunk extends Addressed {
  /** Size of the chunk at most. */
  readonly chunkBytes: number;
  /** The whole new chain, head first; contains the receiver. */
  readonly chain: readonly ChainMember[];
  /** True: the receiver starts this chunk empty. False: it must have a replica, else the answer is `not_found`. */
  readonly create: boolean;
  /** Everything from here on is to be forgotten. */
  readonly truncateBytes?: number | undefined;
  /** The chain members it must fetch the contents from if it is `syncing`. */
  readonly sources: readonly CsId[];
  /**
   * With `syncing`: the replica's own contents are right up to the version before, except where it or its source was
   * dirty when its process died: only those regions are fetched. A receiver whose version is not the one just
   * before fetches what its source knows to have changed since, or everything.
   */
  readonly keepContents: boolean;
  /** With `create`: the chunk begins with these bytes instead, which are durable before the answer. At most a block. */
  readonly contents?: Uint8Array | undefined;
  /** With `keepContents`: it missed versions under which writes were acknowledged; until it is filled it counts as incomplete. */
  readonly isBehind?: boolean | undefined;
}

/** Forgets a replica of exactly that version or older; a missing one is success. */
export type DeleteReplica = Addressed;

export type CsCommand =
  | { readonly type: "install"; readonly body: InstallChunk }
  | { readonly type: "deleteReplica"; readonly body: DeleteReplica }
  /** Everything is read again from now on. */
  | { readonly type: "startScrub"; readonly body: Record<string, never> };
