import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { COHERENCE_MUTANTS } from "./mutants/coherence-mutants.js";
import { type CodeChange, MUTANTS, type Mutant, type RuleMutant } from "./mutants/mutants.js";
import { RULE_MUTANTS } from "./mutants/rule-mutants.js";

/**
 * `npm run sim:mutants -- [--only NAME]`: the proof that the simulation finds bugs. Each mutant is one deliberate bug, made in a copy
 * of the sources; some seed must catch it within the budget, or the test of the rule that it breaks. Production code has no hooks for this.
 */
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** Of processor time: on a busy machine a mutant does not escape for that. */
const SECONDS_MAX = 240;
/** Of real time, for a run that hangs. */
const MINUTES_MAX = 60;

interface Outcome {
  readonly isCaught: boolean;
  readonly by: string;
  readonly seed: string;
  readonly seconds: number;
}

function main(): number {
  const only = process.argv.includes("--only") ? process.argv[process.argv.indexOf("--only") + 1] : undefined;
  const mutants = [...RULE_MUTANTS, ...MUTANTS, ...COHERENCE_MUTANTS].filter(
    ({ name }) => only === undefined || name === only,
  );
  if (mutants.length === 0) {
    process.stderr.write(`there is no mutant "${only}"\n`);
    return 1;
  }
  const copy = mkdtempSync(join(tmpdir(), "pstorage-mutants-"));
  let missed = 0;
  try {
    for (const folder of ["src", "test"]) cpSync(join(root, folder), join(copy, folder), { recursive: true });
    for (const file of ["package.json", "tsconfig.json", "vitest.config.ts"])
      cpSync(join(root, file), join(copy, file));
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    print("mutant", "caught by", "seed", "seconds");
    for (const mutant of mutants) {
      const { isCaught, by, seed, seconds } = tryMutant(copy, mutant, (began) =>
        "test" in mutant ? runTest(copy, mutant, began) : runSeeds(copy, mutant, began),
      );
      if (!isCaught) missed++;
      print(mutant.name, isCaught ? by : "NOBODY", seed, seconds.toFixed(0));
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  process.stdout.write(missed === 0 ? "every mutant was caught\n" : `${missed} were not caught\n`);
  return missed === 0 ? 0 : 1;
}

function tryMutant(copy: string, mutant: CodeChange, run: (began: number) => Outcome): Outcome {
  const path = join(copy, mutant.file);
  const original = readFileSync(path, "utf8");
  const parts = original.split(mutant.find);
  if (parts.length !== 2) {
    return {
      isCaught: false,
      by: "",
      seed: `"${mutant.find}" is ${parts.length - 1} times in ${mutant.file}`,
      seconds: 0,
    };
  }
  writeFileSync(path, parts.join(mutant.replace));
  const began = Date.now();
  try {
    return run(began);
  } finally {
    writeFileSync(path, original);
  }
}

/** The rule's own test: it must fail, and not for being unable to run. */
function runTest(copy: string, { test }: RuleMutant, began: number): Outcome {
  const program = join(copy, "node_modules/vitest/vitest.mjs");
  const { stdout } = spawnSync(process.execPath, [program, "run", "--root", copy, test], {
    cwd: copy,
    encoding: "utf8",
    timeout: MINUTES_MAX * 60_000,
    env: { ...process.env, NO_COLOR: "1" },
  });
  const failed = /^ +× (.+?)(?: +\d+ms)?$/m.exec(stdout);
  const seconds = (Date.now() - began) / 1000;
  return { isCaught: failed !== null, by: failed?.[1]?.slice(-48) ?? "", seed: "", seconds };
}

/** One process runs seeds until one fails or the time is over. */
function runSeeds(copy: string, { seed, climate }: Mutant, began: number): Outcome {
  const program = join(copy, "test/sim/run.ts");
  const args = [
    "--import",
    "tsx",
    program,
    "--seed",
    String(seed),
    "--processor-seconds",
    String(SECONDS_MAX),
    "--climate",
    climate,
  ];
  const { stdout } = spawnSync(process.execPath, args, {
    cwd: copy,
    encoding: "utf8",
    timeout: MINUTES_MAX * 60_000,
    maxBuffer: 64 << 20,
  });
  const seconds = (Date.now() - began) / 1000;
  const failed = /^FAILED seed (\d+).*\n.*\n {2}(.+?) at [\d.]+ ms:/m.exec(stdout);
  if (failed === null) return { isCaught: false, by: "", seed: "", seconds };
  return { isCaught: true, by: failed[2] ?? "", seed: failed[1] ?? "", seconds };
}

function print(name: string, by: string, seed: string, seconds: string): void {
  process.stdout.write(`${name.padEnd(48)} ${by.padEnd(28)} ${seed.padStart(10)} ${seconds.padStart(8)}\n`);
}

process.exitCode = main();
