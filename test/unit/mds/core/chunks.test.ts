import { describe, expect, test } from "vitest";
import { type CsId, csId } from "../../../../src/chunk/index.js";
import { chunkAt, fenceChunk, isUsable } from "../../../../src/mds/core/chunks.js";
import type { Effect } from "../../../../src/mds/core/effects.js";
import { ChunkWorld, FIRST_CHUNK } from "./chunk-world.js";
import { codeOf } from "./core-world.js";
import { verifyConsistency } from "./verify-consistency.js";

describe("the first write of a chunk", () => {
  test("allocates version 1 on as many servers as wanted, to be installed", () => {
    const world = new ChunkWorld(3, { replicas: 3, replicasMinimum: 2 });

    expect(world.allocate(7)).toEqual({ type: "wait", key: { type: "chunk", chunkId: FIRST_CHUNK } });

    const record = world.chunkOf(7);
    expect(record).toMatchObject({ version: 1, installed: false, installedVersion: 0, index: 7 });
    expect(record.chain.map(({ csId: id }) => id).sort()).toEqual(world.servers);
    expect(record.chain.every(({ create, syncing }) => create && !syncing)).toBe(true);
    expect(world.effects).toContainEqual({
      type: "install",
      chunkId: FIRST_CHUNK,
      version: 1,
      ino: world.ino,
    });
    expect(world.stat(world.ino).allocatedBytes).toBe(0);
    expect(world.tables.inodes.get(world.ino)?.chunkCount).toBe(1);
  });

  test("gives the map once the version is installed", () => {
    const world = new ChunkWorld(2, { replicas: 2 });
    const { chunkId, version } = world.written();

    const outcome = world.allocate();

    expect(outcome).toMatchObject({ type: "reply", reply: { type: "chunkMaps" } });
    expect(outcome.type === "reply" && outcome.reply.body).toMatchObject({
      maps: [{ index: 0, chunkId, version, writable: true, chain: [{ syncing: false }, { syncing: false }] }],
    });
  });

  test("makes do with fewer servers than wanted, but not with fewer than the minimum", () => {
    const two = new ChunkWorld(2, { replicas: 3, replicasMinimum: 2 });
    two.written();
    expect(two.chunkOf(0).chain).toHaveLength(2);
    expect(two.tables.degraded.get(FIRST_CHUNK)).toBe(true);
    expect(codeOf(two.allocate())).toBe("ok");

    const one = new ChunkWorld(1, { replicas: 3, replicasMinimum: 2 });
    expect(one.allocate()).toEqual({ type: "wait", key: { type: "space" } });
    expect(one.tables.chunks.size).toBe(0);
    expect(one.tables.counters.get()?.chunk).toBe(0);
  });

  test("waits while the files have as many bytes as the cluster may hold, and goes on when that is raised", () => {
    const world = new ChunkWorld(2, { replicas: 2 });
    const limit = (value: string): void =>
      world.tables.config.put(
        { name: "mds.alloc.capacity_max", value, sequence: 1 },
        "mds.alloc.capacity_max",
      );
    world.written();
    const totals = { fileCount: 1, inodeCount: 2, sizeBytes: 3_000_000, chunkCount: 1 };
    world.tables.totals.put(totals);
    limit("3");

    expect(world.allocate(1)).toEqual({ type: "wait", key: { type: "space" } });
    // What is there already is still written.
    expect(codeOf(world.allocate(0))).toBe("ok");
    limit("4");
    expect(world.allocate(1)).toMatchObject({ type: "wait", key: { type: "chunk" } });
  });

  test("waits for the chunk below the minimum, and asks for its repair", () => {
    const world = new ChunkWorld(2, { replicas: 2, replicasMinimum: 2 });
    const { chunkId, chain } = world.written();
    world.reconfigure(chunkId, { remove: [chain[0]?.csId ?? csId(0)] });
    world.installAll();

    expect(world.allocate()).toEqual({ type: "wait", key: { type: "chunk", chunkId } });
    expect(world.effects).toContainEqual({ type: "repair", chunkId });
  });

  test("is given up and made anew if all its servers die before it is ready", () => {
    const world = new ChunkWorld(2, { replicas: 2 });
    world.allocate();
    expect(codeOf(world.reconfigure(FIRST_CHUNK, { remove: world.servers }))).toBe("done");

    expect(world.tables.chunks.get(FIRST_CHUNK)).toBeUndefined();
    expect(world.effects).toContainEqual({ type: "wake", key: { type: "chunk", chunkId: FIRST_CHUNK } });
    verifyConsistency(world.tables.dump());
  });
});

