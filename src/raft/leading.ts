import { assert } from "../base/index.js";
import { becomeFollower } from "./election.js";
import { appendToLog } from "./following.js";
import { isVoter, memberOf } from "./membership.js";
import type { AppendReply, Entry, EntryType, HeartbeatReply, RaftId } from "./message.js";
import { type Leading, leaseMs, type Node, voters } from "./node.js";
import { Progress } from "./progress.js";
import { majorityValue } from "./quorum.js";
import { Reads } from "./reads.js";

/** The side of the one who leads: replication, commit, heartbeats, the check of its own quorum. */

export function becomeLeader(node: Node): void {
  node.role = "leader";
  node.leaderId = node.config.id;
  node.votes = new Map();
  node.leading = {
    progress: new Map(),
    reads: new Reads(leaseMs(node.config)),
    earlyReads: [],
    firstIndex: node.log.lastIndex + 1,
    uncommitted: [],
    uncommittedBytes: 0,
    departing: new Map(),
    transfer: undefined,
    broadcast: "nothing",
    quorumTicks: 0,
    slowDiskTicks: 0,
    heartbeatTicks: 0,
  };
  followMembership(node, node.leading, node.log.lastIndex + 1);
  // Its append tells everybody who leads: no heartbeat is needed.
  appendOwn(node, node.leading, "empty", [new Uint8Array(0)]);
}

/** Appends new entries of this term. They go out with the next Ready. Returns the index of the first. */
export function appendOwn(
  node: Node,
  leading: Leading,
  type: EntryType,
  data: readonly Uint8Array[],
): number {
  const first = node.log.lastIndex + 1;
  const entries: Entry[] = data.map((bytes, i) => ({
    index: first + i,
    term: node.term,
    type,
    data: bytes,
  }));
  appendToLog(node, entries);
  const bytes = data.reduce((sum, item) => sum + item.length, 0);
  leading.uncommitted.push({ index: node.log.lastIndex, bytes });
  leading.uncommittedBytes += bytes;
  if (leading.broadcast === "nothing") leading.broadcast = "entries";
  return first;
}

/** The membership in the log changed: keeps one `Progress` for each other member; new ones are sent `next` first. */
export function followMembership(node: Node, leading: Leading, next: number): void {
  const { latest } = node.history;
  for (const { id } of latest.members) {
    if (id === node.config.id || leading.progress.has(id)) continue;
    const progress = new Progress(next, node.config.maxInflight);
    progress.isRecentlyActive = true;
    leading.progress.set(id, progress);
  }
  for (const id of leading.progress.keys()) {
    const isGone = memberOf(latest, id) === undefined && !leading.departing.has(id);
    if (isGone) leading.progress.delete(id);
  }
  if (leading.transfer !== undefined && memberOf(latest, leading.transfer.to) === undefined) {
    leading.transfer = undefined;
  }
}

/** Tells everybody what is new. Taken once per Ready. */
export function flushBroadcast(node: Node): void {
  const { leading } = node;
  if (leading === undefined || leading.broadcast === "nothing") return;
  const evenIfEmpty = leading.broadcast === "commit";
  leading.broadcast = "nothing";
  for (const to of leading.progress.keys()) {
    if (sendAppend(node, leading, to, evenIfEmpty)) sendMore(node, leading, to);
  }
}

/** Sends on until the window is full or there is no more. */
function sendMore(node: Node, leading: Leading, to: RaftId): void {
  while (sendAppend(node, leading, to, false));
}

/** One append (or the wish for a snapshot) to that member. False if it may not be sent, or would say nothing. */
function sendAppend(node: Node, leading: Leading, to: RaftId, evenIfEmpty: boolean): boolean {
  const progress = leading.progress.get(to);
  if (progress === undefined || progress.isPaused) return false;
  const previousIndex = progress.next - 1;
  const previousTerm = node.log.termAt(previousIndex);
  if (previousTerm === undefined) return askForSnapshot(node, progress, to);
  const end = progress.mayCarryEntries ? node.log.lastIndex + 1 : progress.next;
  const entries = node.log.entries(progress.next, end, node.config.maxMessageBytes);
  if (entries.length === 0 && !evenIfEmpty) return false;
  node.outbox.push({
    type: "append",
    from: node.config.id,
    to,
    term: node.term,
    previousIndex,
    previousTerm,
    entries,
    commit: node.log.commit,
  });
  progress.sent(entries.at(-1)?.index);
  return true;
}

/** The entries it needs are compacted away. Who seems dead is not worth a snapshot. */
function askForSnapshot(node: Node, progress: Progress, to: RaftId): boolean {
  if (!progress.isRecentlyActive) return false;
  const index = node.log.applied;
  const term = node.log.termAt(index);
  assert(term !== undefined, "compaction keeps the place of the last applied entry");
  progress.startSnapshot(index);
  const snapshot = { index, term, membership: node.history.at(index) };
  node.outbox.push({ type: "snapshot", from: node.config.id, to, term: node.term, snapshot });
  return true;
}

export function onAppendReply(node: Node, leading: Leading, message: AppendReply): void {
  const progress = leading.progress.get(message.from);
  if (progress === undefined) return;
  progress.isRecentlyActive = true;
  if (message.rejected) {
    const hint = node.log.lastAtMost(message.hintIndex, message.hintTerm).index;
    if (progress.rejected(message.index, hint)) sendAppend(node, leading, message.from, true);
    return;
  }
  const wasPaused = progress.isPaused;
  if (!progress.accepted(message.index)) return;
  maybeCommit(node, leading);
  if (node.leading !== leading) return;
  // It may have missed the commit index while it was paused.
  if (wasPaused && leading.broadcast !== "commit") sendAppend(node, leading, message.from, true);
  sendMore(node, leading, message.from);
  continueTransfer(node, leading);
}

