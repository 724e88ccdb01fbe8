import { describe, expect, test } from "vitest";
import { type ChunkId, type CsId, chunkVersion, csId } from "../../../../src/chunk/index.js";
import { chunkState } from "../../../../src/mds/core/chunk-states.js";
import {
  judgeReplica,
  type LostEvidence,
  planRevival,
  planSuspects,
} from "../../../../src/mds/core/inventory.js";
import type { ChunkRecord, CsActivity } from "../../../../src/mds/core/records.js";
import { planRepairs, type RepairPlan } from "../../../../src/mds/core/repair-plan.js";
import { ChunkWorld, FIRST_CHUNK } from "./chunk-world.js";

interface Hints {
  readonly awaited?: readonly ChunkId[];
  readonly evidence?: LostEvidence;
  readonly isStale?: (csId: CsId) => boolean | undefined;
  /** Of the records, those that this round looks at. */
  readonly isListed?: (record: ChunkRecord) => boolean;
  readonly filling?: readonly ChunkRecord[];
  readonly stepsMax?: number;
}

function plan(
  world: ChunkWorld,
  {
    awaited = [],
    evidence = "complete",
    isStale = () => false,
    isListed = () => true,
    filling = [],
    stepsMax,
  }: Hints = {},
): RepairPlan {
  const { tables } = world;
  // Long after the last failure.
  const stampMs = world.stampMs + 60_000;
  const isAwaited = (chunkId: ChunkId) => awaited.includes(chunkId);
  return planRepairs(
    { tables, stampMs, isAwaited, evidenceOf: () => evidence, isStale, filling },
    [...tables.chunks.values()].filter(isListed),
    stepsMax,
  );
}

function setActivity(world: ChunkWorld, id: CsId, activity: CsActivity): void {
  world.apply({ type: "setCsActivity", body: { csId: id, activity } });
}

const membersOf = (record: ChunkRecord): CsId[] => record.chain.map(({ csId: id }) => id);
const states = (world: ChunkWorld) =>
  [...world.tables.chunks.values()].map((record) => chunkState(world.tables, record, false));

describe("the state of a chunk", () => {
  test.each([
    ["void", (_world: ChunkWorld, _m: CsId[]) => {}, false],
    ["healthy", (_world: ChunkWorld, _m: CsId[]) => {}, true],
    ["standby", (world: ChunkWorld, [a]: CsId[]) => setActivity(world, a as CsId, "inactive"), true],
    ["urgent", (world: ChunkWorld, [a]: CsId[]) => setActivity(world, a as CsId, "offline"), true],
    [
      "blocked",
      (world: ChunkWorld, [a, b]: CsId[]) => {
        setActivity(world, a as CsId, "offline");
        setActivity(world, b as CsId, "inactive");
      },
      true,
    ],
    [
      "offline",
      (world: ChunkWorld, members: CsId[]) => {
        for (const id of members) setActivity(world, id, "inactive");
      },
      true,
    ],
  ] as const)("is %s", (expected, happen, isInstalled) => {
    const world = new ChunkWorld(3, { replicas: 3, replicasMinimum: 2 });
    world.allocate();
    if (isInstalled) world.installAll();
    happen(world, membersOf(world.chunkOf(0)));
    expect(states(world)).toEqual([expected]);
  });

  test("is degraded with fewer than wanted, replicating once they are being filled, pending if somebody waits", () => {
    const world = new ChunkWorld(5, { replicas: 4, replicasMinimum: 2 });
    const record = world.written();
    const spare = world.servers.find((id) => !membersOf(record).includes(id)) as CsId;
    world.reconfigure(record.chunkId, { remove: membersOf(record).slice(0, 1) });
    world.installAll();
    expect(states(world)).toEqual(["degraded"]);
    world.reconfigure(record.chunkId, { add: [{ csId: spare, keepContents: false }] });
    expect(states(world)).toEqual(["replicating"]);
    world.reconfigure(record.chunkId, { remove: membersOf(record).slice(1, 3) });
    expect(chunkState(world.tables, world.chunkOf(0), true)).toBe("pending");
  });
});

