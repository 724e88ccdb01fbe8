import { assert, type Prng } from "../base/index.js";
import { assertSettings, type RaftConfig } from "./config.js";
import { askAgain, countOwnVote, startElection, startPreVote } from "./election.js";
import { onRestored } from "./following.js";
import {
  appendOwn,
  continueTransfer,
  flushBroadcast,
  followMembership,
  maybeCommit,
  requestRead,
  tickLeader,
} from "./leading.js";
import { RaftLog } from "./log.js";
import {
  changeMembership,
  encodeMembership,
  isVoter,
  type MembershipChange,
  type MembershipHistory,
  memberOf,
} from "./membership.js";
import type { HardState, Member, Membership, RaftId, RaftMessage, SnapshotMeta } from "./message.js";
import { isSurelySoleVoter, type Leading, type Node, resetElectionTimer } from "./node.js";
import type { LogReader, Outcome, Ready, Refusal, Role, SoftState } from "./ready.js";
import { receive } from "./receive.js";

/** What a node finds on its disk. */
export interface RaftStart {
  readonly reader: LogReader;
  readonly hardState: HardState;
  readonly history: MembershipHistory;
  /** The last entry that the recovered state machine contains. */
  readonly applied: number;
}

/** One member as its leader sees it. */
export interface ProgressStatus {
  readonly match: number;
  readonly isActive: boolean;
  readonly isCaughtUp: boolean;
}

/**
 * One member of a group that agrees on a log.
 *
 * Pure: calls go in, one `Ready` comes out, nothing happens by itself. `nowMs` is monotonic time, read for this very
 * call; only the lease uses it. `tick` must not be called more often than every `tickMs`; later is always safe.
 */
export class Raft {
  readonly #node: Node;

  constructor(config: RaftConfig, start: RaftStart, prng: Prng) {
    assertSettings(config);
    const log = new RaftLog(start.reader, start.hardState.commit, start.applied);
    this.#node = {
      config,
      prng,
      log,
      history: start.history,
      term: start.hardState.term,
      vote: start.hardState.vote,
      role: "follower",
      leaderId: undefined,
      leading: undefined,
      votes: new Map(),
      ownVote: undefined,
      isTransferElection: false,
      electionTicks: 0,
      electionTimeoutTicks: 0,
      ticksSinceLeader: 0,
      nowMs: Number.NEGATIVE_INFINITY,
      outbox: [],
      outboxAfterPersist: [],
      readStates: [],
      abortedReads: [],
      handedHardState: { ...start.hardState, commit: log.commit },
      handedSoftState: undefined,
      readyNumber: 0,
    };
    resetElectionTimer(this.#node);
  }

  get id(): RaftId {
    return this.#node.config.id;
  }

  get term(): number {
    return this.#node.term;
  }

  get role(): Role {
    return this.#node.role;
  }

  get leaderId(): RaftId | undefined {
    return this.#node.leaderId;
  }

  get commitIndex(): number {
    return this.#node.log.commit;
  }

  get appliedIndex(): number {
    return this.#node.log.applied;
  }

  get lastIndex(): number {
    return this.#node.log.lastIndex;
  }

  get firstIndex(): number {
    return this.#node.log.start.index + 1;
  }

  /** The latest membership in the log, committed or not: the one in effect. */
  get membership(): Membership {
    return this.#node.history.latest;
  }

  /** Where the membership in effect stands in the log. It is final once committed. */
  get membershipIndex(): number {
    return this.#node.history.latestIndex;
  }

  /**
   * Everybody this node may have to reach: the members; while a removal is not committed also who is being removed,
   * who may be the leader that waits for the answers; and on a leader those that are just leaving.
   */
  get peers(): readonly Member[] {
    const { history, log, leading } = this.#node;
    const isFinal = history.latestIndex <= log.commit;
    const before = isFinal ? [] : history.at(history.latestIndex - 1).members;
    const leaving = [...(leading?.departing ?? [])].map(
      ([id, { address }]): Member => ({ id, address, role: "learner" }),
    );
    const peers = new Map<RaftId, Member>();
    for (const member of [...leaving, ...before, ...history.latest.members]) peers.set(member.id, member);
    return [...peers.values()];
  }

