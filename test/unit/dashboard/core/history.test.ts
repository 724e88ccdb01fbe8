import { describe, expect, test } from "vitest";
import { History, type Sample, sampleOf } from "../../../../src/dashboard/core/history.js";
import type { ClusterStatus } from "../../../../src/meta/index.js";

const sample = (atMs: number, lacking = 0): Sample => ({
  ...{ atMs, readBytes: 0, writeBytes: 0, reads: 0, writes: 0, syncs: 0, latencyMs: 0, fillBytes: 0 },
  lacking,
});

describe("the last hour", () => {
  test("is kept in even steps, and no more of it", () => {
    const history = new History(5000, 60_000);
    for (let atMs = 0; atMs < 200_000; atMs += 1000) history.add(sample(atMs));
    const times = history.samples.map(({ atMs }) => atMs);
    expect(times).toHaveLength(12);
    expect(times.at(-1)).toBe(195_000);
    expect(new Set(times.slice(1).map((atMs, index) => atMs - (times[index] ?? 0)))).toEqual(new Set([5000]));
  });

  test("tells when a repair will be done, while it goes on", () => {
    const history = new History(1000, 600_000);
    expect(history.repairSeconds(60_000)).toBeUndefined();
    for (let second = 0; second <= 10; second++) history.add(sample(second * 1000, 100 - 5 * second));
    expect(history.repairSeconds(60_000)).toBe(10);
    history.add(sample(11_000, 60));
    history.add(sample(12_000, 60));
    expect(history.repairSeconds(1500)).toBeUndefined();
    history.add(sample(13_000, 0));
    expect(history.repairSeconds(60_000)).toBeUndefined();
  });
});

test("a sample adds up clients and servers, and weighs latency by requests", () => {
  const client = { readBytesPerSecond: 10, writeBytesPerSecond: 20, syncsPerSecond: 1, writesPerSecond: 0 };
  const status = {
    wallMs: 7,
    clients: [
      { ...client, readsPerSecond: 9, latencyMsAverage: 1 },
      { ...client, readsPerSecond: 1, latencyMsAverage: 11 },
    ],
    chunkServers: [{ fillBytesPerSecond: 3 }, { fillBytesPerSecond: 4 }],
    chunks: { degraded: 1, urgent: 2, blocked: 3, pending: 4 },
  } as unknown as ClusterStatus;
  expect(sampleOf(status)).toEqual({
    ...{ atMs: 7, readBytes: 20, writeBytes: 40, reads: 10, writes: 0, syncs: 2, latencyMs: 2, fillBytes: 7 },
    lacking: 10,
  });
});
