import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { play } from "../../golden/raft/script.js";
import { Group } from "./group.js";
import { loadMutant, MUTANTS } from "./mutants.js";
import type { RaftModule } from "./sim-node.js";

/** If the seed that once found a mutant does not any more, so many others are tried before it counts as survived. */
const OTHER_SEEDS = 150;

function isFoundBySeed(raft: RaftModule, seed: number): boolean {
  try {
    new Group(raft, seed).run();
    return false;
  } catch {
    return true;
  }
}

function isFoundByTranscript(raft: RaftModule, name: string): boolean {
  const text = readFileSync(new URL(`../../golden/raft/${name}`, import.meta.url), "utf8");
  try {
    return play(text, raft) !== text;
  } catch {
    return true;
  }
}

for (const mutant of MUTANTS) {
  const { name, foundBy } = mutant;
  test(`the tests notice a node that ${name}`, { timeout: 120_000 }, async () => {
    const raft = await loadMutant(mutant);
    if (typeof foundBy === "string") {
      expect(isFoundByTranscript(raft, foundBy)).toBe(true);
      return;
    }
    const seeds = [foundBy, ...Array.from({ length: OTHER_SEEDS }, (_, i) => i + 1)];
    expect(seeds.some((seed) => isFoundBySeed(raft, seed))).toBe(true);
  });
}