export function onHeartbeatReply(node: Node, leading: Leading, message: HeartbeatReply): void {
  const progress = leading.progress.get(message.from);
  if (progress === undefined) return;
  progress.isRecentlyActive = true;
  progress.resume();
  const isBehind = progress.match < node.log.lastIndex || progress.state === "probe";
  if (isBehind) sendAppend(node, leading, message.from, true);
  if (message.round <= progress.ackedRound) return;
  progress.ackedRound = message.round;
  confirmReads(node, leading);
}

/** Moves the commit index to what a majority has on disk: this leader's own disk is one vote among the others. */
export function maybeCommit(node: Node, leading: Leading): void {
  const index = majorityValue(voters(node), (id) =>
    id === node.config.id ? node.log.stable : (leading.progress.get(id)?.match ?? 0),
  );
  // An older leader's entry may still be replaced although a majority has it (Raft paper, figure 8).
  if (node.log.termAt(index) !== node.term) return;
  const previous = node.log.commit;
  if (!node.log.commitTo(index)) return;
  // The others learn of it with the next entries or heartbeat, and apply many at once. Who belongs to the group is news.
  if (node.history.latestIndex > previous) leading.broadcast = "commit";
  while (leading.uncommitted[0] !== undefined && leading.uncommitted[0].index <= index) {
    leading.uncommittedBytes -= leading.uncommitted.shift()?.bytes ?? 0;
  }
  for (const context of leading.earlyReads.splice(0)) requestRead(node, leading, context);
  leaveIfRemoved(node);
}

/** A leader that is no voter any more leads until everybody can know, and no longer. */
function leaveIfRemoved(node: Node): void {
  if (isVoter(node.history.latest, node.config.id) || node.history.latestIndex > node.log.commit) return;
  flushBroadcast(node);
  becomeFollower(node, node.term, undefined);
}

/** A read at this moment's commit index: at once inside the lease, else after the next round of heartbeats. */
export function requestRead(node: Node, leading: Leading, context: number): void {
  if (node.log.commit < leading.firstIndex) {
    leading.earlyReads.push(context);
    return;
  }
  if (leading.reads.hasLease(node.nowMs)) {
    node.readStates.push({ context, index: node.log.commit });
    return;
  }
  leading.reads.wait(context, node.log.commit);
  if (!leading.reads.isRoundUnderWay) sendHeartbeats(node, leading);
}

/** A new round to everybody. */
export function sendHeartbeats(node: Node, leading: Leading): void {
  const round = leading.reads.startRound(node.nowMs);
  leading.heartbeatTicks = 0;
  for (const [to, progress] of leading.progress) {
    const commit = Math.min(progress.match, node.log.commit);
    node.outbox.push({ type: "heartbeat", from: node.config.id, to, term: node.term, commit, round });
  }
  confirmReads(node, leading);
}

function confirmReads(node: Node, leading: Leading): void {
  const { reads } = leading;
  const round = majorityValue(voters(node), (id) =>
    id === node.config.id ? reads.round : (leading.progress.get(id)?.ackedRound ?? 0),
  );
  node.readStates.push(...reads.confirm(round));
  if (reads.needsRound && !reads.isRoundUnderWay) sendHeartbeats(node, leading);
}

/** A tick of a leader. */
export function tickLeader(node: Node, leading: Leading): void {
  for (const [id, departing] of leading.departing) {
    if (--departing.ticksLeft > 0) continue;
    leading.departing.delete(id);
    leading.progress.delete(id);
  }
  if (leading.transfer !== undefined && --leading.transfer.ticksLeft <= 0) leading.transfer = undefined;
  if (++leading.quorumTicks >= node.config.electionTicksMax && !hasActiveQuorum(node, leading)) {
    becomeFollower(node, node.term, undefined);
    return;
  }
  if (isHeldUpByItsDisk(node, leading)) {
    becomeFollower(node, node.term, undefined);
    return;
  }
  if (++leading.heartbeatTicks >= node.config.heartbeatTicks) sendHeartbeats(node, leading);
}

/**
 * A leader that cannot write commits by the disks of the others, but applies nothing and so answers nobody. After some
 * time it makes way for one that can.
 */
function isHeldUpByItsDisk(node: Node, leading: Leading): boolean {
  const isBehind = node.log.stable < node.log.commit;
  leading.slowDiskTicks = isBehind ? leading.slowDiskTicks + 1 : 0;
  return leading.slowDiskTicks >= node.config.slowDiskTicks;
}

/** CheckQuorum: a leader that a majority does not answer steps down, so that its clients look elsewhere. */
function hasActiveQuorum(node: Node, leading: Leading): boolean {
  leading.quorumTicks = 0;
  const isActive = (id: RaftId): boolean =>
    id === node.config.id || leading.progress.get(id)?.isRecentlyActive === true;
  const hasQuorum = majorityValue(voters(node), (id) => (isActive(id) ? 1 : 0)) === 1;
  for (const progress of leading.progress.values()) progress.beginPeriod();
  return hasQuorum;
}

/** Hands the leadership over as soon as the chosen one has the whole log. */
export function continueTransfer(node: Node, leading: Leading): void {
  const { transfer } = leading;
  if (transfer === undefined || transfer.isSent) return;
  const progress = leading.progress.get(transfer.to);
  if (progress === undefined || progress.match < node.log.lastIndex) return;
  transfer.isSent = true;
  leading.reads.giveUpLease();
  node.outbox.push({ type: "timeout_now", from: node.config.id, to: transfer.to, term: node.term });
}
