import { assert, unreachable } from "../base/index.js";
import { becomeFollower, onPreVote, onPreVoteReply, onVote, onVoteReply } from "./election.js";
import { heardLeader, onAppend, onHeartbeat, onSnapshot, onTimeoutNow } from "./following.js";
import { onAppendReply, onHeartbeatReply } from "./leading.js";
import type { RaftId, RaftMessage } from "./message.js";
import { isProtectingLeader, type Node } from "./node.js";

/** The rules of terms, which come before everything else that a message may say. */
export function receive(node: Node, message: RaftMessage): void {
  if (message.term > node.term && !admitNewTerm(node, message)) return;
  if (message.term < node.term) answerOldTerm(node, message);
  else dispatch(node, message);
}

/** False if the message must not be looked at. */
function admitNewTerm(node: Node, message: RaftMessage): boolean {
  switch (message.type) {
    case "pre_vote":
      return true;
    case "pre_vote_reply":
      if (!message.granted) becomeFollower(node, message.term, undefined);
      return true;
    case "vote":
      if (isProtectingLeader(node) && !message.transfer) return false;
      becomeFollower(node, message.term, undefined);
      return true;
    case "append":
    case "heartbeat":
    case "snapshot":
      becomeFollower(node, message.term, message.from);
      return true;
    default:
      becomeFollower(node, message.term, undefined);
      return true;
  }
}

/** Tells a leader or candidate of the past which term it is, or it could never come back. */
function answerOldTerm(node: Node, message: RaftMessage): void {
  const reply = { from: node.config.id, to: message.from, term: node.term };
  if (message.type === "append" || message.type === "heartbeat" || message.type === "snapshot") {
    node.outbox.push({ type: "append_reply", ...reply, rejected: true, index: 0, hintIndex: 0, hintTerm: 0 });
  } else if (message.type === "pre_vote") {
    node.outbox.push({ type: "pre_vote_reply", ...reply, granted: false });
  }
}

function dispatch(node: Node, message: RaftMessage): void {
  switch (message.type) {
    case "pre_vote":
      onPreVote(node, message);
      break;
    case "pre_vote_reply":
      onPreVoteReply(node, message);
      break;
    case "vote":
      onVote(node, message);
      break;
    case "vote_reply":
      onVoteReply(node, message);
      break;
    case "append_reply":
      if (node.leading !== undefined) onAppendReply(node, node.leading, message);
      break;
    case "heartbeat_reply":
      if (node.leading !== undefined) onHeartbeatReply(node, node.leading, message);
      break;
    case "append":
      followSender(node, message.from);
      onAppend(node, message);
      break;
    case "heartbeat":
      followSender(node, message.from);
      onHeartbeat(node, message);
      break;
    case "snapshot":
      followSender(node, message.from);
      onSnapshot(node, message);
      break;
    case "timeout_now":
      if (node.role !== "leader") onTimeoutNow(node);
      break;
    default:
      unreachable(message);
  }
}

/** Only the leader of a term sends appends, heartbeats and snapshots in it. */
function followSender(node: Node, from: RaftId): void {
  assert(node.leaderId === undefined || node.leaderId === from, "a term has at most one leader");
  if (node.role !== "follower" || node.leaderId === undefined) becomeFollower(node, node.term, from);
  heardLeader(node);
}
