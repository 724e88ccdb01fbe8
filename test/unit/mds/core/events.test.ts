import { beforeAll, describe, expect, test } from "vitest";
import { chunkId, csId } from "../../../../src/chunk/index.js";
import { damageEvent } from "../../../../src/mds/core/bit-rot.js";
import { ChunkWorld } from "./chunk-world.js";
import { CoreWorld } from "./core-world.js";
import { BY_LOOPS, patternOf, ROWS } from "./event-rows.js";

/** Every event, caused by what causes it, beside the list that operators read. */

const FIRST = csId(1025);

interface Told {
  readonly system: string;
  readonly severity: string;
  readonly message: string;
}

/** Chunk servers that come, go, move, fail and are released. */
function ofServers(): ChunkWorld {
  const world = new ChunkWorld(5);
  const { apply } = { apply: world.apply.bind(world) };
  const activity = (id: number, to: "active" | "inactive" | "offline"): void =>
    void apply({ type: "setCsActivity", body: { csId: csId(id), activity: to } });
  const register = (change: object): void => {
    const record = world.tables.chunkServers.get(FIRST);
    if (record === undefined) throw new Error("the server exists");
    const { address, hostId, location, tier, incarnation } = record;
    const space = { totalBytes: 1e12, freeBytes: 5e11 };
    const place = { address, hostId, location, tier };
    const body = { csId: FIRST, ...place, incarnation: incarnation + 1, runs: ["run"], space, ...change };
    apply({ type: "registerCs", body });
  };
  activity(1025, "inactive");
  activity(1025, "active");
  const maintain = (isInMaintenance: boolean): void => {
    const incarnation = world.tables.chunkServers.get(FIRST)?.incarnation ?? 0;
    apply({ type: "setCsMaintenance", body: { csId: FIRST, incarnation, isInMaintenance } });
  };
  maintain(true);
  maintain(false);
  maintain(true);
  activity(1025, "inactive");
  register({});
  maintain(true);
  activity(1025, "inactive");
  activity(1025, "offline");
  maintain(false);
  register({});
  activity(1025, "inactive");
  register({ location: "1.2.3", tier: 1 });
  for (const id of [1025, 1026, 1027]) activity(id, "offline");
  register({});
  const space = { totalBytes: 1e12, freeBytes: 5e11 };
  apply({ type: "updateCs", body: { csId: csId(1026), space, replicaCount: 0, flags: "H" } });
  world.written();
  const holder = world.chunkOf(0).chain[0]?.csId ?? FIRST;
  const remove = (how: { csId: typeof FIRST; force?: boolean; cancel?: boolean }): void =>
    void apply({ type: "removeCs", body: { force: false, cancel: false, ...how } });
  remove({ csId: holder });
  remove({ csId: holder, cancel: true });
  remove({ csId: holder, force: true });
  const empty = world.servers.find((id) => id !== holder && id !== FIRST) ?? FIRST;
  remove({ csId: empty });
  return world;
}

/** Metadata servers and clients that come and go. */
function ofOthers(): ChunkWorld {
  const world = new ChunkWorld(1);
  world.apply({ type: "addMds", body: { address: "10.0.0.2:2510", hostId: "h2" } });
  world.apply({ type: "removeMds", body: { mdsId: 2 } });
  const other = world.session();
  world.mutate(other, "revoke", { ino: world.ino });
  world.apply({ type: "endSession", body: { sessionId: other, reason: "its lease ran out" } });
  const recovered = { epoch: 2e8, mdsId: 3_333_334, address: "10.0.0.9:2510", hostId: "h9" };
  world.apply({ type: "beginEpoch", body: { ...recovered, source: "a backup" } });
  return world;
}

function ofUpgrade(): CoreWorld {
  const world = new CoreWorld({ level: 1 });
  world.apply({ type: "raiseLevel", body: { level: 2 } });
  return world;
}

/** Found by a chunk server that has other bytes than the others: a chunk of which only a test of the mending can be made. */
function ofDamage(): Told {
  const place = { number: 1, chunkId: chunkId(7), offset: 4096 };
  return damageEvent(FIRST, { ...place, mendedCount: 0, lostCount: 0, replacedCount: 2 });
}

describe("the event log", () => {
  let told: Told[];
  beforeAll(() => {
    const recorded = [ofServers(), ofOthers(), ofUpgrade()].flatMap((world) =>
      world.tables.events.entries().map(([, event]): Told => event),
    );
    told = [...recorded, ofDamage()];
  });

  const rows = ROWS.filter(({ message }) => !BY_LOOPS.includes(message));
  test.each(rows)("says: $message", ({ system, severity, message }) => {
    const pattern = patternOf(message);
    expect(told.filter((event) => pattern.test(event.message))).toContainEqual(
      expect.objectContaining({ system, severity }),
    );
  });

  test("says nothing that operators cannot look up", () => {
    const known = ROWS.map((row) => ({ ...row, pattern: patternOf(row.message) }));
    const unknown = told.filter(
      ({ system, severity, message }) =>
        !known.some((row) => row.system === system && row.severity === severity && row.pattern.test(message)),
    );
    expect(unknown).toEqual([]);
  });
});
