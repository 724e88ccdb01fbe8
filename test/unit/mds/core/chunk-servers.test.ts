import { describe, expect, test } from "vitest";
import { type CsId, csId } from "../../../../src/chunk/index.js";
import { isNews, quantized } from "../../../../src/mds/core/chunk-servers.js";
import { clusterHealth } from "../../../../src/mds/core/cluster-health.js";
import type { CsActivity, CsRecord } from "../../../../src/mds/core/records.js";
import { ChunkWorld } from "./chunk-world.js";
import { codeOf } from "./core-world.js";

const FIRST = csId(1025);

const server = (world: ChunkWorld, id: CsId = FIRST): CsRecord => {
  const record = world.tables.chunkServers.get(id);
  if (record === undefined) throw new Error("the server exists");
  return record;
};
const activity = (world: ChunkWorld, id: CsId, to: CsActivity) =>
  world.apply({ type: "setCsActivity", body: { csId: id, activity: to } }).outcome;
const remove = (world: ChunkWorld, id: CsId, how: { force?: boolean; cancel?: boolean } = {}) =>
  world.apply({ type: "removeCs", body: { csId: id, force: false, cancel: false, ...how } }).outcome;
const register = (world: ChunkWorld, change: object = {}) => {
  const { csId: id, address, hostId, location, tier, incarnation } = server(world);
  const space = { totalBytes: 1e12, freeBytes: 5e11 };
  const place = { address, hostId, location, tier };
  const body = { csId: id, ...place, incarnation: incarnation + 1, runs: ["run"], space, ...change };
  return world.apply({ type: "registerCs", body }).outcome;
};

describe("a chunk server", () => {
  test("gets an id from 1025 up, and counts when it has registered", () => {
    const world = new ChunkWorld(0);
    const added = world.apply({ type: "addCs", body: { hostId: "h", location: "0.0.0", tier: 0 } });
    expect(added.outcome).toEqual({ type: "done", value: 1025 });
    expect(server(world)).toMatchObject({ activity: "inactive", administration: "normal" });
    register(world, { address: "1.1.1.1:9" });
    expect(server(world)).toMatchObject({ activity: "active", address: "1.1.1.1:9", incarnation: 1 });
    expect(world.effects).toContainEqual({ type: "wake", key: { type: "space" } });
  });

  test.each([
    ["an unknown id", { csId: csId(7) }, "not_found"],
    ["another host", { hostId: "other" }, "refused"],
    ["an older process", { incarnation: 0 }, "refused"],
    ["a repository that does not know who has served since", { runs: ["older", "copy"] }, "refused"],
    ["a strange place", { location: "here" }, "invalid"],
    ["a strange tier", { tier: 4 }, "invalid"],
  ])("may not register with %s", (_what, change, code) => {
    const world = new ChunkWorld(1);
    const before = server(world);
    expect(codeOf(register(world, change))).toBe(code);
    expect(server(world)).toEqual(before);
  });

  test("may register again with the same process, when its connection broke", () => {
    const world = new ChunkWorld(1);
    expect(codeOf(register(world, { incarnation: 1 }))).toBe("done");
  });

  test("is known by the processes that its repository has seen, whether it heard that they were taken in or not", () => {
    const world = new ChunkWorld(1);
    expect(codeOf(register(world, { runs: ["older", "run", "died early", "next"] }))).toBe("done");
    expect(codeOf(register(world, { runs: ["run"] }))).toBe("refused");
    expect(codeOf(register(world, { runs: ["next"] }))).toBe("done");
  });

  test("that was dropped is banned for ever", () => {
    const world = new ChunkWorld(2);
    expect(remove(world, FIRST)).toEqual({ type: "done", value: 0 });
    expect(server(world).administration).toBe("dropped");
    expect(codeOf(register(world))).toBe("refused");
    expect(codeOf(activity(world, FIRST, "active"))).toBe("not_found");
    expect(codeOf(remove(world, FIRST))).toBe("done");
    expect(codeOf(remove(world, FIRST, { cancel: true }))).toBe("refused");
  });

  test("with a failure letter takes no new data until the letter is gone", () => {
    const world = new ChunkWorld(1);
    const { totalBytes, freeBytes } = server(world);
    const update = (flags: string) =>
      world.apply({
        type: "updateCs",
        body: { csId: FIRST, space: { totalBytes, freeBytes }, replicaCount: 0, flags },
      });
    update("JCH");
    expect(server(world)).toMatchObject({ administration: "failed", flags: "JCH" });
    expect(world.eventTexts().at(-1)).toContain("CS#1025 has reported hard error");
    expect(world.allocate()).toEqual({ type: "wait", key: { type: "space" } });
    update("JC");
    expect(server(world).administration).toBe("normal");
    expect(world.effects).toContainEqual({ type: "wake", key: { type: "space" } });
  });
});

describe("reported space", () => {
  test("is rounded down to 1 % or 1 GiB, whichever is less", () => {
    expect(quantized({ totalBytes: 1000, freeBytes: 999 })).toEqual({ totalBytes: 1000, freeBytes: 990 });
    const totalBytes = 2 ** 44;
    expect(quantized({ totalBytes, freeBytes: 3 * 2 ** 30 + 5 }).freeBytes).toBe(3 * 2 ** 30);
    expect(quantized({ totalBytes: 0, freeBytes: 0 })).toEqual({ totalBytes: 0, freeBytes: 0 });
  });

  test("is no news while it rounds to the same", () => {
    const record = server(new ChunkWorld(1));
    const heartbeat = { space: { totalBytes: 2 ** 40, freeBytes: 2 ** 40 }, replicaCount: 0, flags: "" };
    expect(isNews(record, heartbeat)).toBe(false);
    expect(isNews(record, { ...heartbeat, space: { totalBytes: 2 ** 40, freeBytes: 2 ** 40 - 1 } })).toBe(
      true,
    );
    expect(isNews(record, { ...heartbeat, flags: "H" })).toBe(true);
    expect(isNews({ ...record, replicaCount: 100 }, { ...heartbeat, replicaCount: 105 })).toBe(false);
    expect(isNews({ ...record, replicaCount: 100 }, { ...heartbeat, replicaCount: 120 })).toBe(true);
  });
});

