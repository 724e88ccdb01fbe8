import { describe, expect, test } from "vitest";
import type { CsId } from "../../../../src/chunk/index.js";
import { ChunkWorld } from "./chunk-world.js";
import { codeOf } from "./core-world.js";
import { verifyConsistency } from "./verify-consistency.js";

/** A chunk on the first `count` servers of its chain's order. */
function setUp(serverCount: number, replicas: number) {
  const world = new ChunkWorld(serverCount, { replicas, replicasMinimum: 1 });
  const { chunkId, chain } = world.written();
  const members = chain.map(({ csId }) => csId);
  const spare = world.servers.filter((csId) => !members.includes(csId));
  return { world, chunkId, members, spare };
}

const clean = (csId: CsId) => ({ csId, keepContents: false });
const kept = (csId: CsId) => ({ csId, keepContents: true });

describe("one step of a chunk", () => {
  test("leaves a failed member out, under a new version to be installed", () => {
    const { world, chunkId, members } = setUp(3, 3);
    const [a, b, c] = members as [CsId, CsId, CsId];

    expect(world.reconfigure(chunkId, { remove: [b] })).toEqual({ type: "done", value: 2 });

    expect(world.chain(chunkId)).toBe(`${a} ${c}`);
    expect(world.chunk(chunkId)).toMatchObject({ installed: false, lost: [{ csId: b, version: 1 }] });
    expect(world.tables.chunkServers.get(b)?.failedMs).toBe(world.stampMs);
  });

  test("is refused under any other version", () => {
    const { world, chunkId, members } = setUp(3, 3);
    world.reconfigure(chunkId, { remove: members.slice(0, 1) });
    const stale = { version: 1 as never, remove: members.slice(1, 2) };
    expect(codeOf(world.reconfigure(chunkId, stale))).toBe("conflict");
    expect(codeOf(world.synced(chunkId, members[0] as CsId))).toBe("conflict");
  });

  test("adds a member that starts empty, at the end, to be filled", () => {
    const { world, chunkId, members, spare } = setUp(3, 2);
    world.reconfigure(chunkId, { remove: members.slice(0, 1), add: [clean(spare[0] as CsId)] });
    expect(world.chain(chunkId)).toBe(`${members[1]} ${spare[0]}*`);
    expect(world.chunk(chunkId).chain[1]).toMatchObject({ create: true, keepContents: false });
  });

  test("takes over what an installation under way has not finished", () => {
    const { world, chunkId, members, spare } = setUp(4, 2);
    world.reconfigure(chunkId, { remove: members.slice(0, 1), add: [clean(spare[0] as CsId)] });

    world.reconfigure(chunkId, { remove: [spare[0] as CsId], add: [clean(spare[1] as CsId)] });

    expect(world.chunk(chunkId)).toMatchObject({ version: 3, lost: [{ csId: members[0], version: 1 }] });
    expect(world.chain(chunkId)).toBe(`${members[1]} ${spare[1]}*`);
    expect(world.chunk(chunkId).leftovers).toEqual([spare[0]]);
  });

  test.each([
    ["a member again", (m: CsId[], _s: CsId[]) => ({ add: [clean(m[0] as CsId)] })],
    ["a server twice", (_m: CsId[], s: CsId[]) => ({ add: [clean(s[0] as CsId), clean(s[0] as CsId)] })],
    ["contents where there are none", (_m: CsId[], s: CsId[]) => ({ add: [kept(s[0] as CsId)] })],
    [
      "a complete member with its contents wiped",
      (m: CsId[], _s: CsId[]) => ({
        remove: [m[0] as CsId],
        add: [clean(m[0] as CsId)],
      }),
    ],
    [
      "members when nobody is left to fill them",
      (m: CsId[], s: CsId[]) => ({ remove: m, add: [clean(s[0] as CsId)] }),
    ],
    ["a surplus that is needed", (m: CsId[], _s: CsId[]) => ({ remove: [m[0] as CsId], areSurplus: true })],
    ["somebody who is no member", (_m: CsId[], s: CsId[]) => ({ remove: [s[0] as CsId] })],
    ["a revival while members live", (m: CsId[], _s: CsId[]) => ({ revive: m[0] as CsId })],
  ])("is refused if it names %s", (_what, step) => {
    const { world, chunkId, members, spare } = setUp(3, 2);
    expect(codeOf(world.reconfigure(chunkId, step(members, spare)))).toBe("conflict");
    expect(world.chunk(chunkId).version).toBe(1);
  });

  test("takes no server that is being released", () => {
    const { world, chunkId, members, spare } = setUp(3, 2);
    const target = spare[0] as CsId;
    world.apply({
      type: "adoptReplicas",
      body: { csId: target, unknown: [{ chunkId, version: 1 as never }] },
    });
    expect(world.deletions()).toEqual([`CS#${target} 1 v1`]);
    world.apply({ type: "removeCs", body: { csId: target, force: false, cancel: false } });
    expect(codeOf(world.reconfigure(chunkId, { remove: [members[0] as CsId], add: [clean(target)] }))).toBe(
      "conflict",
    );
  });

  test("calls off the deletion on a server that it takes", () => {
    const { world, chunkId, members, spare } = setUp(3, 2);
    const target = spare[0] as CsId;
    world.apply({
      type: "adoptReplicas",
      body: { csId: target, unknown: [{ chunkId, version: 1 as never }] },
    });
    world.reconfigure(chunkId, { remove: [members[0] as CsId], add: [clean(target)] });
    expect(world.deletions()).toEqual([]);
  });
});

