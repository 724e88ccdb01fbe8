/** Consensus, and only consensus. Pure: messages, ticks and proposals in, one `Ready` out. */
export { RAFT_DEFAULTS, type RaftConfig, type RaftSettings } from "./config.js";
export {
  decodeMembership,
  encodeMembership,
  isVoter,
  type MembershipChange,
  MembershipHistory,
  memberOf,
  NO_MEMBERS,
  votersOf,
} from "./membership.js";
export type {
  Append,
  AppendReply,
  Entry,
  EntryType,
  HardState,
  Heartbeat,
  HeartbeatReply,
  Member,
  MemberRole,
  Membership,
  PreVote,
  PreVoteReply,
  RaftId,
  RaftMessage,
  Snapshot,
  SnapshotMeta,
  TimeoutNow,
  Vote,
  VoteReply,
} from "./message.js";
export { raftId } from "./message.js";
export { type ProgressStatus, Raft, type RaftStart } from "./raft.js";
export type {
  LogReader,
  Outcome,
  Position,
  ReadState,
  Ready,
  Refusal,
  Role,
  SoftState,
} from "./ready.js";
