import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { CLIMATES } from "./faults/fault-plan.js";
import { type SimulationReport, simulate } from "./simulation.js";

/** Seeds that failed once, and what was wrong. */
const PAST: readonly { readonly seed: number; readonly climate: string; readonly safetyMs?: number }[] = [
  // A replica that was filled could not be read: the MDS called it complete, the server did not.
  { seed: 9, climate: "drawn", safetyMs: 12_000 },
  // A refused read named the new leader by its address for metadata servers.
  { seed: 2, climate: "network" },
  // An installed version was not durable: after loss of power everywhere the chunk never came back.
  { seed: 2, climate: "power", safetyMs: 25_000 },
  // What a replica had beyond its source's end stayed behind, under checksums of zeros.
  { seed: 9, climate: "power", safetyMs: 25_000 },
  // A failure stamped by a clock that was hours ahead barred a server from new replicas for hours.
  { seed: 5005, climate: "drawn" },
  // A replica that got lost after its server's inventory was waited for, though the server was there.
  { seed: 137_314_667, climate: "drawn", safetyMs: 10_000 },
  // A server was connected and called offline for ever: what was proposed while it was away came behind its registration.
  { seed: 700_000_006, climate: "drawn" },
  // A writer died while its truncation was under way: the file was as long as before the cut again.
  { seed: 2_100_000_002, climate: "kills", safetyMs: 10_000 },
  // A hole ended where the file had ended before another client's write, which lay beneath the hole.
  { seed: 446_068_798, climate: "drawn" },
];

const NEW_SEED_CLIMATES = ["drawn", "kills", "drawn", "power", "drawn", "network"] as const;
const ONE_SEED_MS = 240_000;

/** Seeds of this release, always the same here, so that a red build is red because of its change. */
const FIRST_SEED = 137_314_659;
const SEED_COUNT = 8;
/**
 * Seeds that nobody has seen, SIM_COUNT of them: from SIM_FIRST on, or of every state of the product its own. They are
 * those of the product, not of the commit: a red build is red because of its change, wherever it runs.
 */
const NEW_SEED_COUNT = Number(process.env["SIM_COUNT"] ?? 4);
/** None of them begins later than that after the first. */
const NEW_SEEDS_MS = 180_000;

interface Seed {
  readonly seed: number;
  readonly climate: string;
}

function series(first: number, count: number): Seed[] {
  return Array.from({ length: count }, (_, i) => ({
    seed: first + i,
    climate: NEW_SEED_CLIMATES[i % NEW_SEED_CLIMATES.length] ?? "drawn",
  }));
}

function newSeeds(): Seed[] {
  if (NEW_SEED_COUNT === 0) return [];
  const { SIM_FIRST } = process.env;
  const first = SIM_FIRST === undefined ? seedOfProduct() : Number(SIM_FIRST);
  return first === undefined ? [] : series(first, NEW_SEED_COUNT);
}

/** From git's hash of the product's sources as they were committed; undefined outside of a repository. */
function seedOfProduct(): number | undefined {
  const { stdout } = spawnSync("git", ["rev-parse", "HEAD:src"], { encoding: "utf8" });
  const hash = /^[0-9a-f]{7}/.exec(stdout ?? "")?.[0];
  return hash === undefined ? undefined : 1_000_000_000 + Number.parseInt(hash, 16);
}

function complaintOf(
  { seed, violations, description }: SimulationReport,
  climate: string,
  safetyMs: number | undefined,
): string {
  const safety = safetyMs === undefined ? "" : ` --safety ${safetyMs}`;
  const found = violations.slice(0, 3).map(({ checker, message }) => `${checker}: ${message}`);
  return [`npm run sim -- --seed ${seed} --climate ${climate}${safety}`, description, ...found].join("\n");
}

/** Runs one seed; a failure names the command that repeats it. */
async function expectSound(seed: number, climate: string, safetyMs?: number): Promise<void> {
  const report = await simulate({ seed, plan: CLIMATES[climate], safetyMs });
  if (report.violations.length > 0) expect.fail(complaintOf(report, climate, safetyMs));
}

describe("a whole cluster on virtual time", () => {
  test.each(PAST)(
    "seed $seed of climate $climate, which failed once, passes",
    async ({ seed, climate, safetyMs }) => expectSound(seed, climate, safetyMs),
    ONE_SEED_MS,
  );

  test(
    "the same seed gives the same run, event by event",
    async () => {
      const traces: string[][] = [];
      for (let i = 0; i < 2; i++) {
        const lines: string[] = [];
        await simulate({ seed: 31, safetyMs: 4000, trace: (line) => lines.push(line) });
        traces.push(lines);
      }
      const [first = [], second = []] = traces;
      const difference = first.findIndex((line, index) => line !== second[index]);
      expect(difference, `${first[difference]}\n${second[difference]}`).toBe(-1);
      expect(second).toHaveLength(first.length);
      expect(first.length).toBeGreaterThan(1000);
    },
    ONE_SEED_MS,
  );

  test.each(series(FIRST_SEED, SEED_COUNT))(
    "seed $seed of climate $climate passes",
    async ({ seed, climate }) => expectSound(seed, climate, 10_000),
    ONE_SEED_MS,
  );
});

describe.runIf(NEW_SEED_COUNT > 0)(
  "a whole cluster on virtual time, as the seeds of this state of the product have it",
  () => {
    let beganMs: number | undefined;
    test.each(newSeeds())(
      "the new seed $seed of climate $climate passes",
      async ({ seed, climate }) => {
        beganMs ??= performance.now();
        if (performance.now() - beganMs < NEW_SEEDS_MS) await expectSound(seed, climate, 10_000);
      },
      ONE_SEED_MS,
    );
  },
);
