import { describe, expect, test } from "vitest";
import { type ChunkId, type CsId, csId } from "../../../../src/chunk/index.js";
import { isInMaintenance, overdueMaintenances } from "../../../../src/mds/core/cs-maintenance.js";
import type { ChunkRecord, CsActivity, CsRecord } from "../../../../src/mds/core/records.js";
import { planRepairs, type RepairPlan } from "../../../../src/mds/core/repair-plan.js";
import { csStatusWord } from "../../../../src/mds/core/statistics.js";
import { ChunkWorld } from "./chunk-world.js";
import { codeOf } from "./core-world.js";

const FIRST = csId(1025);
const HALF_HOUR_MS = 1_800_000;

const server = (world: ChunkWorld, id: CsId = FIRST): CsRecord => {
  const record = world.tables.chunkServers.get(id);
  if (record === undefined) throw new Error("the server exists");
  return record;
};
const be = (world: ChunkWorld, id: CsId, activity: CsActivity): void =>
  void world.apply({ type: "setCsActivity", body: { csId: id, activity } });
const maintain = (world: ChunkWorld, id: CsId, isInMaintenance = true, incarnation = 1) =>
  world.apply({ type: "setCsMaintenance", body: { csId: id, incarnation, isInMaintenance } }).outcome;
const config = (world: ChunkWorld, name: string, value: number): void =>
  void world.apply({ type: "setConfig", body: { name, value: String(value) } });

/** Stopped in order, and away for longer than a silent server would be waited for. */
function rest(world: ChunkWorld, id: CsId): void {
  maintain(world, id);
  be(world, id, "inactive");
  be(world, id, "offline");
}

function register(world: ChunkWorld, id: CsId): void {
  const { address, hostId, location, tier, incarnation } = server(world, id);
  const body = { csId: id, address, hostId, location, tier, incarnation: incarnation + 1, runs: ["run"] };
  const space = { totalBytes: 1e12, freeBytes: 5e11 };
  world.apply({ type: "registerCs", body: { ...body, space } });
}

const overdue = (world: ChunkWorld, afterMs: number) =>
  overdueMaintenances(world.tables, (server(world).maintenanceSinceMs ?? world.stampMs) + afterMs);

describe("a chunk server that is stopped in order", () => {
  test("is in maintenance while it is away, and until it registers again", () => {
    const world = new ChunkWorld(1);
    expect(codeOf(maintain(world, FIRST))).toBe("done");
    expect(csStatusWord(server(world)), "it ends what it does").toBe("active");
    be(world, FIRST, "inactive");
    expect(csStatusWord(server(world))).toBe("maintenance");
    be(world, FIRST, "offline");
    expect(csStatusWord(server(world))).toBe("maintenance");
    register(world, FIRST);
    expect(csStatusWord(server(world))).toBe("active");
    be(world, FIRST, "inactive");
    expect(csStatusWord(server(world)), "that time nobody stopped it").toBe("inactive");
  });

  test("is so for mds.wd.maintenance_tout; a shorter time is in force at once, and 0 means never", () => {
    const world = new ChunkWorld(1);
    rest(world, FIRST);
    expect(overdue(world, HALF_HOUR_MS - 1)).toEqual([]);
    const body = { csId: FIRST, incarnation: 1, isInMaintenance: false };
    expect(overdue(world, HALF_HOUR_MS)).toEqual([{ type: "setCsMaintenance", body }]);
    config(world, "mds.wd.maintenance_tout", 1000);
    expect(overdue(world, 1000)).toHaveLength(1);
    config(world, "mds.wd.maintenance_tout", 0);
    expect(overdue(world, 0)).toHaveLength(1);

    expect(codeOf(maintain(world, FIRST, false))).toBe("done");
    expect(csStatusWord(server(world))).toBe("offline");
    expect(overdue(world, HALF_HOUR_MS)).toEqual([]);
    maintain(world, FIRST);
    expect(isInMaintenance(server(world)), "not with 0").toBe(false);
  });

  test("is not so by the word of another process, of a removed server, or of one that is not wanted anyway", () => {
    const world = new ChunkWorld(2);
    expect(codeOf(maintain(world, FIRST, true, 2))).toBe("refused");
    expect(codeOf(maintain(world, csId(7)))).toBe("not_found");
    expect(codeOf(maintain(world, FIRST))).toBe("done");
    const before = world.eventTexts().length;
    maintain(world, FIRST);
    expect(world.eventTexts(), "twice is once").toHaveLength(before);

    be(world, FIRST, "inactive");
    const space = { totalBytes: 1e12, freeBytes: 5e11 };
    world.apply({ type: "updateCs", body: { csId: FIRST, space, replicaCount: 0, flags: "H" } });
    expect(csStatusWord(server(world))).toBe("failed");
    expect(isInMaintenance(server(world))).toBe(false);
    const other = csId(1026);
    world.apply({ type: "updateCs", body: { csId: other, space, replicaCount: 0, flags: "H" } });
    maintain(world, other);
    expect(server(world, other).maintenanceSinceMs).toBeUndefined();
  });
});

