import { expect, test } from "vitest";
import * as raft from "../../../src/raft/index.js";
import { Group } from "./group.js";

/**
 * Seeds that have found something, and what. They are run every time. When the simulation itself changes, its seeds
 * tell other stories: look for new ones with the bug put back in (`mutants.ts` keeps these bugs).
 */
const PAST_SEEDS: Readonly<Record<number, string>> = {
  617: "a leader that had appended its own removal could not be elected, and nobody else either",
  420940832:
    "who was told of a second snapshot before its log had followed the first forgot the first, and could not start again",
  306583185: "who was left alone by an uncommitted removal led at once, against the lease of the one removed",
};

/** `RAFT_SEED=417 npx vitest run test/sim/raft/group.test.ts` replays one seed and prints what happens. */
const replayed = process.env["RAFT_SEED"];
const SEED_COUNT = Number(process.env["RAFT_SEEDS"] ?? 400);
const SECONDS = Number(process.env["RAFT_SECONDS"] ?? 20);

function run(seed: number): Group {
  const group = new Group(raft, seed);
  try {
    group.run();
  } catch (error) {
    throw new Error(`seed ${seed} (replay it with RAFT_SEED=${seed}): ${String(error)}`, { cause: error });
  }
  return group;
}

if (replayed !== undefined) {
  test(`seed ${replayed} keeps every promise`, { timeout: 60_000 }, () => {
    const lines: string[] = [];
    try {
      new Group(raft, Number(replayed), (line) => lines.push(line)).run();
    } finally {
      process.stdout.write(`${lines.join("\n")}\n`);
    }
  });
} else {
  test("a group keeps every promise under the seeds that once broke one", () => {
    for (const seed of Object.keys(PAST_SEEDS)) run(Number(seed));
  });

  test("a group keeps every promise under new seeds", { timeout: 4 * SECONDS * 1000 + 60_000 }, () => {
    const first = Date.now() % 1_000_000_000;
    const endMs = Date.now() + SECONDS * 1000;
    const total = { writes: 0, reads: 0, crashes: 0, snapshots: 0, memberships: 0, transfers: 0 };
    let count = 0;
    for (; count < SEED_COUNT && Date.now() < endMs; count++) {
      const { tally } = run(first + count);
      for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += tally[key];
    }
    process.stdout.write(`${count} seeds from ${first}: ${JSON.stringify(total)}\n`);
    expect(count).toBeGreaterThan(0);
    expect(total.writes).toBeGreaterThan(count);
  });

  test("a seed always tells the same story", () => {
    const tell = (): string[] => {
      const lines: string[] = [];
      new Group(raft, 7, (line) => lines.push(line)).run();
      return lines;
    };

    expect(tell()).toEqual(tell());
  });
}
