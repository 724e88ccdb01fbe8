import type { Clock, Kv, Random } from "../io/index.js";
import {
  type Member,
  type MemberRole,
  RAFT_DEFAULTS,
  type RaftId,
  type RaftMessage,
  type RaftSettings,
  type Snapshot,
} from "../raft/index.js";

/** An entry as the state machine sees it. */
export interface AppliedEntry {
  readonly index: number;
  readonly term: number;
  /** Empty for the group's own entries (elections, membership): they only move the applied index on. */
  readonly data: Uint8Array;
}

export interface OpenSnapshot {
  /** The last entry that the snapshot contains, and its term. */
  readonly index: number;
  readonly term: number;
  /** A consistent picture at that entry, whatever is applied meanwhile. Read once, or abandoned with `return()`. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** What a replica replicates. Deterministic: the same entries give the same state and results everywhere. */
export interface StateMachine {
  /** The last entry that its recovered state contains; 0 when it is new. Asked once, at start. */
  appliedIndex(): number;
  /**
   * Applies entries in the order of their indexes, without gaps, at once, and returns one result for each (undefined
   * for the empty ones). What it throws is a bug and stops the replica.
   */
  apply(entries: readonly AppliedEntry[]): readonly unknown[];
  /** Makes everything applied before the call safe from loss of power and resolves with the index of the last of it. */
  persistUpTo(): Promise<number>;
  openSnapshot(): Promise<OpenSnapshot>;
  /**
   * Replaces the whole state. All or nothing and durable: if it rejects, or the process dies in the middle, the
   * old state with the old applied index is found again. Nothing is applied while it runs.
   */
  restoreSnapshot(index: number, term: number, bytes: AsyncIterable<Uint8Array>): Promise<void>;
}

/** How replicas reach each other. Messages may get lost, doubled, late and out of order. */
export interface RaftTransport {
  /** Fire and forget. A receiver that cannot be reached, or whose queue is full, loses the messages. */
  send(to: RaftId, messages: readonly RaftMessage[]): void;
  /** Resolves when the receiver's snapshot handler has resolved, rejects when it failed or the connection broke. */
  sendSnapshot(to: RaftId, message: Snapshot, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /** Called once, before anything is sent. The message's `from` has been checked against the peer's identity. */
  onMessage(handler: (message: RaftMessage) => void): void;
  onSnapshot(handler: (message: Snapshot, bytes: AsyncIterable<Uint8Array>) => Promise<void>): void;
  /** Tells where the members live: at start, and whenever the membership in the log changed. This node is among them. */
  setMembers(members: readonly Member[]): void;
}

/** The part of a logger that a replica uses. */
export interface ReplicaLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

export interface ReplicaConfig extends RaftSettings {
  readonly id: RaftId;
  /** Proposals and reads that may wait on this node; beyond it they fail with `busy`. Default 4096. */
  readonly maxWaiting: number;
  /** Entries kept behind the applied ones, so that a follower that was away for a moment needs no snapshot. Default 10000. */
  readonly keepEntries: number;
  /** Compaction happens when this many entries could go. Default 10000. */
  readonly compactEntries: number;
  /** The same in bytes of their data: what is more goes, however few entries it is. Default 96 MiB. */
  readonly keepBytes: number;
  /** Compaction happens when this many bytes could go. Default 32 MiB. */
  readonly compactBytes: number;
  /** Where to reach the group before this node's own log tells: what a joining node was told. Default none. */
  readonly peers: readonly Member[];
  /** How long a proposal of a lost leadership waits to learn its outcome before it fails with `unavailable`, in ms. Default 2000. */
  readonly outcomeWaitMs: number;
}

/** Everything but the id. */
export const REPLICA_DEFAULTS: Omit<ReplicaConfig, "id"> = {
  ...RAFT_DEFAULTS,
  maxWaiting: 4096,
  keepEntries: 10_000,
  compactEntries: 10_000,
  keepBytes: 96 << 20,
  compactBytes: 32 << 20,
  peers: [],
  outcomeWaitMs: 2000,
};

/** The world of a replica. */
export interface ReplicaWorld {
  readonly clock: Clock;
  /** A store of its own for the log. The replica closes it. */
  readonly kv: Kv;
  readonly random: Random;
  readonly log?: ReplicaLog | undefined;
}

export interface Leadership {
  readonly isLeader: boolean;
  readonly term: number;
  readonly leaderId: RaftId | undefined;
}

/** One member as its leader sees it. */
export interface MemberStatus {
  readonly id: RaftId;
  readonly address: string;
  readonly role: MemberRole;
  /** Highest entry that it is known to hold durably. Only the leader knows; 0 elsewhere. */
  readonly matchIndex: number;
  /** Heard of within an election timeout. Only the leader knows. */
  readonly isActive: boolean;
  /** Close enough to the end of the log to be given a vote. */
  readonly isCaughtUp: boolean;
  /** Snapshots that this leader has begun to send to it. */
  readonly snapshotCount: number;
}

export interface ReplicaStatus extends Leadership {
  readonly id: RaftId;
  readonly role: "follower" | "pre_candidate" | "candidate" | "leader";
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  /** Sole truth about membership: the latest in the log, committed or not. */
  readonly members: readonly MemberStatus[];
}

/** What a replica tells its owner. */
export interface ReplicaEvents {
  readonly leadershipChanged: (leadership: Leadership) => void;
  readonly membersChanged: (members: readonly Member[]) => void;
  readonly failed: (error: unknown) => void;
}
