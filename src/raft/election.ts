import { becomeLeader } from "./leading.js";
import type { PreVote, PreVoteReply, RaftId, Vote, VoteReply } from "./message.js";
import {
  isElectable,
  isProtectingLeader,
  type Node,
  otherVoters,
  resetElectionTimer,
  voters,
} from "./node.js";
import { countVotes } from "./quorum.js";

/**
 * Who leads. At most one per term: a node votes once a term, its vote is durable before it is sent, and the
 * winner has a majority.
 */

/** Takes over the term and follows; ends whatever leadership or candidacy there was. */
export function becomeFollower(node: Node, term: number, leaderId: RaftId | undefined): void {
  if (term !== node.term) {
    node.term = term;
    node.vote = undefined;
  }
  if (node.leading !== undefined) {
    node.abortedReads.push(...node.leading.reads.abort(), ...node.leading.earlyReads);
    node.leading = undefined;
  }
  node.role = "follower";
  node.leaderId = leaderId;
  node.votes = new Map();
  node.ownVote = undefined;
  resetElectionTimer(node);
}

/** Asks whether an election would succeed, without a trace. */
export function startPreVote(node: Node): void {
  resetElectionTimer(node);
  if (!isElectable(node)) return;
  node.role = "pre_candidate";
  node.leaderId = undefined;
  node.votes = new Map([[node.config.id, true]]);
  if (!decidePreVote(node)) askAgain(node);
}

/** Stands for election in the next term. `isTransfer`: on the leader's own wish. */
export function startElection(node: Node, isTransfer: boolean): void {
  resetElectionTimer(node);
  node.term++;
  node.vote = node.config.id;
  node.role = "candidate";
  node.leaderId = undefined;
  node.votes = new Map();
  node.ownVote = { term: node.term, readyNumber: undefined };
  node.isTransferElection = isTransfer;
  askAgain(node);
}

/**
 * Asks those who have not answered: requests get lost, and who still protects the old leader keeps silent.
 *
 * A vote request waits for the disk, like a vote: it speaks for the last entry, and a candidate that lost this entry
 * in a crash must not use the votes it got for it.
 */
export function askAgain(node: Node): void {
  const common = { from: node.config.id, lastIndex: node.log.lastIndex, lastTerm: node.log.lastTerm };
  for (const to of otherVoters(node)) {
    if (node.votes.has(to)) continue;
    if (node.role === "pre_candidate") {
      node.outbox.push({ type: "pre_vote", to, term: node.term + 1, ...common });
    } else {
      const transfer = node.isTransferElection;
      node.outboxAfterPersist.push({ type: "vote", to, term: node.term, transfer, ...common });
    }
  }
}

/** The candidate's own vote is on disk and counts. */
export function countOwnVote(node: Node): void {
  if (node.role !== "candidate" || node.ownVote?.term !== node.term) return;
  node.ownVote = undefined;
  node.votes.set(node.config.id, true);
  decideElection(node);
}

export function onPreVote(node: Node, message: PreVote): void {
  if (isProtectingLeader(node)) return;
  const isNewTerm = message.term > node.term;
  const granted =
    (isNewTerm || mayVoteFor(node, message.from)) && node.log.isUpToDate(message.lastIndex, message.lastTerm);
  node.outbox.push({
    type: "pre_vote_reply",
    from: node.config.id,
    to: message.from,
    term: granted ? message.term : node.term,
    granted,
  });
}

export function onPreVoteReply(node: Node, message: PreVoteReply): void {
  if (node.role !== "pre_candidate") return;
  if (message.granted && message.term !== node.term + 1) return;
  node.votes.set(message.from, message.granted);
  decidePreVote(node);
}

function decidePreVote(node: Node): boolean {
  const result = countVotes(voters(node), node.votes);
  if (result === "won") startElection(node, false);
  else if (result === "lost") becomeFollower(node, node.term, undefined);
  return result !== "open";
}

/** The message's term is this node's. */
export function onVote(node: Node, message: Vote): void {
  const granted = mayVoteFor(node, message.from) && node.log.isUpToDate(message.lastIndex, message.lastTerm);
  if (granted) {
    node.vote = message.from;
    resetElectionTimer(node);
  }
  node.outboxAfterPersist.push({
    type: "vote_reply",
    from: node.config.id,
    to: message.from,
    term: node.term,
    granted,
  });
}

function mayVoteFor(node: Node, candidate: RaftId): boolean {
  return node.vote === candidate || (node.vote === undefined && node.leaderId === undefined);
}

export function onVoteReply(node: Node, message: VoteReply): void {
  if (node.role !== "candidate") return;
  node.votes.set(message.from, message.granted);
  decideElection(node);
}

function decideElection(node: Node): void {
  const result = countVotes(voters(node), node.votes);
  if (result === "won") becomeLeader(node);
  else if (result === "lost") becomeFollower(node, node.term, undefined);
}
