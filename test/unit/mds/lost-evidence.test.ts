import { expect, test } from "vitest";
import { chunkId, chunkVersion, csId } from "../../../src/chunk/index.js";
import { Evidence } from "../../../src/mds/lost-evidence.js";

const SERVER = csId(7);
const RECORD = { chunkId: chunkId(1), installedVersion: chunkVersion(5) };

function evidenceAfter(evidence: "suspect" | "hostCrashed" | "missing"): Evidence {
  const known = new Evidence();
  known.reported(SERVER, new Map([[RECORD.chunkId, { evidence, installedVersion: chunkVersion(5) }]]));
  return known;
}

test("nothing is known of a server that is not connected", () => {
  const evidence = evidenceAfter("suspect");
  expect(evidence.of(csId(8), RECORD)).toBe("unknown");
  evidence.forget(SERVER);
  expect(evidence.of(SERVER, RECORD)).toBe("unknown");
});

test("what the inventory said counts also for a replica that is lost later", () => {
  expect(evidenceAfter("hostCrashed").of(SERVER, RECORD)).toBe("hostCrashed");
});

test("a replica against which the inventory said nothing is complete when it is lost", () => {
  expect(evidenceAfter("missing").of(SERVER, { ...RECORD, chunkId: chunkId(2) })).toBe("complete");
});

test("a full member of a version installed since the inventory is complete", () => {
  expect(evidenceAfter("missing").of(SERVER, { ...RECORD, installedVersion: chunkVersion(6) })).toBe(
    "complete",
  );
});

test("a replica filled since the inventory is complete", () => {
  const evidence = evidenceAfter("missing");
  evidence.filled(SERVER, RECORD.chunkId);
  expect(evidence.of(SERVER, RECORD)).toBe("complete");
});

test("a replica that its server cannot use is missing until the server connects again", () => {
  const evidence = evidenceAfter("suspect");
  evidence.useless(SERVER, RECORD);
  expect(evidence.of(SERVER, RECORD)).toBe("missing");
  evidence.reported(SERVER, new Map());
  expect(evidence.of(SERVER, RECORD)).toBe("complete");
});

test("a complete replica that is filled anew may lack what others have, until it is filled", () => {
  const evidence = evidenceAfter("missing");
  evidence.refilled(SERVER, RECORD);
  expect(evidence.of(SERVER, RECORD)).toBe("missing");
  evidence.filled(SERVER, RECORD.chunkId);
  evidence.refilled(SERVER, RECORD);
  expect(evidence.of(SERVER, RECORD)).toBe("suspect");
  evidence.filled(SERVER, RECORD.chunkId);
  expect(evidence.of(SERVER, RECORD)).toBe("complete");
});
