import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { type CsId, csId } from "../../../../src/chunk/index.js";
import { type PlacementRequest, place, sample } from "../../../../src/mds/core/placement.js";
import type { ChunkPolicy, CsRecord } from "../../../../src/mds/core/records.js";
import { capacityOf } from "../../../../src/mds/core/statistics.js";
import { MemoryTables } from "./memory-tables.js";

const TB = 1e12;

/** Servers given by rack and size, and what the config says. */
function registry(
  servers: readonly Partial<CsRecord>[],
  config: Readonly<Record<string, number>> = {},
): MemoryTables {
  const tables = new MemoryTables();
  servers.forEach((server, i) => {
    const record: CsRecord = { ...PLAIN, csId: csId(1025 + i), hostId: `host${i}`, ...server };
    tables.chunkServers.put(record, record.csId);
  });
  for (const [name, value] of Object.entries(config)) {
    tables.config.put({ name, value: String(value), sequence: 1 }, name);
  }
  return tables;
}

const PLAIN: CsRecord = {
  csId: csId(1025),
  hostId: "host",
  location: "0.0.0",
  tier: 0,
  address: "10.0.0.1:1",
  incarnation: 1,
  activity: "active",
  activitySinceMs: 0,
  failedMs: 0,
  administration: "normal",
  totalBytes: TB,
  freeBytes: TB,
  replicaCount: 0,
  flags: "",
};
const POLICY: ChunkPolicy = {
  replicas: 3,
  replicasMinimum: 1,
  failureDomain: "host",
  tier: 0,
  chunkBytes: 2 ** 28,
};

function request(change: Partial<PlacementRequest> = {}): PlacementRequest {
  return { count: 3, policy: POLICY, members: [], avoid: [], seed: 1, stampMs: 1_000_000, ...change };
}

describe("servers are chosen", () => {
  test("the same everywhere for the same seed, and otherwise for another", () => {
    const tables = registry(Array.from({ length: 20 }, () => ({})));
    const twin = registry(Array.from({ length: 20 }, () => ({})));
    const choices = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const chosen = place(tables, request({ seed }));
      expect(place(twin, request({ seed }))).toEqual(chosen);
      choices.add(chosen.join());
    }
    expect(choices.size).toBeGreaterThan(15);
  });

  test("as the golden file says: a log may be applied again years later", () => {
    const golden = readFileSync(new URL("../../../golden/placement.txt", import.meta.url), "utf8");
    const racks = [10, 20, 30, 100, 100].map((size, i) => ({
      location: `0.0.${i}`,
      totalBytes: size * TB,
      freeBytes: size * TB,
    }));
    const tables = registry(racks);
    const policy = { ...POLICY, failureDomain: "rack" } as const;
    const lines = Array.from(
      { length: 40 },
      (_, seed) => `${seed}: ${place(tables, request({ policy, seed })).join(" ")}`,
    );
    expect(`${lines.join("\n")}\n`).toBe(golden);
  });

  test.each([
    ["disk", 4],
    ["host", 3],
    ["rack", 2],
    ["row", 2],
    ["room", 1],
  ] as const)("one in a failure domain at most (%s)", (failureDomain, expected) => {
    const tables = registry([
      { hostId: "a", location: "0.0.0" },
      { hostId: "a", location: "0.0.0" },
      { hostId: "b", location: "0.0.0" },
      { hostId: "c", location: "0.1.0" },
    ]);
    const policy = { ...POLICY, failureDomain };
    for (let seed = 0; seed < 10; seed++) {
      expect(place(tables, request({ policy, seed, count: 4 }))).toHaveLength(expected);
    }
  });

  test("in the same domain only where the failure domain is advisory and there is no other", () => {
    const servers = [{ hostId: "a" }, { hostId: "a" }, { hostId: "b" }];
    expect(place(registry(servers), request())).toHaveLength(2);
    const advisory = registry(servers, { "mds.alloc.strict_failure_domain": 0 });
    expect(place(advisory, request()).sort()).toEqual([1025, 1026, 1027]);
    for (let seed = 0; seed < 20; seed++) {
      expect(place(advisory, request({ seed, count: 2 }))).toContain(1027);
    }
  });

  test("in the tier of the file, or in others too: lower ones first, then higher ones", () => {
    const servers = [{ tier: 0 }, { tier: 1 }, { tier: 2 }, { tier: 3 }];
    const policy = { ...POLICY, tier: 2 };
    expect(place(registry(servers), request({ policy }))).toEqual([1027]);
    const spilling = registry(servers, { "mds.alloc.strict_tier": 0 });
    expect(place(spilling, request({ policy, count: 2 })).sort()).toEqual([1026, 1027]);
    expect(place(spilling, request({ policy, count: 3 })).sort()).toEqual([1025, 1026, 1027]);
    expect(place(spilling, request({ policy, count: 4 })).sort()).toEqual([1025, 1026, 1027, 1028]);
  });

  test.each([
    ["inactive", { activity: "inactive" }],
    ["offline", { activity: "offline" }],
    ["releasing", { administration: "releasing" }],
    ["failed", { administration: "failed" }],
    ["dropped", { administration: "dropped" }],
    ["fuller than the margin of 5 %", { totalBytes: 100 * TB, freeBytes: 4.9 * TB }],
    ["fuller than the margin of 512 MB", { totalBytes: 1e9, freeBytes: 5e8 }],
  ] as const)("never when they are %s", (_what, change) => {
    expect(place(registry([{}, change]), request())).toEqual([1025]);
  });

  test("not where a member lies, nor where one has just failed", () => {
    const tables = registry([{ hostId: "a" }, { hostId: "a" }, { hostId: "b" }, { hostId: "c" }]);
    const chosen = place(tables, request({ members: [csId(1025)], avoid: [csId(1027)] }));
    expect(chosen).toEqual([1028]);
  });

  test("for a while not where something failed, unless the minimum could not be had", () => {
    const tables = registry([{}, {}, { failedMs: 995_000 }]);
    expect(place(tables, request()).sort()).toEqual([1025, 1026]);
    expect(place(tables, request({ stampMs: 1_005_000 }))).toHaveLength(3);
    const policy = { ...POLICY, replicasMinimum: 3 };
    expect(place(tables, request({ policy }))).toHaveLength(3);
  });

  test("not where a disk got something wrong, unless the wanted number could not be had", () => {
    const tables = registry([{}, {}, {}, { flags: "h" }]);
    expect(place(tables, request()).sort()).toEqual([1025, 1026, 1027]);
    expect(place(tables, request({ count: 4 }))).toHaveLength(4);
  });

  test("a failure stamped by a clock that was hours ahead does not bar a server", () => {
    const tables = registry([{}, {}, { failedMs: 10_000_000 }]);
    expect(place(tables, request())).toHaveLength(3);
  });
});

