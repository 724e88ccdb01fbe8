import { assert, fromUtf8, toUtf8 } from "../base/index.js";
import type { Member, Membership, RaftId } from "./message.js";
import type { Refusal } from "./ready.js";

/**
 * Membership changes, one member at a time.
 *
 * A membership takes effect on a node when it is *appended* to that node's log, committed or not, and stops when
 * the entry is truncated. This is safe because (1) two neighbouring memberships differ by one voter, so any quorum
 * of the one meets any quorum of the other; (2) a leader appends the next one only when the latest is committed,
 * so that nobody who lacks it can win an election any more; (3) a leader first commits an entry of its own term,
 * which buries any uncommitted membership of earlier leaders. Ongaro's thesis, 4.1, with the correction of 2015.
 * Unlike "when applied" it needs no argument about what a node has applied when it votes, and lets a majority
 * remove a dead member without its vote.
 */
export type MembershipChange =
  | { readonly type: "add_learner"; readonly id: RaftId; readonly address: string }
  | { readonly type: "promote"; readonly id: RaftId }
  | { readonly type: "remove"; readonly id: RaftId }
  | { readonly type: "move"; readonly id: RaftId; readonly address: string };

/** Nobody: what a log knows before its first entry. */
export const NO_MEMBERS: Membership = { members: [] };

export function memberOf(membership: Membership, id: RaftId): Member | undefined {
  return membership.members.find((member) => member.id === id);
}

export function votersOf(membership: Membership): RaftId[] {
  return membership.members.filter((member) => member.role === "voter").map((member) => member.id);
}

export function isVoter(membership: Membership, id: RaftId): boolean {
  return memberOf(membership, id)?.role === "voter";
}

/** The membership after the change, or why there is none. */
export function changeMembership(membership: Membership, change: MembershipChange): Membership | Refusal {
  const member = memberOf(membership, change.id);
  if (change.type === "add_learner") {
    if (member !== undefined) return "already_member";
    return withMember(membership, { id: change.id, address: change.address, role: "learner" });
  }
  if (member === undefined) return "not_member";
  switch (change.type) {
    case "promote":
      if (member.role === "voter") return "not_learner";
      return withMember(membership, { ...member, role: "voter" });
    case "move":
      return withMember(membership, { ...member, address: change.address });
    case "remove": {
      const voters = votersOf(membership);
      if (voters.length === 1 && voters[0] === change.id) return "last_voter";
      return { members: membership.members.filter((other) => other.id !== change.id) };
    }
  }
}

function withMember(membership: Membership, member: Member): Membership {
  const others = membership.members.filter((other) => other.id !== member.id);
  return { members: [...others, member].sort((a, b) => a.id - b.id) };
}

/** As the data of an entry: JSON, because it is rare, small, and worth reading in a hex dump. */
export function encodeMembership(membership: Membership): Uint8Array {
  const members = membership.members.map(({ id, address, role }) => ({ id, address, role }));
  return toUtf8(JSON.stringify({ members }));
}

/** The inverse. Membership entries are written by `encodeMembership` only, so anything else is a bug or corruption. */
export function decodeMembership(data: Uint8Array): Membership {
  const parsed = JSON.parse(fromUtf8(data)) as { members: Member[] };
  assert(Array.isArray(parsed.members), "a membership lists its members");
  const members = parsed.members.map(({ id, address, role }) => {
    assert(Number.isSafeInteger(id) && id > 0, "a member has a positive id");
    assert(typeof address === "string", "a member has an address");
    assert(role === "voter" || role === "learner", "a member has a role");
    return { id, address, role };
  });
  return { members };
}

/**
 * The memberships in the log, each with the index of its entry, the first being the one before the log's start.
 * Follows appends, truncations and compaction.
 */
export class MembershipHistory {
  #places: { readonly index: number; readonly membership: Membership }[];

  constructor(start: { readonly index: number; readonly membership: Membership }) {
    this.#places = [{ index: start.index, membership: start.membership }];
  }

  get latest(): Membership {
    return this.#last.membership;
  }

  /** Where the latest one stands. */
  get latestIndex(): number {
    return this.#last.index;
  }

  append(index: number, membership: Membership): void {
    assert(index > this.latestIndex, "memberships are appended in the order of the log");
    this.#places.push({ index, membership });
  }

  /** The entries from `index` on are gone. True if that changed the latest membership. */
  truncate(index: number): boolean {
    const before = this.#places.length;
    while (this.#places.length > 1 && this.latestIndex >= index) this.#places.pop();
    return this.#places.length !== before;
  }

  /** The membership that was the latest at that place. */
  at(index: number): Membership {
    const place = this.#places.findLast((candidate) => candidate.index <= index);
    return (place ?? this.#first).membership;
  }

  /** Forgets what came before the membership at `index`. */
  compact(index: number): void {
    const keep = this.#places.findLastIndex((candidate) => candidate.index <= index);
    if (keep > 0) this.#places = this.#places.slice(keep);
  }

  get #first(): { readonly index: number; readonly membership: Membership } {
    const first = this.#places[0];
    assert(first !== undefined, "there is always the membership of the start");
    return first;
  }

  get #last(): { readonly index: number; readonly membership: Membership } {
    return this.#places[this.#places.length - 1] ?? this.#first;
  }
}
