import { expect, test } from "vitest";
import { chunkId, chunkVersion, csId } from "../../../../src/chunk/index.js";
import type { Change } from "../../../../src/mds/core/command.js";
import { decodeCommand, encodeCommand } from "../../../../src/mds/store/command-codec.js";
import { inodeNumber, sessionId } from "../../../../src/meta/index.js";

const chunk = { chunkId: chunkId(2 ** 40 + 1), version: chunkVersion(7) };
const id = { sequence: 3, answeredBelow: 2, unanswered: [] };
const ino = inodeNumber(9);
const space = { totalBytes: 2 ** 50, freeBytes: 5 };

/** One of each kind, with and without what is optional. */
const CHANGES: readonly Change[] = [
  {
    type: "genesis",
    body: { clusterId: "c", name: "n", secrets: new Uint8Array([1, 2]), address: "1:1", hostId: "h" },
  },
  { type: "raiseLevel", body: { level: 2 } },
  { type: "addMds", body: { address: "1:1", hostId: "h" } },
  { type: "removeMds", body: { mdsId: 3 } },
  { type: "setConfig", body: { name: "n", value: "v", expectedSequence: 0 } },
  { type: "setConfig", body: { name: "n", value: "v", expectedSequence: undefined } },
  { type: "recordEvent", body: { system: "JRN", severity: "warn", message: "m" } },
  { type: "beginSession", body: { hostname: "x", hostId: "h", program: "p" } },
  { type: "endSession", body: { sessionId: sessionId(4), reason: "r" } },
  {
    type: "mutate",
    body: { sessionId: sessionId(4), mutation: { type: "open", body: { id, ino, access: "exclusive" } } },
  },
  {
    type: "mutate",
    body: {
      sessionId: sessionId(4),
      mutation: {
        type: "setXattr",
        body: { id, ino, name: new Uint8Array([0xff]), value: new Uint8Array(70), mode: "any" },
      },
    },
  },
  { type: "dropChunks", body: { ino, indexes: [0, 5, 2 ** 33], isLast: true } },
  { type: "finishRecovery", body: { ino } },
  { type: "sweepChunks", body: { ino, indexes: [], isLast: false, sequence: 2 } },
  {
    type: "reconfigureChunk",
    body: {
      ...chunk,
      remove: [csId(1025), csId(1026)],
      areSurplus: true,
      add: [{ csId: csId(1027), keepContents: true }],
      revive: csId(1028),
      reason: "r",
    },
  },
  {
    type: "reconfigureChunk",
    body: { ...chunk, remove: [], areSurplus: false, add: [], revive: undefined, reason: "" },
  },
  { type: "chunkInstalled", body: { ...chunk, highWaterBytes: 2 ** 31 } },
  { type: "replicaSynced", body: { ...chunk, csId: csId(1025) } },
  { type: "replicasDeleted", body: { csId: csId(1025), replicas: [chunk, chunk] } },
  { type: "addCs", body: { hostId: "h", location: "1.2.3", tier: 3 } },
  {
    type: "registerCs",
    body: {
      csId: csId(1025),
      address: "1:1",
      hostId: "h",
      location: "0.0.0",
      tier: 0,
      incarnation: 9,
      runs: ["a", "b"],
      space,
    },
  },
  { type: "updateCs", body: { csId: csId(1025), space, replicaCount: 12, flags: "JC" } },
  { type: "setCsActivity", body: { csId: csId(1025), activity: "offline" } },
  { type: "setCsMaintenance", body: { csId: csId(1025), incarnation: 9, isInMaintenance: true } },
  { type: "removeCs", body: { csId: csId(1025), force: true, cancel: false } },
  { type: "adoptReplicas", body: { csId: csId(1025), unknown: [chunk] } },
];

test.each(CHANGES.map((change) => ({ type: change.type, change })))(
  "a command of type $type comes out of the log as it went in",
  ({ change }) => {
    const command = { stampMs: 1_700_000_000_000.25, change };
    expect(decodeCommand(encodeCommand(command))).toEqual(command);
  },
);

test("bytes that are no command are refused", () => {
  expect(() => decodeCommand(new Uint8Array([1, 2, 3]))).toThrow("malformed");
  expect(() => decodeCommand(new Uint8Array(0))).toThrow("malformed");
  const mutation: Change = {
    type: "mutate",
    body: { sessionId: sessionId(1), mutation: { type: "revoke", body: { id, ino } } },
  };
  const bytes = encodeCommand({ stampMs: 1, change: mutation });
  expect(() => decodeCommand(bytes.slice(0, -1))).toThrow("malformed");
});
