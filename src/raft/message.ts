import type { Brand } from "../base/index.js";

/** A member of the group. A positive integer, given out once and never again, also not after a removal. */
export type RaftId = Brand<number, "RaftId">;

/** Vouches that the number is an id that the cluster has given out. */
export function raftId(value: number): RaftId {
  return value as RaftId;
}

/**
 * `command` carries a proposal, `membership` a whole new `Membership`, `empty` is what a new leader appends so
 * that it can commit something of its own term.
 */
export type EntryType = "command" | "membership" | "empty";

/** One place in the replicated log. Two entries with the same index and term are the same entry. */
export interface Entry {
  /** From 1, without gaps. */
  readonly index: number;
  /** Of the leader that created it. */
  readonly term: number;
  readonly type: EntryType;
  /** Opaque for commands, `encodeMembership` for memberships, empty otherwise. */
  readonly data: Uint8Array;
}

/** A `learner` receives the log but neither votes nor counts for a commit. */
export type MemberRole = "voter" | "learner";

export interface Member {
  readonly id: RaftId;
  /** Where its peers reach it, `IP:PORT`. Opaque to consensus. */
  readonly address: string;
  readonly role: MemberRole;
}

/** Who takes part, ordered by id. Every membership entry holds all of it, so that one entry is enough to know. */
export interface Membership {
  readonly members: readonly Member[];
}

/** What must be on disk before a promise that depends on it leaves this node. */
export interface HardState {
  /** Highest term seen. Never goes back. */
  readonly term: number;
  /** Whom this node voted for in `term`. At most one, ever. */
  readonly vote: RaftId | undefined;
  /** Known to be committed. May lag behind the truth; need not be synced. */
  readonly commit: number;
}

/** A place in the log with all that is needed to go on from there without the entries before it. */
export interface SnapshotMeta {
  /** The last entry that is part of the snapshot; 0 for the empty beginning. */
  readonly index: number;
  /** The term of that entry. */
  readonly term: number;
  /** The latest membership at or before `index`. */
  readonly membership: Membership;
}

interface Addressed {
  readonly from: RaftId;
  readonly to: RaftId;
  /** The sender's term; for `pre_vote` and a granted `pre_vote_reply` the term that the candidate would take. */
  readonly term: number;
}

/** "Would you vote for me?" Changes nothing at the receiver, so that a cut-off node cannot raise everybody's term. */
export interface PreVote extends Addressed {
  readonly type: "pre_vote";
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export interface PreVoteReply extends Addressed {
  readonly type: "pre_vote_reply";
  readonly granted: boolean;
}

/** "Vote for me." */
export interface Vote extends Addressed {
  readonly type: "vote";
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** The leader itself asked for this election: the receiver need not protect the leader's lease. */
  readonly transfer: boolean;
}

export interface VoteReply extends Addressed {
  readonly type: "vote_reply";
  readonly granted: boolean;
}

/** Entries that follow `previousIndex`. Without entries it only tells the commit index or probes. */
export interface Append extends Addressed {
  readonly type: "append";
  readonly previousIndex: number;
  readonly previousTerm: number;
  readonly entries: readonly Entry[];
  /** The leader's commit index. */
  readonly commit: number;
}

export interface AppendReply extends Addressed {
  readonly type: "append_reply";
  readonly rejected: boolean;
  /** Accepted: the sender's log equals the leader's up to here and is durable. Rejected: `previousIndex` of the append. */
  readonly index: number;
  /** Rejected: the highest place where the logs may still agree. */
  readonly hintIndex: number;
  /** Rejected: the sender's term at `hintIndex`. */
  readonly hintTerm: number;
}

/** Keeps the followers quiet and counts who still follows. */
export interface Heartbeat extends Addressed {
  readonly type: "heartbeat";
  /** What the receiver may take as committed: never more than it is known to hold. */
  readonly commit: number;
  /** Numbered per leader and term; the reply repeats it. Reads and the lease wait for a quorum at a round. */
  readonly round: number;
}

export interface HeartbeatReply extends Addressed {
  readonly type: "heartbeat_reply";
  readonly round: number;
}

/**
 * The receiver is too far behind for the log. Only a reference: the sending shell opens the snapshot and streams
 * its bytes; the receiving shell restores them and only then gives this message to its core.
 */
export interface Snapshot extends Addressed {
  readonly type: "snapshot";
  /** As it leaves the core: the least that is useful. The shell replaces it by what it really opened. */
  readonly snapshot: SnapshotMeta;
}

/** The leader tells the member it chose to start an election now. */
export interface TimeoutNow extends Addressed {
  readonly type: "timeout_now";
}

/** Everything that members say to each other. Maps one to one onto `RaftMessage` of `proto/raft.proto`. */
export type RaftMessage =
  | PreVote
  | PreVoteReply
  | Vote
  | VoteReply
  | Append
  | AppendReply
  | Heartbeat
  | HeartbeatReply
  | Snapshot
  | TimeoutNow;
