import type { Entry, HardState, RaftId, RaftMessage, SnapshotMeta } from "./message.js";

export type Role = "follower" | "pre_candidate" | "candidate" | "leader";

/** What an onlooker may want to know; never persisted. */
export interface SoftState {
  readonly role: Role;
  readonly term: number;
  readonly leaderId: RaftId | undefined;
}

/** A read that may be answered as soon as the entry at `index` has been applied here. */
export interface ReadState {
  readonly context: number;
  readonly index: number;
}

/**
 * What has to be done, in this order:
 *
 * 1. send `messages`: they promise nothing that is not yet on disk;
 * 2. make `snapshot` (the log starts anew there), then `hardState`, then `entries` durable; an entry replaces the
 *    stored one of its index and everything behind it. Call `persisted(ready)`;
 * 3. send `messagesAfterPersist`: votes and acknowledgements, which promise what step 2 wrote;
 * 4. apply `committed` and call `applied(index)`.
 *
 * Further Readys may be taken while step 2 runs, so that the disk, the network and the state machine all work at
 * the same time. Steps 2 and 3 of successive Readys must happen in order (a later Ready's step 3 also waits for
 * the earlier ones' step 2), and so must step 4. `committed` only holds entries that are already durable here, so
 * step 4 needs to wait for nothing.
 */
export interface Ready {
  /** Consecutive from 1. */
  readonly number: number;
  readonly messages: readonly RaftMessage[];
  readonly snapshot: SnapshotMeta | undefined;
  /** Present when it changed. */
  readonly hardState: HardState | undefined;
  readonly entries: readonly Entry[];
  /** Whether step 2 must reach the platters. False when nothing but the commit index changed: any later time will do. */
  readonly mustSync: boolean;
  readonly messagesAfterPersist: readonly RaftMessage[];
  readonly committed: readonly Entry[];
  readonly readStates: readonly ReadState[];
  /** Contexts of reads that this node cannot answer any more because it lost the leadership. */
  readonly abortedReads: readonly number[];
  /** Present when it changed. */
  readonly softState: SoftState | undefined;
}

/** Where a proposal was put. It is committed if an entry with this index and term is. */
export interface Position {
  readonly index: number;
  readonly term: number;
}

/** Why a request was not taken. Nothing has happened then, nor ever will. */
export type Refusal =
  /** Ask the leader. */
  | "not_leader"
  /** The leadership is just being handed over. */
  | "transferring"
  /** Too much is waiting for a commit. */
  | "too_much_uncommitted"
  /** The previous membership change is not committed yet. */
  | "change_pending"
  /** The leader has not yet committed an entry of its own term. */
  | "leader_too_new"
  | "already_member"
  | "not_member"
  | "not_learner"
  | "not_voter"
  /** The learner's log is too far behind to be trusted with a vote. */
  | "learner_behind"
  /** A group without voters could never commit again. */
  | "last_voter";

export type Outcome =
  | { readonly ok: true; readonly position: Position }
  | { readonly ok: false; readonly refusal: Refusal };

/** What the core may read of the durable log. Synchronous; callers never ask beyond what `persisted` has confirmed. */
export interface LogReader {
  /** Where the log begins: the place before the first entry. Moves up when the shell compacts. */
  start(): SnapshotMeta;
  lastIndex(): number;
  /** Term of the entry, of the start itself too; undefined outside of [start, last]. */
  termAt(index: number): number | undefined;
  /** Entries [from, to), of together at most `maxBytes` of data but at least one. */
  entries(from: number, to: number, maxBytes: number): readonly Entry[];
}
