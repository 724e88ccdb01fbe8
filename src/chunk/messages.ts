import type { Checksums } from "./checksums.js";
import type { ChainMember } from "./chunk-map.js";
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

/** Payload: the bytes. Sent to the head by clients, to the next server by servers (then whole blocks only). */
export interface WriteChunk extends Addressed, WriteId {
  readonly offset: number;
  /** Of the payload. */
  readonly checksums: Checksums;
}

/** Makes a range read as zeros and gives its space back where whole blocks allow. Ordered like a write. */
export interface ZeroChunk extends Addressed, WriteId {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** Reply: payload and checksums. Beyond what was written there are zeros. */
export interface ReadChunk extends Addressed {
  readonly offset: number;
  readonly lengthBytes: number;
  /** Of a resynchronising server: lower priority, and blocks never written may be left out (checksum 0). */
  readonly background: boolean;
}

/** Makes everything acknowledged so far safe from loss of power, on this server and all after it. */
export type SyncChunk = Addressed;

/** How far the chunk was ever written, and which regions hold data. */
export type DescribeChunk = Addressed;

export type ChunkRequest =
  | { readonly type: "write"; readonly body: WriteChunk }
  | { readonly type: "zero"; readonly body: ZeroChunk }
  | { readonly type: "read"; readonly body: ReadChunk }
  | { readonly type: "sync"; readonly body: SyncChunk }
  | { readonly type: "describe"; readonly body: DescribeChunk };

export interface ChunkDescription {
  /** End of the last byte ever written and not truncated since. */
  readonly highWaterBytes: number;
  /** One bit per region (1 MiB), lowest bit first: set if the region holds data. */
  readonly regions: Uint8Array;
}

export type ChunkReply =
  /** Of write, zero, sync. */
  | { readonly type: "done"; readonly body: Record<string, never> }
  /** Of read, with payload. */
  | { readonly type: "data"; readonly body: { readonly checksums: Checksums } }
  | { readonly type: "description"; readonly body: ChunkDescription };

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
   * With `syncing`: the replica's own contents are right up to the version before, except in its dirty regions:
   * only those are fetched.
   */
  readonly keepContents: boolean;
}

/** Forgets a replica of exactly that version or older; a missing one is success. */
export type DeleteReplica = Addressed;

export type CsCommand =
  | { readonly type: "install"; readonly body: InstallChunk }
  | { readonly type: "deleteReplica"; readonly body: DeleteReplica };
