import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { chunkId, csId } from "../../../../src/chunk/index.js";
import { damageEvent } from "../../../../src/mds/core/bit-rot.js";
import { GroupWatch, SILENT_MS, SpaceWatch } from "../../../../src/mds/core/group-watch.js";
import { ChunkWorld } from "./chunk-world.js";
import { CoreWorld } from "./core-world.js";

/** Every event, caused by what causes it, beside the list that operators read. */

const root = dirname(dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url))))));
const textOf = (path: string): string => readFileSync(join(root, path), "utf8");
const FIRST = csId(1025);

interface Told {
  readonly system: string;
  readonly severity: string;
  readonly message: string;
}

const ROWS = [...textOf("docs/operating/events.md").matchAll(/^\| (\w+) \| (\w+) \| `([^`]+)` \|/gm)].map(
  ([, system = "", severity = "", message = ""]) => ({ system, severity, message }),
);

/** Told by loops of the leader, not by the state machine: where they are caused. */
const ELSEWHERE: Readonly<Record<string, { readonly source: string; readonly test: string }>> = {
  "MDS#N at ADDRESS became master": {
    source: "src/mds/metadata-server.ts",
    test: "test/cluster/top.test.ts",
  },
  "Automatic replication is suppressed: REASON": {
    source: "src/mds/repair-loop.ts",
    test: "test/cluster/survival.test.ts",
  },
  "Automatic replication goes on": {
    source: "src/mds/repair-loop.ts",
    test: "test/cluster/survival.test.ts",
  },
};

/** Numbers for N, anything for other words in capitals. */
function patternOf(message: string): RegExp {
  const literal = message.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const words = /\b(NAME|ADDRESS|HOST|PLACE|FLAGS|REASON|SOURCE)\b/g;
  return new RegExp(`^${literal.replace(words, ".+").replace(/(?<![A-Za-z])N\b/g, "\\d+")}$`);
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

function ofWatches(): Told[] {
  const [group, space] = [new GroupWatch(), new SpaceWatch()];
  const base = { mdsId: 2, address: "10.0.0.2:2510", isVoter: true, isActive: true, snapshotCount: 0 };
  let nowMs = 0;
  const look = (member: object, lastIndex: number, afterMs = 1000) => {
    nowMs += afterMs;
    return group.look([{ ...base, matchIndex: 0, ...member }], lastIndex, nowMs);
  };
  const full = { allocatableBytes: 100, allocatableFreeBytes: 0, capacityBytes: 0, usedBytes: 100 };
  return [
    ...look({ isVoter: false, snapshotCount: 1 }, 10),
    ...look({ snapshotCount: 2 }, 10),
    ...look({ snapshotCount: 2, matchIndex: 10 }, 5000),
    ...look({ snapshotCount: 2, matchIndex: 5000 }, 5000),
    ...look({ snapshotCount: 2, matchIndex: 5000, isActive: false }, 5001, SILENT_MS),
    ...look({ snapshotCount: 2, matchIndex: 5001 }, 5001),
    ...space.look(full),
    ...space.look({ ...full, allocatableFreeBytes: 50 }),
    ...space.look({ ...full, capacityBytes: 100 }),
  ];
}

function ofDamage(): Told[] {
  const none = {
    number: 1,
    chunkId: chunkId(7),
    offset: 4096,
    mendedCount: 0,
    lostCount: 0,
    replacedCount: 0,
  };
  return [{ mendedCount: 1 }, { replacedCount: 2 }, { lostCount: 3 }].map((counts) =>
    damageEvent(FIRST, { ...none, ...counts }),
  );
}

describe("the event log", () => {
  let told: Told[];
  beforeAll(() => {
    const recorded = [ofServers(), ofOthers(), ofUpgrade()].flatMap((world) =>
      world.tables.events.entries().map(([, event]): Told => event),
    );
    told = [...recorded, ...ofWatches(), ...ofDamage()];
  });

  test.each(ROWS)("says: $message", ({ system, severity, message }) => {
    const elsewhere = ELSEWHERE[message];
    if (elsewhere !== undefined) {
      const words = message.replace(/^MDS#N at ADDRESS | REASON$/g, "");
      expect(textOf(elsewhere.source)).toContain(words);
      expect(textOf(elsewhere.test)).toContain(words);
      return;
    }
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
