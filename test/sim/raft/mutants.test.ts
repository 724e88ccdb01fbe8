import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as product from "../../../src/raft/index.js";
import { play } from "../../golden/raft/script.js";
import { Group } from "./group.js";
import { loadMutant, MUTANTS } from "./mutants.js";
import type { RaftModule } from "./sim-node.js";

/** If the seed that once found a mutant does not any more, so many others are tried before it counts as survived. */
const otherSeeds = Array.from({ length: 150 }, (_, i) => i + 1);

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

function isFoundBy(raft: RaftModule, foundBy: number | string): boolean {
  return typeof foundBy === "string" ? isFoundByTranscript(raft, foundBy) : isFoundBySeed(raft, foundBy);
}

test("none of what notices the mutants takes offence at the product", () => {
  for (const { foundBy } of MUTANTS) expect(isFoundBy(product, foundBy), `${foundBy}`).toBe(false);
});

for (const mutant of MUTANTS) {
  const { name, foundBy } = mutant;
  test(`the tests notice a node that ${name}`, { timeout: 120_000 }, async () => {
    const raft = await loadMutant(mutant);
    const isFound =
      isFoundBy(raft, foundBy) ||
      (typeof foundBy === "number" && otherSeeds.some((seed) => isFoundBySeed(raft, seed)));
    expect(isFound).toBe(true);
  });
}
