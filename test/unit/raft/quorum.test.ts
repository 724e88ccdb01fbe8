import { expect, test } from "vitest";
import { Prng } from "../../../src/base/index.js";
import { type RaftId, raftId } from "../../../src/raft/message.js";
import { countVotes, majorityValue } from "../../../src/raft/quorum.js";

function ids(count: number): RaftId[] {
  return Array.from({ length: count }, (_, i) => raftId(i + 1));
}

test("the majority value is the highest that more than half have reached", () => {
  const prng = new Prng(1);
  for (let round = 0; round < 500; round++) {
    const voters = ids(prng.between(1, 7));
    const reached = new Map(voters.map((id) => [id, prng.below(10)]));
    const value = majorityValue(voters, (id) => reached.get(id) ?? 0);
    const countAt = (limit: number): number => voters.filter((id) => (reached.get(id) ?? 0) >= limit).length;
    expect(2 * countAt(value)).toBeGreaterThan(voters.length);
    expect(2 * countAt(value + 1)).toBeLessThanOrEqual(voters.length);
  }
});

test("without voters nothing is ever agreed on", () => {
  expect(majorityValue([], () => 7)).toBe(0);
  expect(countVotes([], new Map())).toBe("lost");
});

test("an election is decided as soon as it cannot end otherwise", () => {
  const [a, b, c, stranger] = ids(4) as [RaftId, RaftId, RaftId, RaftId];
  const voters = [a, b, c];

  expect(countVotes(voters, new Map([[a, true]]))).toBe("open");
  expect(
    countVotes(
      voters,
      new Map([
        [a, true],
        [stranger, true],
      ]),
    ),
  ).toBe("open");
  expect(
    countVotes(
      voters,
      new Map([
        [a, true],
        [b, true],
      ]),
    ),
  ).toBe("won");
  expect(
    countVotes(
      voters,
      new Map([
        [b, false],
        [c, false],
      ]),
    ),
  ).toBe("lost");
});
