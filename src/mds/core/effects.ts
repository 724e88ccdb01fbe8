import type { ChunkId, ChunkVersion, CsId } from "../../chunk/index.js";
import type { InodeNumber, LeaseKind, SessionId } from "../../meta/index.js";
import type { WaitKey } from "./command.js";

/**
 * What a change of the state calls for in the world. Only the leader carries effects out. None may be lost for
 * good: a new leader finds all unfinished work again in the tables (`outstandingWork`).
 */
export type Effect =
  /** Requests waiting for this may succeed now. */
  | { readonly type: "wake"; readonly key: WaitKey }
  /**
   * Tell the holder to come down. With `to` `none` it is told that it has lost the lease (revoked): no answer is
   * waited for.
   */
  | {
      readonly type: "recallLease";
      readonly sessionId: SessionId;
      readonly ino: InodeNumber;
      readonly leaseSequence: number;
      readonly to: LeaseKind;
    }
  /** A holder answered the ask of that number for size and times (see `HeldAttributes`). */
  | {
      readonly type: "attributesReported";
      readonly ino: InodeNumber;
      readonly sessionId: SessionId;
      readonly ask: number;
    }
  /** Somebody who waits for a lock on that file may get it now. */
  | { readonly type: "locksChanged"; readonly ino: InodeNumber }
  /** Not known to the MDS any more: tell it, if it listens. */
  | { readonly type: "sessionEnded"; readonly sessionId: SessionId; readonly reason: string }
  /** It has more opens than one command gives back: propose `endSession` again, with this reason. */
  | { readonly type: "endSession"; readonly sessionId: SessionId; readonly reason: string }
  /** Drive the installation of this version: commands to all members, maps recalled from lease holders. */
  | {
      readonly type: "install";
      readonly chunkId: ChunkId;
      readonly version: ChunkVersion;
      readonly ino: InodeNumber;
    }
  | {
      readonly type: "deleteReplica";
      readonly csId: CsId;
      readonly chunkId: ChunkId;
      readonly version: ChunkVersion;
    }
  /** The file has neither name nor opens: drop its chunks. */
  | { readonly type: "reclaim"; readonly ino: InodeNumber }
  /** Go through the chunks of that file with `sweepChunks`. */
  | { readonly type: "sweep"; readonly ino: InodeNumber }
  /**
   * A writer died; its chunks are being fenced (install effects follow) and the recovery ends by itself with the last
   * of them. A new leader proposes `finishRecovery`, which ends it if all that was left to do has vanished.
   */
  | { readonly type: "recover"; readonly ino: InodeNumber }
  /** The chunk has fewer replicas than wanted. */
  | { readonly type: "repair"; readonly chunkId: ChunkId }
  /** A server was added, removed, came or went: placement and liveness may look again. */
  | { readonly type: "chunkServersChanged" }
  | { readonly type: "mdsServersChanged" }
  /** The level of the cluster is higher now: clients are told, and who does not know it may not stay. */
  | { readonly type: "levelRaised" }
  | { readonly type: "configChanged"; readonly name: string };