  /** Time passes. */
  tick(nowMs: number): void {
    const node = this.#node;
    node.nowMs = Math.max(node.nowMs, nowMs);
    if (node.leading !== undefined) {
      tickLeader(node, node.leading);
      return;
    }
    node.ticksSinceLeader++;
    node.electionTicks++;
    if (node.role === "follower" && isSurelySoleVoter(node)) {
      startElection(node, false);
    } else if (node.role === "candidate" && node.ownVote !== undefined) {
      // The disk is slower than the election: starting over would make it slower still.
      return;
    } else if (node.electionTicks >= node.electionTimeoutTicks) {
      startPreVote(node);
    } else if (node.role !== "follower" && node.electionTicks % node.config.heartbeatTicks === 0) {
      askAgain(node);
    }
  }

  /** A message of another member arrived. */
  step(message: RaftMessage, nowMs: number): void {
    const node = this.#node;
    node.nowMs = Math.max(node.nowMs, nowMs);
    if (message.to === node.config.id && message.from !== node.config.id) receive(node, message);
  }

  /** Appends commands, all or none. They are committed when `committed` shows their places with the same term. */
  propose(commands: readonly Uint8Array[]): Outcome {
    const node = this.#node;
    const { leading } = node;
    const refusal = this.#refusal(leading);
    if (refusal !== undefined || leading === undefined) return refuse(refusal ?? "not_leader");
    if (leading.uncommittedBytes > node.config.maxUncommittedBytes) return refuse("too_much_uncommitted");
    const index = appendOwn(node, leading, "command", commands);
    return { ok: true, position: { index, term: node.term } };
  }

