import { expect, test } from "vitest";
import type { Lab } from "../../../src/cli/lab/lab.js";
import { waitForMds } from "../../../src/cli/lab/lab-health.js";
import type { Admin } from "../../../src/client/index.js";

test("a metadata server that does not join is waited for two minutes, and its log is named", async () => {
  let nowMs = 0;
  const clock = {
    monotonicMs: () => nowMs,
    sleep: async (_label: string, ms: number) => {
      nowMs += ms;
    },
  };
  const lab = { host: () => ({ world: { clock } }) } as unknown as Lab;
  const silent = { address: "127.0.0.1:2520", status: "unavail" };
  const admin = { status: async () => ({ mdsServers: [silent] }) } as unknown as Admin;
  await expect(waitForMds(lab, admin, silent.address, undefined)).rejects.toThrow(
    "the MDS at 127.0.0.1:2520 does not join the group; see its log",
  );
  expect(nowMs).toBeGreaterThanOrEqual(120_000);
  silent.status = "avail";
  await waitForMds(lab, admin, silent.address, undefined);
});
