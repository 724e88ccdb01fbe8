import { startElection } from "./election.js";
import { decodeMembership, MembershipHistory } from "./membership.js";
import type { Append, AppendReply, Entry, Heartbeat, Snapshot, SnapshotMeta } from "./message.js";
import { isElectable, type Node, resetElectionTimer } from "./node.js";

/** The side of the one who follows. Every message here is of this node's term, from the only leader of it. */

/** Puts entries at the end of this node's log; memberships among them take effect at once. */
export function appendToLog(node: Node, entries: readonly Entry[]): void {
  const first = entries[0];
  if (first === undefined) return;
  node.history.truncate(first.index);
  node.log.append(entries);
  for (const entry of entries) {
    if (entry.type === "membership") node.history.append(entry.index, decodeMembership(entry.data));
  }
}

/** The leader is alive: its protection starts anew. */
export function heardLeader(node: Node): void {
  resetElectionTimer(node);
  node.ticksSinceLeader = 0;
}

export function onAppend(node: Node, message: Append): void {
  const { log } = node;
  const reply = { from: node.config.id, to: message.from, term: node.term };
  if (message.previousIndex < log.commit) {
    // A late one: what is committed agrees with every leader, and more need not be said.
    node.outboxAfterPersist.push(accepting(reply, log.commit));
    return;
  }
  if (!log.matches(message.previousIndex, message.previousTerm)) {
    const hint = log.lastAtMost(message.previousIndex, message.previousTerm);
    const { index: hintIndex, term: hintTerm } = hint;
    const index = message.previousIndex;
    node.outbox.push({ type: "append_reply", ...reply, rejected: true, index, hintIndex, hintTerm });
    return;
  }
  // Only what differs is replaced: a late, short append must not cut off what came after it.
  const known = message.entries.findIndex((entry) => !log.matches(entry.index, entry.term));
  if (known !== -1) appendToLog(node, message.entries.slice(known));
  const lastNew = message.previousIndex + message.entries.length;
  log.commitTo(Math.min(message.commit, lastNew));
  node.outboxAfterPersist.push(accepting(reply, lastNew));
}

function accepting(reply: Pick<AppendReply, "from" | "to" | "term">, index: number): AppendReply {
  return { type: "append_reply", ...reply, rejected: false, index, hintIndex: 0, hintTerm: 0 };
}

/** The reply promises protection (kept in memory only) and nothing about the disk. */
export function onHeartbeat(node: Node, message: Heartbeat): void {
  node.log.commitTo(Math.min(message.commit, node.log.lastIndex));
  node.outbox.push({
    type: "heartbeat_reply",
    from: node.config.id,
    to: message.from,
    term: node.term,
    round: message.round,
  });
}

/** The shell has restored it (see `onRestored`); the leader learns how far this node is. */
export function onSnapshot(node: Node, message: Snapshot): void {
  node.outboxAfterPersist.push({
    type: "append_reply",
    from: node.config.id,
    to: message.from,
    term: node.term,
    rejected: false,
    index: node.log.commit,
    hintIndex: 0,
    hintTerm: 0,
  });
}

/** The state machine now is at that place. The log follows: it starts anew there, unless it holds the place. */
export function onRestored(node: Node, meta: SnapshotMeta): void {
  if (meta.index <= node.log.commit || node.log.matches(meta.index, meta.term)) {
    node.log.skipTo(meta.index);
    return;
  }
  node.log.restore(meta);
  node.history = new MembershipHistory(meta);
}

/** The leader wants this node to take over, so nobody needs to be asked beforehand. */
export function onTimeoutNow(node: Node): void {
  if (isElectable(node)) startElection(node, true);
}
