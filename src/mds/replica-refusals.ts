import { type FailureCode, StorageError } from "../base/index.js";
import { memberOf, type Raft, type Refusal } from "../raft/index.js";

const MEANING: Record<Refusal, { readonly code: FailureCode; readonly detail: string }> = {
  not_leader: { code: "not_leader", detail: "this metadata server does not lead the group" },
  transferring: { code: "busy", detail: "the leadership is being handed over" },
  too_much_uncommitted: { code: "busy", detail: "too much waits for a majority of the metadata servers" },
  change_pending: { code: "busy", detail: "another membership change is under way" },
  leader_too_new: { code: "busy", detail: "the leader has just been elected" },
  already_member: { code: "exists", detail: "this metadata server already is a member" },
  not_member: { code: "not_found", detail: "there is no such metadata server in the group" },
  not_learner: { code: "exists", detail: "this metadata server already has a vote" },
  not_voter: { code: "refused", detail: "the leadership can only be handed to another voting member" },
  learner_behind: { code: "busy", detail: "the new metadata server has not caught up yet" },
  last_voter: { code: "refused", detail: "the last voting metadata server cannot be removed" },
};

/**
 * A refusal of the core as a failure. All of them mean: nothing happened, nor will it. `leaderHint` is the leader's
 * address in the membership; the server maps it to the one for clients.
 */
export function refusalError(refusal: Refusal, raft: Raft): StorageError {
  const { code, detail } = MEANING[refusal];
  if (code !== "not_leader") return new StorageError({ code, detail });
  const leader = raft.leaderId === undefined ? undefined : memberOf(raft.membership, raft.leaderId);
  return new StorageError({ code, detail, leaderHint: leader?.address });
}