describe("fencing", () => {
  test("moves an installed chunk to a new version with the same chain", () => {
    const world = new ChunkWorld(2, { replicas: 2 });
    const { chunkId } = world.written();
    const chain = world.chain(chunkId);

    expect(fenceChunk({ tables: world.tables, stampMs: 0, effects: [] }, chunkId, "test")).toBe(true);

    expect(world.chunk(chunkId)).toMatchObject({ version: 2, installed: false });
    expect(world.chain(chunkId)).toBe(chain);
  });

  test("is done by an installation that is under way already", () => {
    const world = new ChunkWorld(2, { replicas: 2 });
    world.allocate();
    expect(fenceChunk({ tables: world.tables, stampMs: 0, effects: [] }, FIRST_CHUNK, "test")).toBe(true);
    expect(world.chunk(FIRST_CHUNK).version).toBe(1);
  });

  test("of a chunk that is no more has nothing to do", () => {
    const world = new ChunkWorld(1);
    expect(fenceChunk({ tables: world.tables, stampMs: 0, effects: [] }, FIRST_CHUNK, "test")).toBe(false);
  });
});

describe("truncating the chunks of a file", () => {
  const truncate = (world: ChunkWorld, sizeBytes: number) =>
    world.mutate(world.sessionId, "truncate", { ino: world.ino, sizeBytes });

  test("drops whole chunks at once and lets their servers delete them", () => {
    const world = new ChunkWorld(1);
    for (const index of [0, 1, 2]) world.written(index);
    world.report(world.sessionId, world.ino, 3 * 4096);

    expect(codeOf(truncate(world, 4096))).toBe("ok");

    expect(world.tables.chunks.size).toBe(1);
    expect(world.deletions()).toEqual(["CS#1025 2 v1", "CS#1025 3 v1"]);
    verifyConsistency(world.tables.dump());
  });

  test("cuts the boundary chunk by its servers, and is answered when they have done it", () => {
    const world = new ChunkWorld(1);
    const { chunkId } = world.written();
    world.report(world.sessionId, world.ino, 4000);

    const change = world.next(world.sessionId, "truncate", { ino: world.ino, sizeBytes: 100 });
    expect(codeOf(world.apply(change).outcome)).toBe("wait");
    expect(world.chunk(chunkId)).toMatchObject({ version: 2, installed: false, truncateBytes: 100 });
    world.installAll();

    expect(codeOf(world.apply(change).outcome)).toBe("ok");
    expect(world.chunk(chunkId)).toMatchObject({ version: 2, installed: true, truncateBytes: undefined });
    expect(world.stat(world.ino).sizeBytes).toBe(100);
  });

  test("that was not carried out goes along with the next version, the shorter of two", () => {
    const world = new ChunkWorld(2, { replicas: 2 });
    const { chunkId, chain } = world.written();
    world.report(world.sessionId, world.ino, 4000);
    truncate(world, 2000);
    truncate(world, 1000);
    world.report(world.sessionId, world.ino, 3000);
    truncate(world, 2500);

    world.reconfigure(chunkId, { remove: [chain[1]?.csId ?? csId(0)] });

    expect(world.chunk(chunkId)).toMatchObject({ version: 5, truncateBytes: 1000 });
  });

  test("of a file with chunks far apart hides them at once, and drops them in the background", () => {
    const world = new ChunkWorld(1);
    const far = 5_000_000;
    for (const index of [0, far, far + 1]) world.written(index);
    world.report(world.sessionId, world.ino, (far + 2) * 4096);

    expect(codeOf(truncate(world, 4096))).toBe("ok");

    expect(world.effects).toContainEqual({ type: "sweep", ino: world.ino });
    expect(chunkAt(world.tables, world.ino, far)).toBeUndefined();
    expect(chunkAt(world.tables, world.ino, 0)?.chunkId).toBe(FIRST_CHUNK);
    const fresh = world.written(far);
    expect(fresh.chunkId).toBe(4);
    sweep(world, [0, far, far + 1]);
    expect([...world.tables.chunks.values()].map(({ chunkId }) => chunkId)).toEqual([1, 4]);
    expect(world.tables.sweeps.size).toBe(0);
    verifyConsistency(world.tables.dump());
  });

  test("with other holders cuts whole chunks by their servers, too, since they have maps", () => {
    const world = new ChunkWorld(1);
    for (const index of [0, 1]) world.written(index);
    world.report(world.sessionId, world.ino, 2 * 4096);
    const other = world.session();
    world.mutate(other, "open", { ino: world.ino, access: "write" });
    world.report(world.sessionId, world.ino, 2 * 4096, "shared");
    world.open(other, world.ino, "write");

    expect(codeOf(truncate(world, 4096))).toBe("wait");

    expect(world.chunkOf(1)).toMatchObject({ version: 2, installed: false, truncateBytes: 0 });
    expect(world.chunkOf(0).version).toBe(1);
  });
});

