import type { Failure, FailureCode } from "../../base/index.js";
import type {
  ChainEpoch,
  ChainMember,
  ChunkRange,
  ChunkVersion,
  CsId,
  ForwardHeld,
  ForwardKind,
  WriteId,
} from "../../chunk/index.js";

/** A change of whole blocks of a chunk as this server keeps it until everybody behind it has it. The payload lies in the shell. */
export interface Change extends ChunkRange {
  /** Of this server's counting, never used twice within a process. */
  readonly id: number;
  readonly writeId: WriteId;
  readonly kind: ForwardKind;
  /** Where the client's bytes end; known once it is in order. */
  endBytes: number;
  /** Its place in the head's order; 0 until it has one. */
  order: number;
  /** Its regions are durably marked dirty here: only then may anybody behind hear of it. */
  isMarked: boolean;
  isStored: boolean;
  /** Everybody behind has it (always true at the tail). */
  isPassed: boolean;
  /** Stored and passed: reads may see it. Stays true when a later incarnation has to pass it again. */
  isAcknowledged: boolean;
  /** Requests to be answered when it is acknowledged. */
  waiters: number[];
}

/** What is known about a replica when its chain starts to work in this process. */
export interface ChainStart {
  readonly selfId: CsId;
  /** Of this process. */
  readonly incarnation: number;
  readonly version: ChunkVersion;
  readonly chain: readonly ChainMember[];
  /** Set if the replica may not serve until it is installed anew, and why. */
  readonly refusal: Failure | undefined;
}

/** A client's change, cut to whole blocks. */
export interface Submission extends ChunkRange {
  readonly writeId: WriteId;
  readonly kind: ForwardKind;
}

export interface ChainInstall {
  readonly version: ChunkVersion;
  readonly chain: readonly ChainMember[];
  /** At the head: cut the chunk there, in order after everything handed over. */
  readonly truncate: { readonly offset: number; readonly lengthBytes: number } | undefined;
}

/** What a waiting request is told. */
export type ChainAnswer =
  | { readonly type: "done" }
  | { readonly type: "held"; readonly body: ForwardHeld }
  | { readonly type: "failed"; readonly failure: Failure };

/** How a forwarded change or sync ended at the successor. */
export type ForwardResult =
  | { readonly type: "done" }
  | { readonly type: "held"; readonly body: ForwardHeld }
  | { readonly type: "failed"; readonly code: FailureCode };

/** What the shell must do, in this order. */
export type ChainEffect =
  /** At the head: mark regions, complete partial blocks; then `prepared` or `abort`. */
  | { readonly type: "prepare"; readonly change: Change }
  /** Behind the head: mark regions; then `marked`. */
  | { readonly type: "mark"; readonly change: Change }
  /** Write to the disk; then `stored`. */
  | { readonly type: "store"; readonly change: Change }
  /** Send to the successor; then `forwarded` with the same attempt. */
  | {
      readonly type: "forward";
      readonly change: Change;
      readonly epoch: ChainEpoch;
      readonly floor: number;
      readonly attempt: number;
    }
  /** The payload is not needed any more. */
  | { readonly type: "release"; readonly change: Change }
  /** Carry out the read, then `readDone`; or the fill, then `fillDone`. */
  | { readonly type: "begin"; readonly operationId: number }
  | { readonly type: "syncLocally"; readonly syncId: number }
  | { readonly type: "forwardSync"; readonly syncId: number; readonly attempt: number }
  | { readonly type: "answer"; readonly requestId: number; readonly answer: ChainAnswer }
  /** Tell the MDS that a member of the chain failed. */
  | {
      readonly type: "report";
      readonly csId: CsId;
      readonly version: ChunkVersion;
      readonly code: FailureCode;
    }
  /** Call `retryLink` with the same attempt after that time. */
  | { readonly type: "retryLater"; readonly delayMs: number; readonly attempt: number };