describe("coming and going", () => {
  test("is told in the event log, and so is what becomes of the cluster", () => {
    const world = new ChunkWorld(4);
    const before = world.eventTexts().length;
    activity(world, FIRST, "inactive");
    activity(world, FIRST, "offline");
    activity(world, csId(1026), "offline");
    activity(world, csId(1027), "offline");
    register(world);
    expect(world.eventTexts().slice(before)).toEqual([
      "CS#1025 has not registered during the last 10 sec and is marked as inactive",
      "The cluster is degraded with 3 active, 1 inactive, 0 offline CS",
      "CS#1025 has not registered during the last 300 sec and is marked as offline",
      "CS#1026 has not registered during the last 300 sec and is marked as offline",
      "CS#1027 has not registered during the last 300 sec and is marked as offline",
      "The cluster failed with 1 active, 0 inactive, 3 offline CS (mds.wd.max_offline_cs_hosts=2)",
      "CS#1025 registered from offline mode",
      "The cluster is degraded with 2 active, 0 inactive, 2 offline CS",
    ]);
  });

  test("without a change is no event", () => {
    const world = new ChunkWorld(1);
    const before = world.eventTexts().length;
    expect(codeOf(activity(world, FIRST, "active"))).toBe("done");
    expect(world.eventTexts()).toHaveLength(before);
  });

  test("counts hosts, not servers, towards the failure of the cluster", () => {
    const world = new ChunkWorld(4);
    for (const id of world.servers) {
      const record = server(world, id);
      world.tables.chunkServers.put({ ...record, activity: "offline", hostId: id < 1027 ? "a" : "b" }, id);
    }
    expect(clusterHealth(world.tables)).toMatchObject({
      status: "degraded",
      offlineCount: 4,
      offlineHostCount: 2,
    });
  });
});

describe("removing a server", () => {
  test("releases it: it takes no new chunks, and goes with its last one", () => {
    const world = new ChunkWorld(2, { replicas: 1 });
    const { chunkId, chain } = world.written();
    const [holder] = chain.map(({ csId: id }) => id) as [CsId];
    const other = world.servers.find((id) => id !== holder) as CsId;

    expect(remove(world, holder)).toEqual({ type: "done", value: 1 });
    expect(server(world, holder).administration).toBe("releasing");
    expect(world.written(1).chain[0]?.csId).toBe(other);
    world.reconfigure(chunkId, { add: [{ csId: other, keepContents: false }] });
    world.install(chunkId);
    world.synced(chunkId, other);
    expect(server(world, holder).administration).toBe("releasing");
    world.install(chunkId);

    expect(server(world, holder).administration).toBe("dropped");
    expect(remove(world, holder)).toEqual({ type: "done", value: 0 });
  });

  test("is refused if a chunk would have too few servers then, and can be forced", () => {
    const world = new ChunkWorld(2, { replicas: 2, replicasMinimum: 2 });
    world.written();
    expect(codeOf(remove(world, FIRST))).toBe("refused");
    expect(server(world).administration).toBe("normal");
    expect(codeOf(remove(world, FIRST, { force: true }))).toBe("done");
    expect(server(world).administration).toBe("dropped");
    expect(world.eventTexts()).toContain("CS#1025 was removed from the cluster by force");
  });

  test("can be called off while it lasts", () => {
    const world = new ChunkWorld(2, { replicas: 2, replicasMinimum: 1 });
    world.written();
    remove(world, FIRST);
    expect(remove(world, FIRST, { cancel: true })).toEqual({ type: "done", value: 1 });
    expect(server(world).administration).toBe("normal");
    expect(codeOf(remove(world, FIRST, { cancel: true }))).toBe("refused");
  });

  test("that does not exist is a failure", () => {
    expect(codeOf(remove(new ChunkWorld(0), FIRST))).toBe("not_found");
  });
});

describe("metadata servers", () => {
  const add = (world: ChunkWorld, address: string, hostId = "h2") =>
    world.apply({ type: "addMds", body: { address, hostId } }).outcome;

  test("get ids in order; the same one again from the same place", () => {
    const world = new ChunkWorld(0);
    expect(add(world, "10.0.0.2:2510")).toEqual({ type: "done", value: 2 });
    expect(add(world, "10.0.0.2:2510")).toEqual({ type: "done", value: 2 });
    expect(codeOf(add(world, "10.0.0.2:2510", "h3"))).toBe("exists");
    expect(world.tables.mdsServers.size).toBe(2);
  });

  test("can be removed, except for the last one", () => {
    const world = new ChunkWorld(0);
    add(world, "10.0.0.2:2510");
    const removeMds = (mdsId: number) => codeOf(world.apply({ type: "removeMds", body: { mdsId } }).outcome);
    expect(removeMds(9)).toBe("not_found");
    expect(removeMds(1)).toBe("done");
    expect(removeMds(2)).toBe("refused");
    expect(add(world, "10.0.0.1:2510")).toEqual({ type: "done", value: 3 });
  });
});
