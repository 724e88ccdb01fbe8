import { expect, test } from "vitest";
import { csId, LEVEL } from "../../../src/chunk/index.js";
import type { CsRecord } from "../../../src/mds/core/records.js";
import { CsLinks } from "../../../src/mds/cs-links.js";
import { CsLiveness } from "../../../src/mds/cs-liveness.js";
import type { CallServer } from "../../../src/rpc/index.js";
import { ManualClock } from "../rpc/fake-channel.js";
import { MemoryTables } from "./core/memory-tables.js";

const CS = csId(1025);
const INACTIVE_MS = 10_000;
const OFFLINE_MS = 300_000;

const ACTIVE: CsRecord = {
  csId: CS,
  hostId: "0000000000000001",
  location: "0.0.0",
  tier: 0,
  address: "10.0.0.1:1",
  incarnation: 1,
  activity: "active",
  activitySinceMs: 0,
  failedMs: 0,
  administration: "normal",
  totalBytes: 100,
  freeBytes: 100,
  replicaCount: 0,
  flags: "",
};

class FakeServer implements CallServer<never> {
  readonly peer = { address: "10.0.0.1:1", clusterId: "", hostId: "", roles: [] };
  isClosed = false;
  push(): boolean {
    return true;
  }
  drained(): Promise<void> {
    return Promise.resolve();
  }
  onClose(): void {}
  close(): void {
    this.isClosed = true;
  }
}

function world() {
  const clock = new ManualClock();
  const tables = new MemoryTables();
  const links = new CsLinks(clock);
  tables.chunkServers.put(ACTIVE, CS);
  return { clock, tables, links, liveness: new CsLiveness({ clock, tables, links }) };
}

const activities = (liveness: CsLiveness): unknown[] =>
  liveness.tick().map(({ type, body }) => (type === "setCsActivity" ? { ...(body as object) } : type));

test("a server whose connection breaks is inactive at once", () => {
  const { links, liveness } = world();
  const server = new FakeServer();
  links.connect(CS, server, LEVEL);
  expect(liveness.changed(CS)).toBeUndefined();
  links.disconnect(CS, server);
  expect(liveness.changed(CS)).toEqual({ type: "setCsActivity", body: { csId: CS, activity: "inactive" } });
});

test("a server that is connected is made active again, whatever overtook its registration", () => {
  const { clock, tables, links, liveness } = world();
  tables.chunkServers.put({ ...ACTIVE, activity: "offline" }, CS);
  links.connect(CS, new FakeServer(), LEVEL);
  liveness.changed(CS);
  clock.advance(500);
  expect(activities(liveness)).toEqual([{ csId: CS, activity: "active" }]);
});

test("a new leader gives a server the full time to come before it is inactive, and then offline", () => {
  const { clock, tables, liveness } = world();
  clock.advance(INACTIVE_MS);
  expect(activities(liveness)).toEqual([]);
  clock.advance(1);
  expect(activities(liveness)).toEqual([{ csId: CS, activity: "inactive" }]);
  tables.chunkServers.put({ ...ACTIVE, activity: "inactive" }, CS);
  clock.advance(OFFLINE_MS - INACTIVE_MS - 1);
  expect(activities(liveness)).toEqual([]);
  clock.advance(1);
  expect(activities(liveness)).toEqual([{ csId: CS, activity: "offline" }]);
});

test("a server that is connected but says nothing is cut off", () => {
  const { clock, links, liveness } = world();
  const server = new FakeServer();
  links.connect(CS, server, LEVEL);
  liveness.changed(CS);
  clock.advance(INACTIVE_MS + 1);
  expect(activities(liveness)).toEqual([]);
  expect(server.isClosed).toBe(true);
});

test("a server that registered and went before it was connected does not stay active", () => {
  const { clock, tables, liveness } = world();
  const late = csId(1026);
  tables.chunkServers.put({ ...ACTIVE, csId: late }, late);
  clock.advance(INACTIVE_MS + 1);
  liveness.tick();
  clock.advance(INACTIVE_MS + 1);
  expect(activities(liveness)).toContainEqual({ csId: late, activity: "inactive" });
});

test("silence while this process stood still is forgiven", () => {
  const { clock, liveness } = world();
  clock.advance(OFFLINE_MS * 2);
  liveness.forgiveSilence();
  expect(activities(liveness)).toEqual([]);
});

test("a maintenance ends when its time is over, by the clock on the wall", () => {
  const { clock, tables, liveness } = world();
  const sinceMs = clock.wallMs();
  tables.chunkServers.put({ ...ACTIVE, activity: "offline", maintenanceSinceMs: sinceMs }, CS);
  clock.advance(1_799_999);
  expect(liveness.tick()).toEqual([]);
  clock.advance(1);
  const body = { csId: CS, incarnation: 1, isInMaintenance: false };
  expect(liveness.tick()).toEqual([{ type: "setCsMaintenance", body }]);
});

test("a removed server is not looked after any more", () => {
  const { clock, tables, liveness } = world();
  tables.chunkServers.put({ ...ACTIVE, administration: "dropped" }, CS);
  clock.advance(OFFLINE_MS * 2);
  expect(activities(liveness)).toEqual([]);
});
