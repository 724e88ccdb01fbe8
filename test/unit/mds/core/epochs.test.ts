import { expect, test } from "vitest";
import { chunkId, csId } from "../../../../src/chunk/index.js";
import {
  epochAt,
  epochOf,
  isLostServer,
  isOrphan,
  isOrphanDue,
  mdsIdIn,
  unfinishedEpoch,
} from "../../../../src/mds/core/epochs.js";
import { ChunkWorld } from "./chunk-world.js";
import { codeOf } from "./core-world.js";

const EPOCH = 200_000_000;

function begun(world: ChunkWorld, epoch = EPOCH) {
  const body = { epoch, mdsId: 3_333_334, address: "10.0.0.9:2510", hostId: "h9", source: "a test" };
  return world.apply({ type: "beginEpoch", body }).outcome;
}

test("an epoch is the time, and greater than all before", () => {
  const at = Date.UTC(2026, 0, 1);
  expect(epochAt(at, {})).toBe((at - Date.UTC(2020, 0, 1)) / 1000);
  expect(epochAt(at, { epoch: 10 ** 12 })).toBe(10 ** 12 + 1);
  expect(epochAt(at, { epoch: epochAt(at, {}) }), "twice in a second").toBe(epochAt(at, {}) + 1);
});

test("a recovered group has one member, and gives no number out again", () => {
  const world = new ChunkWorld(3);
  world.apply({ type: "addMds", body: { address: "10.0.0.2:2510", hostId: "h2" } });
  const before = world.tables.counters.get();
  begun(world);
  expect([...world.tables.mdsServers.values()].map(({ mdsId }) => mdsId)).toEqual([3_333_334]);
  expect(epochOf(world.tables)).toBe(EPOCH);
  const after = world.tables.counters.get();
  expect(after?.mds).toBeGreaterThanOrEqual(3_333_334);
  for (const kind of ["inode", "chunk", "session", "lease"] as const) {
    expect(after?.[kind]).toBeGreaterThan((before?.[kind] ?? 0) + 1_000_000);
    expect(Number.isSafeInteger((after?.[kind] ?? 0) * 2)).toBe(true);
  }
  // A second recovery from the same metadata, a second later, is beyond everything the first may have given out.
  const second = new ChunkWorld(3);
  begun(second, EPOCH + 1);
  expect(second.tables.counters.get()?.chunk).toBeGreaterThanOrEqual((after?.chunk ?? 0) + 2 ** 20);
  expect(mdsIdIn(EPOCH, { mds: 3 })).toBeGreaterThan(1003);
});

test("an epoch begins once, and is not ready before that is said", () => {
  const world = new ChunkWorld(3);
  expect(unfinishedEpoch(world.tables)).toBeUndefined();
  begun(world);
  const counters = world.tables.counters.get();
  expect(codeOf(begun(world))).toBe("done");
  expect(world.tables.counters.get()).toEqual(counters);
  expect(unfinishedEpoch(world.tables)?.source).toBe("a test");
  expect(codeOf(world.apply({ type: "finishEpoch", body: { epoch: 1 } }).outcome)).toBe("conflict");
  world.apply({ type: "finishEpoch", body: { epoch: EPOCH } });
  expect(unfinishedEpoch(world.tables)).toBeUndefined();
});

test("chunks that only the lost time can have known are orphans until their time is over; older ones are not", () => {
  const world = new ChunkWorld(3);
  const { chunkId: known } = world.written();
  const last = world.tables.counters.get()?.chunk ?? 0;
  expect(isOrphan(world.tables, chunkId(last + 1)), "nothing was lost yet").toBe(false);
  begun(world);
  expect(isOrphan(world.tables, known)).toBe(false);
  expect(isOrphan(world.tables, chunkId(last + 1))).toBe(true);
  expect(isOrphan(world.tables, chunkId(world.tables.counters.get()?.chunk ?? 0))).toBe(true);
  world.apply({ type: "setConfig", body: { name: "mds.recovery.orphan_tout", value: "5000" } });
  const beganMs = world.tables.cluster.get()?.epochs[0]?.wallMs ?? 0;
  expect(isOrphanDue(world.tables, chunkId(last + 1), beganMs + 4999)).toBe(false);
  expect(isOrphanDue(world.tables, chunkId(last + 1), beganMs + 5000)).toBe(true);
});

test("a chunk server that was added in the lost time is let in, and any other stranger is not", () => {
  const world = new ChunkWorld(3);
  const stranger = csId((world.tables.counters.get()?.cs ?? 0) + 1);
  const register = (id: typeof stranger): string =>
    codeOf(
      world.apply({
        type: "registerCs",
        body: {
          csId: id,
          address: "10.0.1.9:1000",
          hostId: "h9",
          location: "0.0.0",
          tier: 1,
          incarnation: 7,
          runs: ["run"],
          space: { totalBytes: 1, freeBytes: 1 },
        },
      }).outcome,
    );
  expect(register(stranger)).toBe("not_found");
  begun(world);
  expect(isLostServer(world.tables, stranger)).toBe(true);
  expect(register(stranger)).toBe("done");
  expect(world.tables.chunkServers.get(stranger)).toMatchObject({
    hostId: "h9",
    tier: 1,
    activity: "active",
  });
  expect(register(csId(999_999_999))).toBe("not_found");
});