  #refusal(leading: Leading | undefined): Refusal | undefined {
    if (leading === undefined) return "not_leader";
    return leading.transfer === undefined ? undefined : "transferring";
  }

  /** Changes the membership by one member; see `MembershipChange` for why only one. */
  proposeMembership(change: MembershipChange): Outcome {
    const node = this.#node;
    const { leading, log, history } = node;
    const refusal = this.#refusal(leading);
    if (refusal !== undefined || leading === undefined) return refuse(refusal ?? "not_leader");
    if (log.commit < leading.firstIndex) return refuse("leader_too_new");
    if (history.latestIndex > log.commit) return refuse("change_pending");
    const next = changeMembership(history.latest, change);
    if (typeof next === "string") return refuse(next);
    if (change.type === "promote" && !this.progressOf(change.id)?.isCaughtUp) return refuse("learner_behind");
    const leaving = change.type === "remove" ? memberOf(history.latest, change.id) : undefined;
    if (leaving !== undefined && leaving.id !== node.config.id) {
      const ticksLeft = 2 * node.config.electionTicksMax;
      leading.departing.set(leaving.id, { address: leaving.address, ticksLeft });
    }
    const index = appendOwn(node, leading, "membership", [encodeMembership(next)]);
    followMembership(node, leading, index);
    return { ok: true, position: { index, term: node.term } };
  }

  /** Asks for a linearizable read point; the answer comes as a read state or an aborted read. False: not the leader. */
  readIndex(context: number, nowMs: number): boolean {
    const node = this.#node;
    node.nowMs = Math.max(node.nowMs, nowMs);
    if (node.leading === undefined) return false;
    requestRead(node, node.leading, context);
    return true;
  }

  /** Hands the leadership to that voter; proposals are refused until it worked or an election timeout has passed. */
  transferLeadership(to: RaftId): Refusal | undefined {
    const node = this.#node;
    const refusal = this.#refusal(node.leading);
    if (refusal !== undefined || node.leading === undefined) return refusal ?? "not_leader";
    if (to === node.config.id || !isVoter(node.history.latest, to)) return "not_voter";
    node.leading.transfer = { to, ticksLeft: node.config.electionTicksMax, isSent: false };
    continueTransfer(node, node.leading);
    return undefined;
  }

  /** Whether a handover of the leadership is under way. */
  get isTransferring(): boolean {
    return this.#node.leading?.transfer !== undefined;
  }

  /** The shell opened the snapshot that a snapshot message asked for, at that place. */
  snapshotOpened(to: RaftId, index: number): void {
    const progress = this.#node.leading?.progress.get(to);
    if (progress?.state === "snapshot") progress.startSnapshot(index);
  }

  /** The transfer to that member has ended. */
  snapshotEnded(to: RaftId, isRestored: boolean): void {
    this.#node.leading?.progress.get(to)?.endSnapshot(isRestored);
  }

  /** Whether a snapshot of that place would lead this node forward. Only then may the shell restore it. */
  wantsSnapshot(message: { readonly term: number; readonly snapshot: SnapshotMeta }): boolean {
    return message.term >= this.#node.term && message.snapshot.index > this.#node.log.commit;
  }

  /**
   * The state machine has been restored to that place; while that ran, nothing was applied. To be called before the
   * snapshot message is given to `step`, and whatever became of the sender meanwhile: it is a fact.
   */
  restored(meta: SnapshotMeta): void {
    onRestored(this.#node, meta);
  }

  /** Entries up to here may be removed from the log: not more than was applied, nor what a receiver of a snapshot needs. */
  get compactionLimit(): number {
    let limit = this.#node.log.applied;
    for (const progress of this.#node.leading?.progress.values() ?? []) {
      if (progress.state === "snapshot") limit = Math.min(limit, progress.snapshotIndex);
    }
    return limit;
  }

  /** The membership that was in effect at that place; it belongs into a snapshot of that place. */
  membershipAt(index: number): Membership {
    return this.#node.history.at(index);
  }

  /** The shell removed the entries up to there. */
  compacted(index: number): void {
    this.#node.history.compact(index);
  }

  /** What this leader knows of a member; undefined for others and on followers. */
  progressOf(id: RaftId): ProgressStatus | undefined {
    const node = this.#node;
    if (node.leading === undefined) return undefined;
    if (id === node.config.id) return { match: node.log.stable, isActive: true, isCaughtUp: true };
    const progress = node.leading.progress.get(id);
    if (progress === undefined) return undefined;
    const isCaughtUp =
      progress.state === "replicate" && node.log.lastIndex - progress.match <= node.config.caughtUpEntries;
    return { match: progress.match, isActive: progress.isActive, isCaughtUp };
  }

  /** Whether `ready` has something to say. */
  get hasReady(): boolean {
    const node = this.#node;
    return (
      node.outbox.length > 0 ||
      node.outboxAfterPersist.length > 0 ||
      (node.leading !== undefined && node.leading.broadcast !== "nothing") ||
      node.log.hasUnwritten ||
      node.log.hasUnapplied ||
      node.readStates.length > 0 ||
      node.abortedReads.length > 0 ||
      this.#newHardState() !== undefined ||
      this.#newSoftState() !== undefined
    );
  }

  /** Takes what is to be done. Every Ready that was taken must be carried out; see `Ready` for the order. */
  ready(): Ready {
    const node = this.#node;
    flushBroadcast(node);
    const number = ++node.readyNumber;
    const hardState = this.#newHardState();
    const hasPromise =
      hardState !== undefined &&
      (hardState.term !== node.handedHardState.term || hardState.vote !== node.handedHardState.vote);
    const softState = this.#newSoftState();
    const { snapshot, entries } = node.log.takeUnwritten(number);
    if (hardState !== undefined) node.handedHardState = hardState;
    if (softState !== undefined) node.handedSoftState = softState;
    if (node.ownVote !== undefined) node.ownVote.readyNumber ??= number;
    return {
      number,
      messages: node.outbox.splice(0),
      snapshot,
      hardState,
      entries,
      mustSync: hasPromise || snapshot !== undefined || entries.length > 0,
      messagesAfterPersist: node.outboxAfterPersist.splice(0),
      committed: node.log.takeUnapplied(node.config.maxApplyBytes),
      readStates: node.readStates.splice(0),
      abortedReads: node.abortedReads.splice(0),
      softState,
    };
  }

  #newHardState(): HardState | undefined {
    const { term, vote, log, handedHardState: handed } = this.#node;
    if (term === handed.term && vote === handed.vote && log.commit === handed.commit) return undefined;
    return { term, vote, commit: log.commit };
  }

  #newSoftState(): SoftState | undefined {
    const { role, term, leaderId, handedSoftState: handed } = this.#node;
    if (role === handed?.role && term === handed.term && leaderId === handed.leaderId) return undefined;
    return { role, term, leaderId };
  }

  /** Everything to persist of that Ready and of all before it is durable. */
  persisted(readyNumber: number, nowMs: number): void {
    const node = this.#node;
    node.nowMs = Math.max(node.nowMs, nowMs);
    assert(readyNumber <= node.readyNumber, "only what was taken can be persisted");
    node.log.persisted(readyNumber);
    const { ownVote } = node;
    if (ownVote?.readyNumber !== undefined && ownVote.readyNumber <= readyNumber) countOwnVote(node);
    if (node.leading !== undefined) maybeCommit(node, node.leading);
  }

  /** The state machine has applied what was committed up to there. */
  applied(index: number): void {
    this.#node.log.appliedTo(index);
  }
}

function refuse(refusal: Refusal): Outcome {
  return { ok: false, refusal };
}
