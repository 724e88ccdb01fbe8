import { expect, test } from "vitest";
import { type FailureCode, storageError } from "../../../src/base/index.js";
import { chunkId, chunkVersion, csId } from "../../../src/chunk/index.js";
import { Fill } from "../../../src/cs/core/fill.js";
import type { ReplicaEnvironment } from "../../../src/cs/environment.js";
import { Filler } from "../../../src/cs/filler.js";
import type { Filling } from "../../../src/cs/filling.js";
import type { RateLimit } from "../../../src/cs/rate-limit.js";
import type { Replica } from "../../../src/cs/replica.js";
import { noopLogger } from "../../../src/telemetry/index.js";

const SOURCE = { csId: csId(1025), address: "10.0.0.1:1", hostId: "a", syncing: false };

/** When, ms after its beginning, a filling whose source always fails like this reports itself within 14 s. */
async function reportsOf(code: FailureCode): Promise<number[]> {
  let nowMs = 0;
  const reports: number[] = [];
  const env = {
    clock: {
      monotonicMs: () => nowMs,
      sleep: (_name: string, delayMs: number) => {
        nowMs += delayMs;
        if (nowMs > 14_000) filler.stop();
        return new Promise<void>((resolve) => setImmediate(resolve));
      },
    },
    log: noopLogger,
    selfId: csId(1026),
    links: { request: () => Promise.reject(storageError(code)) },
    report: (...report: unknown[]) => {
      expect(report).toEqual([chunkId(7), chunkVersion(3), csId(1026), code]);
      reports.push(nowMs);
    },
  } as unknown as ReplicaEnvironment;
  const replica = { chunkId: chunkId(7), version: chunkVersion(3) } as unknown as Replica;
  const rate = {} as RateLimit;
  const filling = { fill: new Fill("all") } as unknown as Filling;
  const filler: Filler = new Filler(env, rate, replica, filling, [SOURCE], Promise.resolve(), () => {
    throw new Error("nothing was fetched");
  });
  await filler.finished;
  return reports;
}

test("a filling that gets nothing for five seconds says so: its sources may be elsewhere by now", async () => {
  const reports = await reportsOf("unavailable");
  expect(reports).toHaveLength(2);
  expect(reports[0]).toBeGreaterThanOrEqual(5000);
  expect((reports[1] ?? 0) - (reports[0] ?? 0)).toBeGreaterThanOrEqual(5000);
});

test("a filling whose source is merely busy waits", async () => {
  expect(await reportsOf("busy")).toEqual([]);
});
