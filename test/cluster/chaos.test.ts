import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { finished } from "../mount/harness.js";
import { noFaultyDisks } from "./ordeal/disk/faulty-disk.js";
import { noMachines } from "./ordeal/machines.js";
import { TEST_MS } from "./ordeal/patience.js";
import { say, seededPrng } from "./ordeal/seed.js";

/** A minute of `npm run chaos`; the longer one is run for as long as one likes. */

vi.setConfig({ testTimeout: TEST_MS });

const CHECKOUT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const why = noMachines() ?? noFaultyDisks();
if (why !== undefined) say(`skipped: ${why}`);

describe.skipIf(why !== undefined)("chaos", () => {
  test("in trouble of every kind nothing is lost, no call fails, and what several wrote is linearizable", async () => {
    const seed = String(seededPrng(import.meta.url).uint32());
    const args = ["--import", "tsx", join(CHECKOUT, "test/chaos/run.ts"), "--minutes", "0.4", "--seed", seed];
    const { status, stdout, stderr } = await finished(
      spawn(process.execPath, args, {
        env: { ...process.env, UV_THREADPOOL_SIZE: "64" },
        stdio: ["ignore", "pipe", "pipe"],
      }),
    );
    say(stdout.trim());
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: "" });
  });
});