describe("a lost replica", () => {
  test("is what is left when the last member drops out, and brings the chunk back", () => {
    const { world, chunkId, members } = setUp(2, 1);
    const only = members[0] as CsId;
    world.reconfigure(chunkId, { remove: [only] });
    expect(world.chain(chunkId)).toBe("");
    expect(world.chunk(chunkId).lost).toEqual([{ csId: only, version: 1, position: 0 }]);
    expect(world.tables.installing.size).toBe(0);
    expect(world.tables.csChunks.get(only, chunkId)).toBe(true);

    world.reconfigure(chunkId, { revive: only });
    world.install(chunkId);

    expect(world.chain(chunkId)).toBe(`${only}`);
    expect(world.chunk(chunkId)).toMatchObject({ version: 3, installed: true, lost: [] });
  });

  test("stays current while no version without it was installed, whoever stayed", () => {
    const { world, chunkId, members } = setUp(3, 2);
    const [a, b] = members as [CsId, CsId];
    world.reconfigure(chunkId, { remove: [a] });
    world.reconfigure(chunkId, { remove: [b] });
    expect(world.chunk(chunkId).lost).toEqual([
      { csId: a, version: 1, position: 0 },
      { csId: b, version: 1, position: 1 },
    ]);

    expect(codeOf(world.reconfigure(chunkId, { revive: a, add: [kept(b)] }))).toBe("done");

    expect(world.chain(chunkId)).toBe(`${a} ${b}*`);
    expect(world.chunk(chunkId).chain[1]).toMatchObject({ create: false, keepContents: true });
  });

  test("is out of date, and cannot bring the chunk back, once a version without it was installed", () => {
    const { world, chunkId, members } = setUp(3, 2);
    const [a, b] = members as [CsId, CsId];
    world.reconfigure(chunkId, { remove: [a] });
    world.install(chunkId);
    world.reconfigure(chunkId, { remove: [b] });

    expect(world.chunk(chunkId).lost).toEqual([{ csId: b, version: 2, position: 0 }]);
    expect(codeOf(world.reconfigure(chunkId, { revive: a }))).toBe("conflict");
    expect(codeOf(world.reconfigure(chunkId, { revive: b }))).toBe("done");
  });

  test("on a server that was dropped for ever is forgotten", () => {
    const { world, chunkId, members } = setUp(2, 1);
    const only = members[0] as CsId;
    world.reconfigure(chunkId, { remove: [only] });
    world.apply({ type: "removeCs", body: { csId: only, force: true, cancel: false } });
    expect(codeOf(world.reconfigure(chunkId, { remove: [only] }))).toBe("done");
    expect(world.chunk(chunkId).lost).toEqual([]);
    verifyConsistency(world.tables.dump());
  });
});

