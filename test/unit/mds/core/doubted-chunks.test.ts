import { describe, expect, test } from "vitest";
import { type CsId, chunkVersion } from "../../../../src/chunk/index.js";
import type { ConfirmChunk } from "../../../../src/mds/core/command.js";
import { type DoubtReport, planConfirmation } from "../../../../src/mds/core/doubted-chunks.js";
import { judgeReplica, planRevival } from "../../../../src/mds/core/inventory.js";
import type { ChunkRecord } from "../../../../src/mds/core/records.js";
import { ChunkWorld } from "./chunk-world.js";
import { codeOf } from "./core-world.js";
import { verifyConsistency } from "./verify-consistency.js";

/** A written chunk of three replicas, in doubt. */
function setUp(serverCount = 5) {
  const world = new ChunkWorld(serverCount, { replicas: 3, replicasMinimum: 1 });
  const before = world.written();
  const members = before.chain.map(({ csId }) => csId);
  const doubt = (): ChunkRecord => {
    world.apply({ type: "doubtChunks", body: { chunks: [before.chunkId] } });
    verifyConsistency(world.tables.dump());
    return world.chunk(before.chunkId);
  };
  const others = world.servers.filter((csId) => !members.includes(csId));
  return { world, before, members, others, doubt };
}

function report(csId: CsId, version: number, change: Partial<DoubtReport> = {}): DoubtReport {
  return {
    csId,
    version: chunkVersion(version),
    isComplete: true,
    beganEmpty: false,
    isSuspect: false,
    isHostCrashed: false,
    position: 0,
    ...change,
  };
}

const ALL = { isHeard: () => true, isEveryoneHeard: true };
const HERE = { isHeard: () => true, isEveryoneHeard: false };

function confirm(world: ChunkWorld, body: ConfirmChunk | undefined): ChunkRecord {
  if (body === undefined) throw new Error("it can be confirmed");
  expect(codeOf(world.apply({ type: "confirmChunk", body }).outcome)).toBe("done");
  verifyConsistency(world.tables.dump());
  return world.chunk(body.chunkId);
}

test("a chunk in doubt has no chain, forgets nobody, and nothing but a confirmation changes that", () => {
  const { world, before, members, doubt } = setUp();
  const record = doubt();
  expect(record.chain).toEqual([]);
  expect(record.lost.map(({ csId }) => csId)).toEqual(members);
  expect(codeOf(world.reconfigure(record.chunkId, { revive: members[0] }))).toBe("conflict");
  expect(planRevival(world.tables, record, () => "complete")).toBeUndefined();
  world.apply({ type: "doubtChunks", body: { chunks: [before.chunkId] } });
  expect(world.chunk(before.chunkId), "it is in doubt already").toEqual(record);
});

test("what a server has of a chunk in doubt is never taken for useless", () => {
  const { world, others, doubt } = setUp();
  const { chunkId } = doubt();
  const [stranger] = others;
  const replica = { syncing: false, suspect: false, hostCrashed: false, filling: false, position: 0 };
  expect(
    judgeReplica(world.tables, stranger as CsId, { chunkId, version: chunkVersion(9), ...replica }),
  ).toBe("doubted");
});

