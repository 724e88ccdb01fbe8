import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { RaftModule } from "./sim-node.js";

/**
 * A deliberate bug: one place of the production source, changed. The simulation must find every one of them, or it is
 * not worth much. Made on a copy of the source, so that the product has no hooks for it.
 */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** What finds it: a seed of the simulation, or, for what takes too rare a coincidence, a transcript of `test/golden/raft`. */
  readonly foundBy: number | string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: "commits entries of earlier terms by counting",
    file: "leading.ts",
    find: "if (node.log.termAt(index) !== node.term) return;",
    replace: "",
    foundBy: "old-term.txt",
  },
  {
    name: "votes twice in a term",
    file: "election.ts",
    find: "return node.vote === candidate || (node.vote === undefined && node.leaderId === undefined);",
    replace: "return true;",
    foundBy: 9,
  },
  {
    name: "votes for who lacks entries",
    file: "log.ts",
    find: "return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);",
    replace: "return true;",
    foundBy: 13,
  },
  {
    name: "acknowledges entries before they are on disk",
    file: "following.ts",
    find: "node.outboxAfterPersist.push(accepting(reply, lastNew))",
    replace: "node.outbox.push(accepting(reply, lastNew))",
    foundBy: 37,
  },
  {
    name: "sends its vote before it is on disk",
    file: "election.ts",
    find: 'node.outboxAfterPersist.push({\n    type: "vote_reply"',
    replace: 'node.outbox.push({\n    type: "vote_reply"',
    foundBy: "vote-once.txt",
  },
  {
    name: "asks for votes with entries that are not on disk",
    file: "election.ts",
    find: 'node.outboxAfterPersist.push({ type: "vote"',
    replace: 'node.outbox.push({ type: "vote"',
    foundBy: "vote-request.txt",
  },
  {
    name: "counts the leader's own entries before they are on disk",
    file: "leading.ts",
    find: "id === node.config.id ? node.log.stable",
    replace: "id === node.config.id ? node.log.lastIndex",
    foundBy: 31,
  },
  {
    name: "credits a write with entries that were replaced meanwhile",
    file: "log.ts",
    find: "for (const write of this.#writes) write.lastIndex = Math.min(write.lastIndex, index - 1);",
    replace: "",
    foundBy: 5,
  },
  {
    name: "applies entries that are not on disk",
    file: "log.ts",
    find: "const end = Math.min(this.#commit, this.#stable) + 1;",
    replace: "const end = this.#commit + 1;",
    foundBy: 199,
  },
  {
    name: "keeps entries that contradict the leader's",
    file: "following.ts",
    find: "(entry) => !log.matches(entry.index, entry.term)",
    replace: "(entry) => entry.index > log.lastIndex",
    foundBy: 4,
  },
  {
    name: "takes a promise of no majority for an election",
    file: "election.ts",
    find: 'if (result === "won") startElection(node, false);',
    replace: "if (node.votes.size > 0) startElection(node, false);",
    foundBy: 1,
  },
  {
    name: "reads inside a lease that nobody granted",
    file: "reads.ts",
    find: "return !this.#isLeaseGivenUp && nowMs < this.#leaseStartMs + this.#leaseMs;",
    replace: "return true;",
    foundBy: 17,
  },
  {
    name: "takes the lease for twice as long as followers keep their promise",
    file: "node.ts",
    find: "return (config.electionTicksMin - 1)",
    replace: "return 2 * (config.electionTicksMin - 1)",
    foundBy: 231,
  },
  {
    name: "judges the lease by the time of the last tick",
    file: "raft.ts",
    find: "node.nowMs = Math.max(node.nowMs, nowMs);\n    if (node.leading === undefined) return false;",
    replace: "if (node.leading === undefined) return false;",
    foundBy: "read-index.txt",
  },
  {
    name: "keeps the lease after asking another to take over",
    file: "leading.ts",
    find: "leading.reads.giveUpLease();",
    replace: "",
    foundBy: "lease-transfer.txt",
  },
  {
    name: "forgets in a restart that it promised to protect the leader",
    file: "raft.ts",
    find: "ticksSinceLeader: 0,",
    replace: "ticksSinceLeader: 1000,",
    foundBy: "lease.txt",
  },
  {
    name: "answers reads without asking whether it still leads",
    file: "leading.ts",
    find: "leading.reads.wait(context, node.log.commit);",
    replace: "node.readStates.push({ context, index: node.log.commit });",
    foundBy: 45,
  },
  {
    name: "answers a read by a round that was sent before it",
    file: "reads.ts",
    find: "this.#waiting.push({ context, index, round: this.#round + 1 });",
    replace: "this.#waiting.push({ context, index, round: this.#confirmed + 1 });",
    foundBy: "read-index.txt",
  },
  {
    name: "reads before it knows what its predecessors committed",
    file: "leading.ts",
    find: "if (node.log.commit < leading.firstIndex) {",
    replace: "if (node.log.commit < 0) {",
    foundBy: 28,
  },
  {
    name: "changes the membership while a change is under way",
    file: "raft.ts",
    find: 'if (history.latestIndex > log.commit) return refuse("change_pending");',
    replace: "",
    foundBy: "pending-change.txt",
  },
  {
    name: "changes the membership before it knows what its predecessors did",
    file: "raft.ts",
    find: 'if (log.commit < leading.firstIndex) return refuse("leader_too_new");',
    replace: "",
    foundBy: "pending-change.txt",
  },
  {
    name: "forgets who is being removed before everybody can know",
    file: "raft.ts",
    find: "const before = isFinal ? [] : history.at(history.latestIndex - 1).members;",
    replace: "const before: readonly Member[] = isFinal ? [] : [];",
    foundBy: "leader-removes-itself.txt",
  },
  {
    name: "lets nobody be elected who is being removed",
    file: "node.ts",
    find: "return history.latestIndex > log.commit && isVoter(history.at(history.latestIndex - 1), config.id);",
    replace: "return false;",
    foundBy: "removal-only-here.txt",
  },
  {
    name: "leads on although nobody answers",
    file: "leading.ts",
    find: "const hasQuorum = majorityValue(voters(node), (id) => (isActive(id) ? 1 : 0)) === 1;",
    replace: "const hasQuorum = voters(node).some(isActive);",
    foundBy: "check-quorum.txt",
  },
  {
    name: "lets learners vote for a commit",
    file: "membership.ts",
    find: 'return membership.members.filter((member) => member.role === "voter").map((member) => member.id);',
    replace: "return membership.members.slice(-1).map((member) => member.id);",
    foundBy: 1,
  },
  {
    name: "forgets to go back to the old membership when the new one is cut off",
    file: "following.ts",
    find: "node.history.truncate(first.index);",
    replace: "if (first.index > node.history.latestIndex) node.history.truncate(first.index);",
    foundBy: "membership-cut-off.txt",
  },
];

/** The door of the room, with that bug. */
export async function loadMutant(mutant: Mutant): Promise<RaftModule> {
  const directory = mkdtempSync(join(tmpdir(), "raft-mutant-"));
  try {
    const source = new URL("../../../src/", import.meta.url);
    for (const room of ["base", "raft"]) {
      cpSync(new URL(room, source), join(directory, room), { recursive: true });
    }
    const path = join(directory, "raft", mutant.file);
    const text = readFileSync(path, "utf8");
    const parts = text.split(mutant.find);
    if (parts.length !== 2) throw new Error(`"${mutant.find}" is not exactly once in ${mutant.file}`);
    writeFileSync(path, parts.join(mutant.replace));
    return (await import(pathToFileURL(join(directory, "raft", "index.ts")).href)) as RaftModule;
  } finally {
    rmSync(directory, { recursive: true });
  }
}
