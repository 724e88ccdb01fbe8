import type { Prng } from "../base/index.js";
import type { RaftConfig } from "./config.js";
import type { RaftLog } from "./log.js";
import { isVoter, type MembershipHistory, votersOf } from "./membership.js";
import type { HardState, RaftId, RaftMessage } from "./message.js";
import type { Progress } from "./progress.js";
import type { Reads } from "./reads.js";
import type { ReadState, Role, SoftState } from "./ready.js";

/** What only a leader has. Made new for every leadership. */
export interface Leading {
  readonly progress: Map<RaftId, Progress>;
  readonly reads: Reads;
  /** Reads that came before the leader had committed anything in its term. */
  readonly earlyReads: number[];
  /** Its first entry. What is committed before it says nothing about what earlier leaders committed. */
  readonly firstIndex: number;
  /** Proposals that wait for a commit: last index and size. */
  readonly uncommitted: { readonly index: number; readonly bytes: number }[];
  uncommittedBytes: number;
  /** Removed members that still get the log for some ticks, so that they learn of their removal. */
  readonly departing: Map<RaftId, { readonly address: string; ticksLeft: number }>;
  transfer: { readonly to: RaftId; ticksLeft: number; isSent: boolean } | undefined;
  /** What to tell the followers when the next Ready is taken: many proposals become one append. */
  broadcast: "nothing" | "entries" | "commit";
  quorumTicks: number;
  /** Ticks for which the others have had on disk what this leader has not. */
  slowDiskTicks: number;
  heartbeatTicks: number;
}

/**
 * The state of one member, shared by the files of this room that each hold one side of its behaviour: `election`,
 * `leading`, `following`. Nobody outside the room sees it.
 */
export interface Node {
  readonly config: RaftConfig;
  readonly prng: Prng;
  readonly log: RaftLog;
  history: MembershipHistory;
  term: number;
  vote: RaftId | undefined;
  role: Role;
  leaderId: RaftId | undefined;
  /** Present exactly when the role is `leader`. */
  leading: Leading | undefined;
  /** Answers in the election under way. */
  votes: Map<RaftId, boolean>;
  /** This candidate's vote for itself, which counts when it is durable: the Ready that carries it, once taken. */
  ownVote: { readonly term: number; readyNumber: number | undefined } | undefined;
  /** Whether the election under way was asked for by the leader. */
  isTransferElection: boolean;
  /** Ticks since the election timer was reset. */
  electionTicks: number;
  electionTimeoutTicks: number;
  /**
   * Ticks since a leader was heard, or since the start: after a restart nobody remembers whom this node has promised
   * to protect, so it protects anybody for the full time.
   */
  ticksSinceLeader: number;
  /** Monotonic time, as last told. */
  nowMs: number;
  readonly outbox: RaftMessage[];
  readonly outboxAfterPersist: RaftMessage[];
  readonly readStates: ReadState[];
  readonly abortedReads: number[];
  handedHardState: HardState;
  handedSoftState: SoftState | undefined;
  /** Number of the last Ready that was taken. */
  readyNumber: number;
}

/**
 * Whether this member may stand for election. Also who has been removed, as long as that is not committed: perhaps it
 * is the only one that holds the entry, and nobody whose log is shorter could win (Ongaro's thesis, 4.2.2). It does
 * not count itself then.
 */
export function isElectable(node: Node): boolean {
  const { history, log, config } = node;
  if (isVoter(history.latest, config.id)) return true;
  return history.latestIndex > log.commit && isVoter(history.at(history.latestIndex - 1), config.id);
}

/** The ids whose majority decides, by the latest membership in the log. */
export function voters(node: Node): RaftId[] {
  return votersOf(node.history.latest);
}

export function otherVoters(node: Node): RaftId[] {
  return voters(node).filter((id) => id !== node.config.id);
}

/**
 * Whether nobody else needs to be asked, nor waited for. Not while that membership is not committed: a leader that has
 * just appended its own removal may still lead, and read under its lease.
 */
export function isSurelySoleVoter(node: Node): boolean {
  const { history, log, config } = node;
  if (!isVoter(history.latest, config.id) || voters(node).length > 1) return false;
  return history.latestIndex <= log.commit;
}

export function resetElectionTimer(node: Node): void {
  node.electionTicks = 0;
  node.electionTimeoutTicks = node.prng.between(node.config.electionTicksMin, node.config.electionTicksMax);
}

/**
 * Whether this node has promised not to help anybody else to the leadership. Replies to heartbeats make this promise,
 * the leader's lease lives of it, so it outlives a change of term and even (see `ticksSinceLeader`) a restart.
 * Ticks never come early, but the first may come right after the heartbeat: hence one tick less in `leaseMs`.
 */
export function isProtectingLeader(node: Node): boolean {
  return node.role === "leader" || node.ticksSinceLeader < node.config.electionTicksMin;
}

/** How long after the sending of a confirmed round a leader can be sure that there is no other. */
export function leaseMs(config: RaftConfig): number {
  return (config.electionTicksMin - 1) * config.tickMs * (1 - config.clockDrift);
}
