import { storageError, unreachable } from "../base/index.js";
import { type Entry, type RaftMessage, raftId, type SnapshotMeta } from "../raft/index.js";
import { mappedCodec, type StreamMethod, wire } from "../rpc/index.js";

/** Consensus on the wire: `RaftMessage` of the raft room to and from that of proto/raft.proto. */

/** Several messages go in one, `raft-link.ts` says how many; of one append the raft settings do (`maxMessageBytes`). */
const ENVELOPE_BYTES_MAX = 16 << 20;

const envelope = mappedCodec<wire.RaftEnvelope, wire.RaftEnvelope>(
  wire.RaftEnvelope,
  (message) => message,
  (message) => {
    checkSnapshots(message);
    return message;
  },
  { bytesMax: ENVELOPE_BYTES_MAX },
);

export const RAFT_PEER: StreamMethod<wire.RaftEnvelope, wire.RaftEnvelope> = {
  path: "/pstorage.Raft/Peer",
  up: envelope,
  down: envelope,
};

/** Written out: spreading a message over a blank one was the dearest step of sending it. */
export function raftMessageToWire(message: RaftMessage): wire.RaftMessage {
  const { type, from, to, term } = message;
  const isAppend = type === "append";
  const isAppendReply = type === "append_reply";
  const isVote = type === "pre_vote" || type === "vote";
  const isVoteReply = type === "pre_vote_reply" || type === "vote_reply";
  const isHeartbeat = type === "heartbeat";
  return {
    type,
    from,
    to,
    term,
    lastIndex: isVote ? message.lastIndex : 0,
    lastTerm: isVote ? message.lastTerm : 0,
    transfer: type === "vote" && message.transfer,
    granted: isVoteReply && message.granted,
    previousIndex: isAppend ? message.previousIndex : 0,
    previousTerm: isAppend ? message.previousTerm : 0,
    entries: isAppend ? message.entries : [],
    commit: isAppend || isHeartbeat ? message.commit : 0,
    rejected: isAppendReply && message.rejected,
    index: isAppendReply ? message.index : 0,
    hintIndex: isAppendReply ? message.hintIndex : 0,
    hintTerm: isAppendReply ? message.hintTerm : 0,
    round: isHeartbeat || type === "heartbeat_reply" ? message.round : 0,
    snapshot: type === "snapshot" ? snapshotToWire(message.snapshot) : undefined,
  };
}

/** A message of type `snapshot` has its snapshot: `raftMessageFromWire` relies on it. */
function checkSnapshots({ content }: wire.RaftEnvelope): void {
  const messages =
    content.type === "messages"
      ? content.body.messages
      : content.type === "snapshotBegin"
        ? [content.body.message]
        : [];
  if (messages.some(({ type, snapshot }) => type === "snapshot" && snapshot === undefined)) throw noPlace();
}

const noPlace = (): Error => storageError("malformed", "a snapshot without its place");

/** Only the fields that the type means are taken over. */
export function raftMessageFromWire(message: wire.RaftMessage): RaftMessage {
  const addressed = { from: raftId(message.from), to: raftId(message.to), term: message.term };
  const { lastIndex, lastTerm, granted, commit, round } = message;
  switch (message.type) {
    case "pre_vote":
      return { type: "pre_vote", ...addressed, lastIndex, lastTerm };
    case "vote":
      return { type: "vote", ...addressed, lastIndex, lastTerm, transfer: message.transfer };
    case "pre_vote_reply":
    case "vote_reply":
      return { type: message.type, ...addressed, granted };
    case "append": {
      const { previousIndex, previousTerm, entries } = message;
      return {
        type: "append",
        ...addressed,
        previousIndex,
        previousTerm,
        commit,
        entries: entries.map(entryFromWire),
      };
    }
    case "append_reply": {
      const { rejected, index, hintIndex, hintTerm } = message;
      return { type: "append_reply", ...addressed, rejected, index, hintIndex, hintTerm };
    }
    case "heartbeat":
      return { type: "heartbeat", ...addressed, commit, round };
    case "heartbeat_reply":
      return { type: "heartbeat_reply", ...addressed, round };
    case "snapshot":
      if (message.snapshot === undefined) throw noPlace();
      return { type: "snapshot", ...addressed, snapshot: snapshotFromWire(message.snapshot) };
    case "timeout_now":
      return { type: "timeout_now", ...addressed };
    default:
      return unreachable(message.type);
  }
}

/** The log keeps entries for long: their bytes must not keep a whole received message alive. */
function entryFromWire(entry: wire.RaftEntry): Entry {
  return { ...entry, data: entry.data.slice() };
}

function snapshotToWire({ index, term, membership }: SnapshotMeta): wire.SnapshotMeta {
  const members = membership.members.map(({ id, address, role }) => ({
    id,
    address,
    learner: role === "learner",
  }));
  return { index, term, membership: { members } };
}

function snapshotFromWire({ index, term, membership }: wire.SnapshotMeta): SnapshotMeta {
  const members = membership.members.map(({ id, address, learner }) => ({
    id: raftId(id),
    address,
    role: learner ? ("learner" as const) : ("voter" as const),
  }));
  return { index, term, membership: { members } };
}
