import { expect, test } from "vitest";
import {
  changeMembership,
  decodeMembership,
  encodeMembership,
  MembershipHistory,
  NO_MEMBERS,
} from "../../../src/raft/membership.js";
import { type Membership, raftId } from "../../../src/raft/message.js";

const one: Membership = { members: [{ id: raftId(1), address: "a", role: "voter" }] };

function grown(membership: Membership, id: number): Membership {
  const next = changeMembership(membership, { type: "add_learner", id: raftId(id), address: `n${id}` });
  if (typeof next === "string") throw new Error(next);
  return next;
}

test("members come as learners, are promoted, move and go", () => {
  const two = grown(one, 2);
  expect(two.members.map(({ role }) => role)).toEqual(["voter", "learner"]);
  expect(changeMembership(two, { type: "promote", id: raftId(2) })).toMatchObject({
    members: [{ id: 1 }, { id: 2, role: "voter", address: "n2" }],
  });
  expect(changeMembership(two, { type: "move", id: raftId(2), address: "b" })).toMatchObject({
    members: [{ id: 1 }, { id: 2, role: "learner", address: "b" }],
  });
  expect(changeMembership(two, { type: "remove", id: raftId(2) })).toEqual(one);
});

test("a change that makes no sense is refused", () => {
  const id = raftId(1);
  expect(changeMembership(one, { type: "add_learner", id, address: "x" })).toBe("already_member");
  expect(changeMembership(one, { type: "promote", id })).toBe("not_learner");
  expect(changeMembership(one, { type: "remove", id: raftId(2) })).toBe("not_member");
  expect(changeMembership(grown(one, 2), { type: "remove", id })).toBe("last_voter");
});

test("members are kept in the order of their ids", () => {
  expect(grown(grown(one, 9), 4).members.map(({ id }) => id)).toEqual([1, 4, 9]);
});

test("a membership survives its encoding, and what is none is refused", () => {
  const two = grown(one, 2);

  expect(decodeMembership(encodeMembership(two))).toEqual(two);
  expect(() => decodeMembership(new TextEncoder().encode('{"members":[{"id":0}]}'))).toThrow("positive id");
});

test("the history follows appends, truncations and compaction", () => {
  const history = new MembershipHistory({ index: 0, membership: NO_MEMBERS });
  history.append(1, one);
  history.append(5, grown(one, 2));
  history.append(9, grown(one, 3));

  expect(history.at(4)).toEqual(one);
  expect(history.truncate(9)).toBe(true);
  expect(history.truncate(6)).toBe(false);
  expect(history.latestIndex).toBe(5);
  history.compact(7);
  expect(history.at(7)).toEqual(grown(one, 2));
  expect(history.truncate(2)).toBe(false);
  expect(history.latest).toEqual(grown(one, 2));
});
