import { expect, test } from "vitest";
import type { StorageError } from "../../../src/base/index.js";
import { chunkId, chunkVersion, LEVEL } from "../../../src/chunk/index.js";
import { SessionHub } from "../../../src/mds/session-hub.js";
import { inodeNumber, type MetadataPush, sessionId } from "../../../src/meta/index.js";
import type { CallServer } from "../../../src/rpc/index.js";
import { ManualClock, settle } from "../rpc/fake-channel.js";

const ANN = sessionId(1);
const BOB = sessionId(2);
const INO = inodeNumber(9);

class FakeConnection implements CallServer<MetadataPush> {
  readonly peer = { address: "10.0.0.1:1", clusterId: "", hostId: "", roles: [] };
  readonly pushed: MetadataPush[] = [];
  isClosed = false;
  push(push: MetadataPush): boolean {
    this.pushed.push(push);
    return true;
  }
  drained(): Promise<void> {
    return Promise.resolve();
  }
  onClose(): void {}
  close(_failure?: StorageError): void {
    this.isClosed = true;
  }
}

test("a session is silent from its last word on, and a new leader gives everybody a full term", () => {
  const clock = new ManualClock();
  const hub = new SessionHub(clock, [ANN, BOB]);
  clock.advance(900);
  hub.heard(BOB);
  clock.advance(200);
  expect(hub.silentLongerThan(1000)).toEqual([ANN]);
  expect(hub.silentLongerThan(1200)).toEqual([]);
});

test("silence while this process stood still is forgiven", () => {
  const clock = new ManualClock();
  const hub = new SessionHub(clock, [ANN]);
  clock.advance(60_000);
  hub.forgiveSilence();
  expect(hub.silentLongerThan(1000)).toEqual([]);
});

test("a session that connects again leaves its older connection", () => {
  const hub = new SessionHub(new ManualClock(), []);
  const [older, newer] = [new FakeConnection(), new FakeConnection()];
  hub.connect(ANN, older, LEVEL);
  hub.connect(ANN, newer, LEVEL);
  expect([older.isClosed, newer.isClosed]).toEqual([true, false]);
  // What the older connection does when it ends does not concern the newer one.
  hub.disconnect(ANN, older);
  hub.push(ANN, { type: "sessionEnded", body: { reason: "test" } });
  expect(newer.pushed).toHaveLength(1);
});

test("a map counts as dropped when the session says so for that version, not before", async () => {
  const hub = new SessionHub(new ManualClock(), []);
  const connection = new FakeConnection();
  hub.connect(ANN, connection, LEVEL);
  let isDropped = false;
  void hub.dropMap(ANN, INO, chunkId(3), chunkVersion(2)).then(() => {
    isDropped = true;
  });
  hub.mapDropped(ANN, chunkId(3), chunkVersion(1));
  hub.mapDropped(BOB, chunkId(3), chunkVersion(2));
  await settle();
  expect(isDropped).toBe(false);
  hub.mapDropped(ANN, chunkId(3), chunkVersion(2));
  await settle();
  expect(isDropped).toBe(true);
});

test("a session that is away is told to drop its map when it comes back, and is waited for until it ends", async () => {
  const hub = new SessionHub(new ManualClock(), [ANN]);
  let isDropped = false;
  void hub.dropMap(ANN, INO, chunkId(3), chunkVersion(2)).then(() => {
    isDropped = true;
  });
  const connection = new FakeConnection();
  hub.connect(ANN, connection, LEVEL);
  hub.repeatDrops(ANN);
  expect(connection.pushed.map(({ type }) => type)).toEqual(["chunkMapChanged"]);
  await settle();
  expect(isDropped).toBe(false);
  hub.end(ANN, "silent");
  await settle();
  expect(isDropped).toBe(true);
});

test("a session that has lost its lease is not waited for, as far as that file is concerned", async () => {
  const hub = new SessionHub(new ManualClock(), [ANN]);
  const dropped: number[] = [];
  const other = inodeNumber(INO + 1);
  void hub.dropMap(ANN, INO, chunkId(3), chunkVersion(2)).then(() => dropped.push(3));
  void hub.dropMap(ANN, other, chunkId(4), chunkVersion(2)).then(() => dropped.push(4));
  hub.leaseLost(BOB, INO);
  await settle();
  expect(dropped).toEqual([]);
  hub.leaseLost(ANN, INO);
  await settle();
  expect(dropped).toEqual([3]);
});

test("a session nobody knows has no map to drop", async () => {
  const hub = new SessionHub(new ManualClock(), []);
  await hub.dropMap(ANN, INO, chunkId(3), chunkVersion(2));
});