describe("repair", () => {
  test("adds a replica in a free failure domain", () => {
    const world = new ChunkWorld(4, { replicas: 3, replicasMinimum: 2 });
    const record = world.written();
    const gone = membersOf(record)[0] as CsId;
    const spare = world.servers.find((id) => !membersOf(record).includes(id)) as CsId;
    world.reconfigure(record.chunkId, { remove: [gone] });
    world.installAll();
    setActivity(world, gone, "offline");

    expect(plan(world).steps).toMatchObject([
      { chunkId: record.chunkId, version: 2, remove: [], add: [{ csId: spare, keepContents: false }] },
    ]);
  });

  test("waits for a server that was left out and is away for a while, but not once writers wait or it is offline", () => {
    const world = new ChunkWorld(4, { replicas: 3, replicasMinimum: 2 });
    const record = world.written();
    const [gone, other] = membersOf(record) as [CsId, CsId];
    setActivity(world, gone, "inactive");
    world.reconfigure(record.chunkId, { remove: [gone] });
    world.installAll();
    expect(plan(world)).toMatchObject({ steps: [], homelessCount: 0 });
    setActivity(world, gone, "active");
    expect(plan(world, { isStale: () => undefined }).steps).toEqual([]);
    setActivity(world, gone, "inactive");

    world.reconfigure(record.chunkId, { remove: [other] });
    world.installAll();
    expect(plan(world, { awaited: [record.chunkId] }).steps).toHaveLength(1);

    setActivity(world, gone, "offline");
    expect(plan(world).steps).toHaveLength(1);
  });

  test("takes back a server that missed versions, with what it has", () => {
    const world = new ChunkWorld(5, { replicas: 3, replicasMinimum: 2 });
    const record = world.written();
    const gone = membersOf(record)[0] as CsId;
    world.reconfigure(record.chunkId, { remove: [gone] });
    world.installAll();
    const { steps } = plan(world, { isStale: (id) => id === gone });
    expect(steps).toMatchObject([{ add: [{ csId: gone, keepContents: true }] }]);

    for (const { add } of steps) world.reconfigure(record.chunkId, { add });
    expect(world.chunkOf(0).chain.at(-1)).toMatchObject({ csId: gone, syncing: true, isBehind: true });
  });

  test("replaces a member whose server is offline in one step, but leaves it where there is no other", () => {
    const world = new ChunkWorld(4, { replicas: 3, replicasMinimum: 2 });
    const record = world.written();
    const gone = membersOf(record)[0] as CsId;
    const spare = world.servers.find((id) => !membersOf(record).includes(id)) as CsId;
    setActivity(world, gone, "offline");
    expect(plan(world).steps).toMatchObject([{ remove: [gone], add: [{ csId: spare }] }]);

    setActivity(world, spare, "inactive");
    expect(plan(world)).toMatchObject({ steps: [], homelessCount: 1 });
  });

  test("leaves out a member whose server was dropped, whatever there is instead", () => {
    const world = new ChunkWorld(3, { replicas: 3, replicasMinimum: 2 });
    const gone = membersOf(world.written())[0] as CsId;
    world.apply({ type: "removeCs", body: { csId: gone, force: true, cancel: false } });
    expect(plan(world).steps).toMatchObject([{ remove: [gone], add: [] }]);
  });

  test("waits while a member is inactive, unless a client waits for the chunk", () => {
    const world = new ChunkWorld(4, { replicas: 3, replicasMinimum: 3 });
    const record = world.written();
    const [a, b] = membersOf(record) as [CsId, CsId];
    world.reconfigure(record.chunkId, { remove: [a] });
    world.installAll();
    setActivity(world, b, "inactive");
    expect(plan(world).steps).toEqual([]);
    expect(plan(world, { awaited: [record.chunkId] }).steps).toHaveLength(1);
  });

  test("waits for an installation under way", () => {
    const world = new ChunkWorld(4, { replicas: 3, replicasMinimum: 1 });
    const record = world.written();
    world.reconfigure(record.chunkId, { remove: membersOf(record).slice(0, 1) });
    expect(plan(world).steps).toEqual([]);
  });

  test("does the most urgent first, and not more at a time than is allowed", () => {
    const world = new ChunkWorld(6, { replicas: 4, replicasMinimum: 2 });
    const records = [0, 1, 2, 3].map((index) => world.written(index));
    // The later a chunk, the fewer are left of it.
    records.forEach(({ chunkId, chain }, i) => {
      world.reconfigure(chunkId, { remove: chain.slice(0, Math.min(i, 3)).map(({ csId: id }) => id) });
      world.installAll();
    });
    const order = (max: number, perCs: number, awaited: ChunkId[] = []) => {
      world.apply({ type: "setConfig", body: { name: "mds.repair.max_syncs", value: String(max) } });
      world.apply({ type: "setConfig", body: { name: "mds.repair.max_syncs_per_cs", value: String(perCs) } });
      const { steps, delayedCount } = plan(world, { awaited });
      return { order: steps.map(({ chunkId }) => chunkId), delayedCount };
    };

    expect(order(100, 100)).toEqual({ order: [4, 3, 2], delayedCount: 0 });
    expect(order(3, 100)).toEqual({ order: [4], delayedCount: 2 });
    expect(order(1, 1)).toMatchObject({ delayedCount: 2 });
    const pending = records[3]?.chunkId ?? FIRST_CHUNK;
    expect(order(1, 1, [pending]).order).toContain(pending);
  });

  test("counts what is being filled already", () => {
    const world = new ChunkWorld(6, { replicas: 3, replicasMinimum: 1 });
    const [first, second] = [world.written(0), world.written(1)];
    for (const { chunkId, chain } of [first, second]) {
      world.reconfigure(chunkId, { remove: chain.slice(0, 1).map(({ csId: id }) => id) });
      world.installAll();
    }
    world.apply({ type: "setConfig", body: { name: "mds.repair.max_syncs", value: "1" } });
    const [step] = plan(world).steps;
    world.apply({ type: "reconfigureChunk", body: step as never });
    world.installAll();
    expect(plan(world)).toMatchObject({ steps: [], delayedCount: 1 });
    // The lists are long: what is being filled may be on another page than what is planned for.
    const isListed = ({ chunkId }: ChunkRecord): boolean => chunkId !== step?.chunkId;
    expect(plan(world, { isListed })).toMatchObject({ steps: [{}], delayedCount: 0 });
    const filling = [world.chunk(step?.chunkId ?? FIRST_CHUNK)];
    expect(plan(world, { isListed, filling })).toMatchObject({ steps: [], delayedCount: 1 });
  });

  test("looks for no server while nothing may be copied, and takes so many steps at a time", () => {
    const world = new ChunkWorld(4, { replicas: 3, replicasMinimum: 1 });
    const records = [world.written(0), world.written(1), world.written(2)];
    for (const { chunkId, chain } of records) {
      world.reconfigure(chunkId, { remove: chain.slice(0, 1).map(({ csId: id }) => id) });
      world.installAll();
    }
    expect(plan(world)).toMatchObject({ steps: [{}, {}, {}], delayedCount: 0 });
    expect(plan(world, { stepsMax: 2 })).toMatchObject({ steps: [{}, {}], delayedCount: 1 });
    world.apply({ type: "setConfig", body: { name: "mds.repair.max_syncs", value: "1" } });
    world.apply({ type: "reconfigureChunk", body: plan(world).steps[0] as never });
    world.installAll();
    // With nowhere to go: that is only found out by looking.
    for (const id of world.servers) {
      if (!records.some(({ chunkId }) => membersOf(world.chunk(chunkId)).includes(id)))
        setActivity(world, id, "inactive");
    }
    expect(plan(world)).toMatchObject({ steps: [], delayedCount: 2, homelessCount: 0 });
  });

  test("is not held up by what cannot be filled because its only source is gone", () => {
    const world = new ChunkWorld(6, { replicas: 3, replicasMinimum: 1 });
    const [first, second] = [world.written(0), world.written(1)];
    for (const { chunkId, chain } of [first, second]) {
      world.reconfigure(chunkId, { remove: chain.slice(0, 1).map(({ csId: id }) => id) });
      world.installAll();
    }
    const settings = { "mds.repair.max_syncs": "1", "mds.wd.max_offline_cs_hosts": "9" };
    for (const [name, value] of Object.entries(settings)) {
      world.apply({ type: "setConfig", body: { name, value } });
    }
    world.apply({ type: "reconfigureChunk", body: plan(world).steps[0] as never });
    world.installAll();
    const isComplete = ({ syncing }: { readonly syncing: boolean }) => !syncing;
    const sources = world.chunk(first.chunkId).chain.filter(isComplete);
    for (const { csId: id } of sources) setActivity(world, id, "offline");

    expect(plan(world)).toMatchObject({ delayedCount: 0, steps: [{ chunkId: second.chunkId }] });
  });

  test("stops when too many hosts are gone, and says so", () => {
    const world = new ChunkWorld(7, { replicas: 3, replicasMinimum: 1 });
    const members = membersOf(world.written());
    const others = world.servers.filter((id) => !members.includes(id)).slice(0, 2);
    for (const id of [members[0] as CsId, ...others]) setActivity(world, id, "offline");

    expect(plan(world)).toMatchObject({
      steps: [],
      suppressed: "3 hosts are offline, more than mds.wd.max_offline_cs_hosts=2",
    });
    world.apply({ type: "setConfig", body: { name: "mds.wd.max_offline_cs_hosts", value: "3" } });
    expect(plan(world)).toMatchObject({ steps: [{ remove: [members[0]] }], suppressed: undefined });
  });

  test("can be switched off", () => {
    const world = new ChunkWorld(2, { replicas: 2 });
    world.apply({ type: "setConfig", body: { name: "mds.repair.enabled", value: "0" } });
    expect(plan(world).suppressed).toBe("mds.repair.enabled is 0");
  });

  test("empties a server that is being released: first a new replica, then the old one goes", () => {
    const world = new ChunkWorld(4, { replicas: 3, replicasMinimum: 2 });
    const record = world.written();
    const leaving = membersOf(record)[0] as CsId;
    world.apply({ type: "removeCs", body: { csId: leaving, force: false, cancel: false } });
    const [step] = plan(world).steps;
    expect(step).toMatchObject({ remove: [], add: [{ keepContents: false }] });
    world.apply({ type: "reconfigureChunk", body: step as never });
    expect(plan(world).steps).toEqual([]);
    world.installAll();
    expect(plan(world).steps).toEqual([]);
    world.synced(record.chunkId, step?.add[0]?.csId ?? csId(0));
    world.installAll();
    expect(world.tables.chunkServers.get(leaving)?.administration).toBe("dropped");
  });

  test("takes surplus away", () => {
    const world = new ChunkWorld(3, { replicas: 3, replicasMinimum: 2 });
    const record = world.written();
    world.tables.chunks.put({ ...record, policy: { ...record.policy, replicas: 2 } }, record.chunkId);
    expect(plan(world).steps).toMatchObject([{ areSurplus: true, add: [] }]);
    expect(plan(world).steps[0]?.remove).toHaveLength(1);
  });

  test("moves a chunk that was never ready to other servers, or gives it up", () => {
    const world = new ChunkWorld(4, { replicas: 2, replicasMinimum: 2 });
    world.allocate();
    const members = membersOf(world.chunkOf(0));
    for (const id of members) setActivity(world, id, "inactive");
    const [step] = plan(world).steps;
    expect(step?.remove).toEqual(members);
    expect(step?.add).toHaveLength(2);
    world.apply({ type: "reconfigureChunk", body: step as never });
    expect(world.chunkOf(0).chain.every(({ syncing, create }) => create && !syncing)).toBe(true);

    for (const id of world.servers) setActivity(world, id, "inactive");
    expect(plan(world).steps).toMatchObject([{ add: [] }]);
  });

  test("turns to lost replicas that are there when the members are not", () => {
    const world = new ChunkWorld(2, { replicas: 2, replicasMinimum: 1 });
    const record = world.written();
    const [a, b] = membersOf(record) as [CsId, CsId];
    world.reconfigure(record.chunkId, { remove: [a] });
    setActivity(world, b, "inactive");

    const [first] = plan(world).steps;
    expect(first).toMatchObject({ remove: [b], add: [] });
    world.apply({ type: "reconfigureChunk", body: first as never });
    expect(plan(world, { evidence: "unknown" }).steps).toEqual([]);
    expect(plan(world).steps).toMatchObject([{ revive: a, add: [] }]);
  });
});

