import type { RaftId } from "./message.js";

/**
 * The highest value that a majority of the voters has reached: with match indexes the commit index, with
 * acknowledged rounds the confirmed round. 0 without voters, who can never agree on anything.
 */
export function majorityValue(voters: readonly RaftId[], reachedBy: (id: RaftId) => number): number {
  const values = voters.map(reachedBy).sort((a, b) => b - a);
  return values[Math.floor(voters.length / 2)] ?? 0;
}

/** Whether an election is decided. */
export function countVotes(
  voters: readonly RaftId[],
  votes: ReadonlyMap<RaftId, boolean>,
): "won" | "lost" | "open" {
  const needed = Math.floor(voters.length / 2) + 1;
  const granted = voters.filter((id) => votes.get(id) === true).length;
  const refused = voters.filter((id) => votes.get(id) === false).length;
  if (granted >= needed) return "won";
  return voters.length - refused < needed ? "lost" : "open";
}
