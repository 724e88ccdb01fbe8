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
];

const NEW_SEED_CLIMATES = ["drawn", "kills", "drawn", "power", "drawn", "network"] as const;
const ONE_SEED_MS = 240_000;

/**
 * Seeds of this release, always the same here, so that a red build is red because of its change. Those that nobody has
 * seen are for `npm run sim -- --minutes 60`, or SIM_FIRST and SIM_COUNT.
 */
function newSeeds(): { readonly seed: number; readonly climate: string }[] {
  const first = Number(process.env["SIM_FIRST"] ?? 137_314_659);
  const count = Number(process.env["SIM_COUNT"] ?? 8);
  return Array.from({ length: count }, (_, i) => ({
    seed: first + i,
    climate: NEW_SEED_CLIMATES[i % NEW_SEED_CLIMATES.length] ?? "drawn",
  }));
}

function complaintOf({ seed, violations, description }: SimulationReport, climate: string): string {
  const found = violations.slice(0, 3).map(({ checker, message }) => `${checker}: ${message}`);
  return [`npm run sim -- --seed ${seed} --climate ${climate}`, description, ...found].join("\n");
}

async function expectSound(seed: number, climate: string, safetyMs?: number): Promise<void> {
  const report = await simulate({ seed, plan: CLIMATES[climate], safetyMs });
  if (report.violations.length > 0) expect.fail(complaintOf(report, climate));
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

  test.each(newSeeds())(
    "the new seed $seed of climate $climate passes",
    async ({ seed, climate }) => expectSound(seed, climate, 10_000),
    ONE_SEED_MS,
  );
});