describe("what a returning server has", () => {
  const nothingKnown = (): LostEvidence => "unknown";
  const setUp = () => {
    const world = new ChunkWorld(3, { replicas: 3, replicasMinimum: 1 });
    const record = world.written();
    return { world, record, members: membersOf(record) as [CsId, CsId, CsId] };
  };
  const report = (record: ChunkRecord, change: object = {}) => ({
    chunkId: record.chunkId,
    version: record.version,
    syncing: false,
    suspect: false,
    hostCrashed: false,
    filling: false,
    position: 0,
    ...change,
  });

  test("is current, suspect, behind, lost or useless", () => {
    const { world, record, members } = setUp();
    const [a, b] = members;
    const judge = (id: CsId, change: object = {}) => judgeReplica(world.tables, id, report(record, change));
    expect(judge(a)).toBe("current");
    expect(judge(a, { suspect: true })).toBe("suspect");
    expect(judge(a, { version: chunkVersion(0) })).toBe("behind");
    expect(judge(a, { syncing: true })).toBe("behind");
    expect(judge(a, { chunkId: 77 })).toBe("useless");
    world.reconfigure(record.chunkId, { remove: [b] });
    expect(judge(b)).toBe("lost");
    expect(judge(b, { syncing: true })).toBe("behind");
    expect(judge(a), "it has not heard of the new version yet").toBe("current");
    world.install(record.chunkId);
    expect(judge(b)).toBe("useless");
    expect(judge(a)).toBe("behind");
  });

  test("and was being filled is behind if its filling ended with an earlier process", () => {
    const { world, record, members } = setUp();
    const [, , c] = members;
    world.reconfigure(record.chunkId, { remove: [c], add: [] });
    world.installAll();
    world.reconfigure(record.chunkId, { add: [{ csId: c, keepContents: false }] });
    const judge = (change: object) =>
      judgeReplica(world.tables, c, report(world.chunk(record.chunkId), { syncing: true, ...change }));

    expect(judge({ suspect: true }), "it is told what to do when it is there").toBe("current");
    world.installAll();
    expect(judge({})).toBe("current");
    expect(judge({ syncing: false })).toBe("current");
    expect(judge({ suspect: true })).toBe("behind");
    expect(judge({ version: chunkVersion(1) })).toBe("behind");
  });

  test("and keeps it while it is filled can bring the chunk back until the new version is installed", () => {
    const { world, record, members } = setUp();
    const [, , c] = members;
    world.reconfigure(record.chunkId, { remove: [c], add: [{ csId: c, keepContents: true }] });
    const judge = (change: object) =>
      judgeReplica(world.tables, c, report(world.chunk(record.chunkId), { suspect: true, ...change }));

    expect(judge({})).toBe("current");
    world.reconfigure(record.chunkId, { remove: [c] });
    expect(judge({})).toBe("lost");
    expect(judge({ syncing: true }), "it began empty").toBe("behind");
  });

  test("and keeps it while it is filled is told anew when the filling ended with an earlier process", () => {
    const { world, record, members } = setUp();
    const [, , c] = members;
    world.reconfigure(record.chunkId, { remove: [c], add: [{ csId: c, keepContents: true }] });
    world.installAll();
    const judge = (change: object) =>
      judgeReplica(world.tables, c, report(world.chunk(record.chunkId), change));

    expect(judge({}), "it goes on under the same process, or is over").toBe("current");
    expect(judge({ suspect: true })).toBe("behind");
  });

  test("and is suspect is filled from members that are not, keeping what is right", () => {
    const { world, record, members } = setUp();
    const [a, b, c] = members;
    const step = planSuspects(world.tables, record, new Map([[a, { hostCrashed: true }]]), nothingKnown);
    expect(step).toMatchObject({ remove: [a], add: [{ csId: a, keepContents: true }] });
    world.apply({ type: "reconfigureChunk", body: step as never });
    expect(world.chain(record.chunkId)).toBe(`${b} ${c} ${a}*`);
  });

  test("is the truth if all are suspect: the last in the chain, of those whose host did not crash", () => {
    const { world, record, members } = setUp();
    const [a, b, c] = members;
    const crashed = { hostCrashed: true };
    const all = new Map([a, b, c].map((id) => [id, crashed] as const));
    expect(planSuspects(world.tables, record, all, nothingKnown)?.remove).toEqual([a, b]);
    all.set(b, { hostCrashed: false });
    expect(planSuspects(world.tables, record, all, nothingKnown)?.remove).toEqual([a, c]);
  });

  test("after a crash of its host is not taken for the truth while a better one may come", () => {
    const { world, record, members } = setUp();
    const [a, b, c] = members;
    setActivity(world, c, "inactive");
    const suspects = new Map([a, b].map((id) => [id, { hostCrashed: true }] as const));
    expect(planSuspects(world.tables, record, suspects, nothingKnown)).toBeUndefined();
    setActivity(world, c, "offline");
    expect(planSuspects(world.tables, record, suspects, nothingKnown)?.remove).toEqual([a]);
  });

  test("after a crash of its host makes way for a lost replica that has more, and waits for one that may", () => {
    const { world, record, members } = setUp();
    const [a, b, c] = members;
    world.reconfigure(record.chunkId, { remove: [a] });
    const left = world.chunk(record.chunkId);
    const suspects = new Map<CsId, { hostCrashed: boolean }>([b, c].map((id) => [id, { hostCrashed: true }]));
    const planned = (evidence: LostEvidence) =>
      planSuspects(world.tables, left, suspects, (id) => (id === a ? evidence : "unknown"));

    expect(planned("unknown")).toBeUndefined();
    expect(planned("complete")).toMatchObject({ remove: [b, c], add: [] });
    expect(planned("suspect")).toMatchObject({ remove: [b, c], add: [] });
    expect(planned("hostCrashed")).toMatchObject({ remove: [b], add: [{ csId: b, keepContents: true }] });
    setActivity(world, a, "offline");
    expect(planned("unknown")).toMatchObject({ remove: [b] });
    suspects.set(c, { hostCrashed: false });
    setActivity(world, a, "active");
    expect(planned("complete"), "it has every acknowledged write itself").toMatchObject({ remove: [b] });
  });

  test("alone and suspect is told again what it is, under a new version", () => {
    const world = new ChunkWorld(1);
    const record = world.written();
    const suspects = new Map([[membersOf(record)[0] as CsId, { hostCrashed: true }]]);
    const step = planSuspects(world.tables, record, suspects, nothingKnown);
    expect(step).toMatchObject({ remove: [], add: [] });
    world.apply({ type: "reconfigureChunk", body: step as never });
    expect(world.chunk(record.chunkId)).toMatchObject({ version: 2, installed: false });
  });

  test("brings a chunk back: complete ones first, those of a crashed host only if nobody better can come", () => {
    const { world, record, members } = setUp();
    const [a, b, c] = members;
    world.reconfigure(record.chunkId, { remove: [a, b, c] });
    const revival = (evidence: Readonly<Record<number, LostEvidence>>) =>
      planRevival(world.tables, world.chunk(record.chunkId), (id) => evidence[id] ?? "unknown");

    expect(revival({})).toBeUndefined();
    expect(revival({ [a]: "hostCrashed", [b]: "suspect", [c]: "complete" })).toMatchObject({
      revive: c,
      add: [
        { csId: b, keepContents: true },
        { csId: a, keepContents: true },
      ],
    });
    expect(revival({ [a]: "hostCrashed" })).toBeUndefined();
    expect(revival({ [a]: "hostCrashed", [b]: "missing", [c]: "missing" })).toMatchObject({
      revive: a,
      add: [],
    });
    setActivity(world, b, "offline");
    setActivity(world, c, "offline");
    expect(revival({ [a]: "hostCrashed" })).toMatchObject({ revive: a });
  });
});