describe("data that nobody needs", () => {
  test("are deleted only when as many members as wanted have an installed version", () => {
    const { world, chunkId, members, spare } = setUp(4, 3);
    const [a] = members as [CsId];
    world.reconfigure(chunkId, { remove: [a], add: [clean(spare[0] as CsId)] });
    expect(world.deletions()).toEqual([]);
    world.install(chunkId);
    expect(world.deletions()).toEqual([]);
    expect(world.chunk(chunkId).leftovers).toEqual([a]);

    world.synced(chunkId, spare[0] as CsId);

    expect(world.deletions()).toEqual([`CS#${a} 1 v2`]);
    expect(world.effects).toContainEqual({ type: "deleteReplica", csId: a, chunkId, version: 2 });
    expect(world.chunk(chunkId).leftovers).toEqual([]);
  });

  test("found in an inventory are kept while they may be needed, and no deletion hits a member", () => {
    const { world, chunkId, members, spare } = setUp(3, 2);
    const [a, b] = members as [CsId, CsId];
    const stale = (csId: CsId) => ({ csId, unknown: [{ chunkId, version: 1 as never }] });
    world.apply({ type: "adoptReplicas", body: stale(a) });
    expect(world.deletions()).toEqual([]);

    world.reconfigure(chunkId, { remove: [b] });
    world.install(chunkId);
    world.apply({ type: "adoptReplicas", body: stale(spare[0] as CsId) });

    expect(world.deletions()).toEqual([]);
    expect(world.chunk(chunkId).leftovers).toEqual([b, spare[0]]);
  });

  test("of a chunk that nobody knows are deleted", () => {
    const world = new ChunkWorld(1);
    const body = { csId: world.servers[0] as CsId, unknown: [{ chunkId: 99 as never, version: 3 as never }] };
    world.apply({ type: "adoptReplicas", body });
    expect(world.deletions()).toEqual(["CS#1025 99 v3"]);

    const replicas = [{ chunkId: 99 as never, version: 2 as never }];
    world.apply({ type: "replicasDeleted", body: { csId: body.csId, replicas } });
    expect(world.deletions(), "the wish for a newer version stays").toHaveLength(1);
    world.apply({ type: "replicasDeleted", body: { csId: body.csId, replicas: body.unknown } });
    expect(world.deletions()).toEqual([]);
  });
});

describe("a replica that has been filled", () => {
  test("becomes active without a new version", () => {
    const { world, chunkId, members, spare } = setUp(3, 2);
    world.reconfigure(chunkId, { remove: [members[0] as CsId], add: [clean(spare[0] as CsId)] });
    world.install(chunkId);
    expect(world.tables.degraded.get(chunkId)).toBe(true);

    expect(codeOf(world.synced(chunkId, spare[0] as CsId))).toBe("done");

    expect(world.chain(chunkId)).toBe(`${members[1]} ${spare[0]}`);
    expect(world.chunk(chunkId).version).toBe(2);
    expect(world.tables.degraded.get(chunkId)).toBeUndefined();
    expect(world.effects).toContainEqual({ type: "wake", key: { type: "chunk", chunkId } });
  });

  test("does not start empty again if its version is superseded before it is installed", () => {
    const { world, chunkId, members, spare } = setUp(3, 2);
    world.reconfigure(chunkId, { add: [clean(spare[0] as CsId)] });
    world.synced(chunkId, spare[0] as CsId);
    world.reconfigure(chunkId, { remove: [members[0] as CsId] });
    const member = world.chunk(chunkId).chain.find(({ csId }) => csId === spare[0]);
    expect(member).toEqual({ csId: spare[0], syncing: false, create: false, keepContents: false });
  });

  test("makes another one surplus, which leaves at once: one on a server being released before all others", () => {
    const { world, chunkId, members, spare } = setUp(4, 3);
    const leaving = members[1] as CsId;
    world.apply({ type: "removeCs", body: { csId: leaving, force: false, cancel: false } });
    world.reconfigure(chunkId, { add: [clean(spare[0] as CsId)] });
    world.install(chunkId);

    world.synced(chunkId, spare[0] as CsId);
    expect(world.chain(chunkId)).toBe(`${members[0]} ${members[2]} ${spare[0]}`);
    world.install(chunkId);

    expect(world.tables.chunkServers.get(leaving)?.administration).toBe("dropped");
    expect(world.eventTexts()).toContain(
      `CS#${leaving} has no data any more and was removed from the cluster`,
    );
  });

  test("does not make another one surplus if too few would be left on servers that are up", () => {
    const { world, chunkId, members, spare } = setUp(4, 2);
    for (const csId of members) world.apply({ type: "setCsActivity", body: { csId, activity: "inactive" } });
    world.reconfigure(chunkId, { add: [clean(spare[0] as CsId)] });
    world.install(chunkId);
    world.synced(chunkId, spare[0] as CsId);
    expect(world.chunk(chunkId).chain).toHaveLength(3);
  });
});

test("an installation tells waiting requests, and asks for repair if there are too few", () => {
  const { world, chunkId, members } = setUp(3, 3);
  world.reconfigure(chunkId, { remove: [members[0] as CsId] });
  world.install(chunkId);
  expect(world.effects).toEqual([
    { type: "wake", key: { type: "chunk", chunkId } },
    { type: "repair", chunkId },
  ]);
});