describe("a sweep", () => {
  test("gives the chunks of a file its new attributes", () => {
    const world = new ChunkWorld(3, { replicas: 3, replicasMinimum: 1 });
    const { chunkId } = world.written();
    world.mutate(world.sessionId, "setStorage", { ino: world.ino, replicas: 2, replicasMinimum: 2 });

    sweep(world, [0]);

    expect(world.chunk(chunkId).policy).toMatchObject({ replicas: 2, replicasMinimum: 2 });
    expect(world.chunk(chunkId).chain).toHaveLength(2);
    world.installAll();
    expect(world.deletions()).toHaveLength(1);
    verifyConsistency(world.tables.dump());
  });

  test("begins again if there is more to do by the time it ends", () => {
    const world = new ChunkWorld(2, { replicas: 1 });
    world.written();
    world.mutate(world.sessionId, "setStorage", { ino: world.ino, replicas: 2 });
    const sequence = world.tables.sweeps.get(world.ino)?.sequence ?? 0;
    world.mutate(world.sessionId, "setStorage", { ino: world.ino, replicas: 1 });

    sweep(world, [0], sequence);

    expect(world.tables.sweeps.size).toBe(1);
    expect(world.effects).toContainEqual({ type: "sweep", ino: world.ino } satisfies Effect);
  });
});

test("a dropped chunk is deleted everywhere it may lie, but not from servers that are gone", () => {
  const world = new ChunkWorld(3, { replicas: 3, replicasMinimum: 1 });
  const { chunkId, chain } = world.written();
  const [first, second, third] = chain.map(({ csId: id }) => id) as [CsId, CsId, CsId];
  world.reconfigure(chunkId, { remove: [first] });
  world.installAll();
  world.apply({ type: "removeCs", body: { csId: second, force: true, cancel: false } });

  world.report(world.sessionId, world.ino, 10);
  world.mutate(world.sessionId, "truncate", { ino: world.ino, sizeBytes: 0 });

  expect(isUsable(world, chunkId)).toBe(false);
  expect(world.deletions().sort()).toEqual([`CS#${first} 1 v2`, `CS#${third} 1 v2`].sort());
});

function sweep(world: ChunkWorld, indexes: readonly number[], asOf?: number): void {
  const sequence = asOf ?? world.tables.sweeps.get(world.ino)?.sequence ?? 0;
  world.apply({ type: "sweepChunks", body: { ino: world.ino, indexes, isLast: true, sequence } });
}