describe("a chunk is confirmed", () => {
  test("at once when all that were complete are here and nobody is further, in the order of their chain", () => {
    const { world, before, members, doubt } = setUp();
    const record = doubt();
    const reports = members.map((csId, position) => report(csId, before.version, { position }));
    expect(planConfirmation(record, reports.slice(1), HERE), "one may be further").toBeUndefined();
    const next = confirm(world, planConfirmation(record, [...reports].reverse(), HERE));
    expect(world.chain(next.chunkId)).toBe(members.join(" "));
    expect(next.version, "nobody has seen it").toBeGreaterThan(before.version + 1000);
    world.installAll();
    expect(world.chunk(next.chunkId).installed).toBe(true);
  });

  test("not by those that are here while somebody may be further", () => {
    const { before, members, doubt } = setUp();
    const record = doubt();
    const [a, b] = members;
    const reports = [report(a as CsId, before.version), report(b as CsId, before.version)];
    expect(planConfirmation(record, reports, HERE)).toBeUndefined();
    expect(planConfirmation(record, reports, ALL)?.active).toEqual([a, b]);
  });

  test("by the newest replicas, wherever they are, and the older ones are of no use", () => {
    const { world, before, members, others, doubt } = setUp();
    const record = doubt();
    const [d, e] = others as [CsId, CsId];
    const reports = [
      ...members.map((csId) => report(csId, before.version)),
      report(d, before.version + 7, { position: 1 }),
      report(e, before.version + 7, { position: 0 }),
    ];
    expect(planConfirmation(record, reports, HERE), "somebody else may be further still").toBeUndefined();
    const next = confirm(world, planConfirmation(record, reports, ALL));
    expect(world.chain(next.chunkId)).toBe(`${e} ${d}`);
    expect(new Set(next.leftovers)).toEqual(new Set(members));
    expect(next.installedVersion).toBe(before.version + 7);
  });

  test("not by one that began empty and is still being filled, however new", () => {
    const { before, members, doubt } = setUp();
    const record = doubt();
    const [a, b, c] = members as [CsId, CsId, CsId];
    const reports = [
      report(a, before.version + 1),
      report(b, before.version),
      report(c, before.version + 1, { isComplete: false, beganEmpty: true }),
    ];
    expect(planConfirmation(record, reports, ALL)).toMatchObject({ active: [a], stale: [b, c] });
    const empty = [report(c, before.version + 1, { isComplete: false, beganEmpty: true })];
    expect(planConfirmation(record, empty, ALL)).toBeUndefined();
  });

  test("by one that is being filled and kept what it had, if whoever it was filled from is gone", () => {
    const { before, members, doubt } = setUp();
    const record = doubt();
    const [a, b, c] = members as [CsId, CsId, CsId];
    const reports = [
      report(a, before.version),
      report(b, before.version + 1, { isComplete: false, position: 1 }),
      report(c, before.version + 1, { isComplete: false, position: 2 }),
    ];
    expect(planConfirmation(record, reports, ALL)).toMatchObject({ active: [c], refill: [b], stale: [a] });
  });

  test("by those that stopped in order; the others are filled from them", () => {
    const { world, before, members, doubt } = setUp();
    const record = doubt();
    const [a, b, c] = members as [CsId, CsId, CsId];
    const reports = [
      report(a, before.version, { isSuspect: true, position: 0 }),
      report(b, before.version, { position: 1 }),
      report(c, before.version, { isSuspect: true, position: 2 }),
    ];
    const next = confirm(world, planConfirmation(record, reports, HERE));
    expect(world.chain(next.chunkId)).toBe(`${b} ${a}* ${c}*`);
    expect(next.chain.slice(1).every(({ keepContents }) => keepContents)).toBe(true);
  });

  test("where all stopped uncleanly, by the last in the chain whose host stayed up", () => {
    const { before, members, doubt } = setUp();
    const record = doubt();
    const crashed = [false, false, true];
    const reports = members.map((csId, position) =>
      report(csId, before.version, { isSuspect: true, isHostCrashed: crashed[position] === true, position }),
    );
    expect(planConfirmation(record, reports, HERE)?.active).toEqual([members[1]]);
  });

  test("never while nobody has it: its readers wait, and its file can be removed", () => {
    const { world, doubt } = setUp();
    const record = doubt();
    expect(planConfirmation(record, [], ALL)).toBeUndefined();
    const nothing = { active: [], refill: [], stale: [] };
    const { chunkId, version } = record;
    const body = { chunkId, version, foundVersion: version, ...nothing };
    expect(codeOf(world.apply({ type: "confirmChunk", body }).outcome)).toBe("conflict");
  });
});

test("a chunk that nobody had written, and nobody has, is forgotten: it reads as zeros", () => {
  const world = new ChunkWorld(4, { replicas: 3, replicasMinimum: 1 });
  world.allocate();
  const { chunkId } = world.chunkOf(0);
  world.apply({ type: "doubtChunks", body: { chunks: [chunkId] } });
  verifyConsistency(world.tables.dump());
  const record = world.chunk(chunkId);
  expect(planConfirmation(record, [], HERE)).toBeUndefined();
  const body = planConfirmation(record, [], ALL);
  expect(body?.active).toEqual([]);
  if (body !== undefined) world.apply({ type: "confirmChunk", body });
  expect(world.tables.chunks.get(chunkId)).toBeUndefined();
  verifyConsistency(world.tables.dump());
});

test("a chunk that nobody had written when the record was made, but somebody since, is found", () => {
  const world = new ChunkWorld(4, { replicas: 3, replicasMinimum: 1 });
  world.allocate();
  const { chunkId, chain } = world.chunkOf(0);
  world.apply({ type: "doubtChunks", body: { chunks: [chunkId] } });
  const reports = chain.map(({ csId }, position) => report(csId, 1, { position }));
  confirm(world, planConfirmation(world.chunk(chunkId), reports, ALL));
  expect(world.chain(chunkId)).toBe(chain.map(({ csId }) => csId).join(" "));
});

test("a truncation of a chunk in doubt is carried out when it is confirmed", () => {
  const { world, before, members, doubt } = setUp();
  doubt();
  world.report(world.sessionId, world.ino, 4096);
  world.mutate(world.sessionId, "truncate", { ino: world.ino, sizeBytes: 100 });
  const record = world.chunk(before.chunkId);
  const reports = members.map((csId, position) => report(csId, before.version, { position }));
  const next = confirm(world, planConfirmation(record, reports, HERE));
  expect(next.truncateBytes).toBe(100);
});
