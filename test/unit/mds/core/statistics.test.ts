import { describe, expect, test } from "vitest";
import { csId } from "../../../../src/chunk/index.js";
import { ChunkStateCounter } from "../../../../src/mds/core/chunk-states.js";
import {
  capacityOf,
  csStatusWord,
  filesystemStatistics,
  healthWord,
  spaceStatus,
} from "../../../../src/mds/core/statistics.js";
import { ROOT_INODE } from "../../../../src/meta/index.js";
import { ChunkWorld } from "./chunk-world.js";
import { CoreWorld } from "./core-world.js";

const TIB = 2 ** 40;

describe("capacity", () => {
  test.each([
    [[10, 20, 30, 100, 100], 3, 60],
    [[10, 20, 30, 100, 100], 1, 260],
    [[10, 20, 30, 100, 100], 2, 130],
    [[10, 10, 10], 3, 10],
    [[5, 100], 2, 5],
    [[10, 10], 3, 0],
    [[], 1, 0],
  ])("of domains of %j at %i copies is %i", (capacities, replicas, expected) => {
    expect(capacityOf(capacities, replicas)).toBe(expected);
  });

  test("is the largest amount that can be laid out, by a dumb twin", () => {
    for (let seed = 1; seed < 200; seed++) {
      const capacities = Array.from({ length: (seed % 6) + 1 }, (_, i) => (seed * 7919 * (i + 3)) % 40);
      const replicas = (seed % 3) + 1;
      let amount = 0;
      const fits = (n: number) => capacities.reduce((sum, c) => sum + Math.min(c, n), 0) >= replicas * n;
      while (amount < 300 && fits(amount + 1)) amount += 1;
      expect(capacityOf(capacities, replicas), JSON.stringify({ capacities, replicas })).toBe(amount);
    }
  });
});

describe("space", () => {
  test("is counted as it is on disk, and as what files in the root can use of it", () => {
    const world = new ChunkWorld(3);
    const session = world.session();
    world.mutate(session, "setStorage", { ino: ROOT_INODE, replicas: 3, replicasMinimum: 2 });
    expect(spaceStatus(world.tables)).toMatchObject({
      totalBytes: 3 * TIB,
      allocatableBytes: TIB,
      allocatableFreeBytes: expect.closeTo(0.95 * TIB, -3),
    });
  });

  test("is never more than can be counted, whatever disks claim to have", () => {
    const world = new ChunkWorld(3);
    for (const server of [...world.tables.chunkServers.values()]) {
      const bytes = Number.MAX_SAFE_INTEGER;
      world.tables.chunkServers.put({ ...server, totalBytes: bytes, freeBytes: bytes }, server.csId);
    }
    for (const replicas of [1, 2, 3]) {
      world.mutate(world.session(), "setStorage", { ino: ROOT_INODE, replicas, replicasMinimum: 1 });
      const { tiers, ...space } = spaceStatus(world.tables);
      for (const value of [...Object.values(space), tiers[0]?.totalBytes, tiers[0]?.freeBytes])
        expect(value).toSatisfy(Number.isSafeInteger);
    }
  });

  test("is no more than the limit that was set", () => {
    const world = new ChunkWorld(3);
    world.apply({
      type: "setConfig",
      body: { name: "mds.alloc.capacity_max", value: "1000", expectedSequence: undefined },
    });
    expect(spaceStatus(world.tables)).toMatchObject({ allocatableBytes: 1e9, allocatableFreeBytes: 1e9 });
  });

  test("of offline and dropped servers is not promised", () => {
    const world = new ChunkWorld(3);
    world.apply({ type: "setCsActivity", body: { csId: csId(1025), activity: "offline" } });
    world.apply({ type: "removeCs", body: { csId: csId(1026), force: true, cancel: false } });
    const space = spaceStatus(world.tables);
    expect(space).toMatchObject({ totalBytes: 2 * TIB, allocatableBytes: TIB });
  });

  test("is none while there are fewer domains than the minimum", () => {
    const world = new ChunkWorld(1);
    world.mutate(world.session(), "setStorage", { ino: ROOT_INODE, replicas: 2, replicasMinimum: 2 });
    expect(filesystemStatistics(world.tables)).toMatchObject({ totalBytes: 0, freeBytes: 0, fileCount: 1 });
  });
});

test("the health of a cluster without chunk servers is unknown", () => {
  expect(healthWord(new CoreWorld().tables)).toBe("unknown");
  const world = new ChunkWorld(1);
  expect(healthWord(world.tables)).toBe("healthy");
  world.apply({ type: "setCsActivity", body: { csId: csId(1025), activity: "inactive" } });
  expect(healthWord(world.tables)).toBe("degraded");
});

test("what an operator did to a server is shown before what it did itself", () => {
  const world = new ChunkWorld(1);
  const server = world.tables.chunkServers.get(csId(1025));
  if (server === undefined) throw new Error("the server exists");
  expect(csStatusWord(server)).toBe("active");
  expect(csStatusWord({ ...server, administration: "releasing" })).toBe("releasing");
});

test("chunks are counted once by state, and besides that if they have one replica only", () => {
  const world = new ChunkWorld(2, { replicas: 1 });
  for (const index of [0, 1, 2]) world.written(index);
  world.allocate(3);
  const counter = new ChunkStateCounter();
  for (const record of world.tables.chunks.values()) counter.add(world.tables, record, false);
  counter.addDeletions(5);
  expect(counter.counts).toMatchObject({ total: 4, healthy: 3, void: 1, unique: 4, deleting: 5 });
  expect(counter.uniqueOn(1025) + counter.uniqueOn(1026)).toBe(4);
});
