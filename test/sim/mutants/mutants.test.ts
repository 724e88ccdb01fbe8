import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { COHERENCE_MUTANTS } from "./coherence-mutants.js";
import { MUTANTS } from "./mutants.js";
import { RULE_MUTANTS } from "./rule-mutants.js";

const root = new URL("../../../", import.meta.url);

test.each([...MUTANTS, ...COHERENCE_MUTANTS, ...RULE_MUTANTS])(
  "the code has the place that the mutant '$name' changes, once",
  ({ file, find, replace }) => {
    const code = readFileSync(new URL(file, root), "utf8");
    expect(code.split(find).length - 1).toBe(1);
    expect(replace).not.toBe(find);
  },
);