describe("sampling", () => {
  test("gives different indexes, as many as asked for, all if there are no more", () => {
    const prng = new Prng(1);
    for (let round = 0; round < 2000; round++) {
      const weights = Array.from({ length: prng.between(0, 8) }, () => prng.below(5) * prng.below(1000));
      const count = prng.below(8);
      const picked = sample(weights, count, prng);
      expect(new Set(picked).size).toBe(Math.min(count, weights.length));
      expect(picked.every((index) => index < weights.length)).toBe(true);
    }
  });

  test("gives each index in proportion to its weight, but never more than always", () => {
    const prng = new Prng(2);
    const counts = [0, 0, 0, 0];
    for (let round = 0; round < 20_000; round++) {
      for (const index of sample([10, 20, 30, 200], 2, prng)) counts[index] = (counts[index] ?? 0) + 1;
    }
    const shares = counts.map((count) => count / 20_000);
    expect(shares[0]).toBeCloseTo(1 / 6, 1);
    expect(shares[1]).toBeCloseTo(1 / 3, 1);
    expect(shares[2]).toBeCloseTo(1 / 2, 1);
    expect(shares[3]).toBe(1);
  });
});

describe("filling a cluster to the end", () => {
  test("of racks with 10, 20, 30, 100 and 100 TB stores 60 TB at 3 copies", () => {
    const stored = fill([10, 20, 30, 100, 100], 3);
    expect(capacityOf([10, 20, 30, 100, 100], 3)).toBe(60);
    expect(stored).toBeGreaterThan(58.5);
    expect(stored).toBeLessThanOrEqual(60);
  });

  test.each([
    [[10, 10, 10, 10, 10], 3],
    [[5, 10, 15, 20], 2],
    [[1, 1, 1, 50], 2],
    [[30, 40, 50], 3],
    [[7], 1],
  ])("of %j TB at %i copies stores what is possible", (sizes, replicas) => {
    const possible = capacityOf(sizes, replicas);
    expect(fill(sizes, replicas)).toBeGreaterThan(0.96 * possible);
  });
});

/** TB that fit, in pieces of a fiftieth of a TB, with free space known as it is. */
function fill(sizesTb: readonly number[], replicas: number): number {
  const pieceBytes = TB / 50;
  const racks = sizesTb.map((size, i) => ({
    location: `0.0.${i}`,
    totalBytes: size * TB,
    freeBytes: size * TB,
  }));
  const tables = registry(racks, { "mds.alloc.fill_margin": 0, "mds.alloc.free_space_margin": 0 });
  const policy = { ...POLICY, replicas, replicasMinimum: replicas, failureDomain: "rack" } as const;
  for (let count = 0; ; count++) {
    const chosen = place(tables, request({ policy, count: replicas, seed: count }));
    if (chosen.length < replicas) return count / 50;
    for (const id of chosen) take(tables, id, pieceBytes);
  }
}

function take(tables: MemoryTables, id: CsId, bytes: number): void {
  const server = tables.chunkServers.get(id);
  if (server !== undefined) tables.chunkServers.put({ ...server, freeBytes: server.freeBytes - bytes }, id);
}
