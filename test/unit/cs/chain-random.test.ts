import { expect, test } from "vitest";
import { randomRun } from "./world/random-run.js";

const SEEDS = [1, 2, 3, 4];

test.each(SEEDS)(
  "without faults every read sees the last write, and members end equal (seed %i)",
  async (seed) => {
    const chain = await randomRun({ seed, csCount: 3, steps: 150, faults: [], truncates: true });

    expect(chain.mds.reports).toEqual([]);
  },
);

test.each(SEEDS)("kill -9 of any server loses nothing acknowledged (seed %i)", async (seed) => {
  const chain = await randomRun({ seed, csCount: 3, steps: 250, faults: ["kill"], truncates: true });

  expect(chain.client.retryCount).toBeGreaterThan(0);
});

test.each(SEEDS)("loss of power on any one host loses nothing acknowledged (seed %i)", async (seed) => {
  const chain = await randomRun({ seed, csCount: 4, steps: 250, faults: ["power_loss", "kill"] });

  expect(chain.client.retryCount).toBeGreaterThan(0);
});

test.each(SEEDS)("partitions, pauses and orderly stops lose nothing acknowledged (seed %i)", async (seed) => {
  const chain = await randomRun({
    seed,
    csCount: 3,
    steps: 250,
    faults: ["partition", "pause", "stop", "kill"],
  });

  expect(chain.mds.chunks.size).toBe(1);
});