describe("chunks of a server in maintenance", () => {
  const plan = (world: ChunkWorld, awaited: readonly ChunkId[] = []): RepairPlan =>
    planRepairs(
      {
        tables: world.tables,
        stampMs: world.stampMs + 60_000,
        isAwaited: (id) => awaited.includes(id),
        evidenceOf: () => "complete",
        isStale: () => false,
        filling: [],
      },
      world.tables.chunks.values(),
    );
  const membersOf = ({ chain }: ChunkRecord): [CsId, CsId, CsId] =>
    chain.map((member) => member.csId) as [CsId, CsId, CsId];
  const nothing = { steps: [], homelessCount: 0, delayedCount: 0 };

  test("are not replicated, whether they were written meanwhile or not; when the time is over they are", () => {
    const world = new ChunkWorld(5, { replicas: 3, replicasMinimum: 2 });
    const written = world.written();
    const [resting] = membersOf(written);
    rest(world, resting);
    expect(plan(world)).toMatchObject(nothing);
    world.reconfigure(written.chunkId, { remove: [resting] });
    world.installAll();
    expect(plan(world)).toMatchObject(nothing);
    maintain(world, resting, false);
    expect(plan(world).steps).toHaveLength(1);
  });

  test("are replicated when anything else is missing of them, too", () => {
    const world = new ChunkWorld(6, { replicas: 4, replicasMinimum: 2 });
    const [resting, gone] = membersOf(world.written());
    rest(world, resting);
    be(world, gone, "offline");
    expect(plan(world).steps).toMatchObject([{ add: [{}, {}] }]);
  });

  test("are replicated when fewer than the minimum are there, at once if a client waits", () => {
    const world = new ChunkWorld(5, { replicas: 3, replicasMinimum: 3 });
    const record = world.written();
    const [resting] = membersOf(record);
    maintain(world, resting);
    be(world, resting, "inactive");
    world.reconfigure(record.chunkId, { remove: [resting] });
    world.installAll();
    expect(plan(world, [record.chunkId]).steps).toHaveLength(1);
    be(world, resting, "offline");
    expect(plan(world).steps).toHaveLength(1);
  });

  test("are replicated when only one replica is there, whatever the minimum", () => {
    const world = new ChunkWorld(3, { replicas: 2, replicasMinimum: 1 });
    rest(world, membersOf(world.written())[0]);
    expect(plan(world).steps).toHaveLength(1);
  });

  test("are waited for on several servers, if enough others are there", () => {
    const world = new ChunkWorld(8, { replicas: 5, replicasMinimum: 3 });
    const [a, b, c] = membersOf(world.written());
    rest(world, a);
    rest(world, b);
    expect(plan(world)).toMatchObject(nothing);
    config(world, "mds.wd.max_offline_cs_hosts", 10);
    rest(world, c);
    expect(plan(world).steps).toMatchObject([{ add: [{}, {}, {}] }]);
  });

  test("are replicated when the server is being released, or belongs to another tier by now", () => {
    const world = new ChunkWorld(5, { replicas: 3, replicasMinimum: 2 });
    const [resting] = membersOf(world.written());
    rest(world, resting);
    world.apply({ type: "removeCs", body: { csId: resting, force: false, cancel: false } });
    expect(plan(world).steps).toHaveLength(1);
    world.apply({ type: "removeCs", body: { csId: resting, force: false, cancel: true } });
    expect(plan(world).steps).toEqual([]);
    world.tables.chunkServers.put({ ...server(world, resting), tier: 3 }, resting);
    expect(plan(world).steps).toHaveLength(1);
  });
});
