import { expect, test } from "vitest";
import { chunkId, csId } from "../../../../src/chunk/index.js";
import { damageEvent, scrubOrders } from "../../../../src/mds/core/bit-rot.js";
import { MemoryTables } from "./memory-tables.js";

const NOTHING = {
  number: 1,
  mendedCount: 0,
  lostCount: 0,
  replacedCount: 0,
  chunkId: chunkId(7),
  offset: 4096,
};

test("chunk servers read everything in 14 days at 10 MB/s unless the configuration says otherwise", () => {
  const tables = new MemoryTables();
  expect(scrubOrders(tables)).toEqual({ periodMs: 14 * 86_400_000, bytesPerSecond: 10 * 2 ** 20 });

  tables.config.put({ name: "cs.scrub.period", value: "0", sequence: 1 }, "cs.scrub.period");
  expect(scrubOrders(tables).periodMs).toBe(0);
});

test("people are told how much was damaged, where the last of it is, and what became of it", () => {
  expect(damageEvent(csId(1025), { ...NOTHING, mendedCount: 1 })).toEqual({
    system: "CS",
    severity: "warn",
    message: "CS#1025 has a damaged block (in chunk 7 at byte 4096): 1 mended from other replicas",
  });
  const all = damageEvent(csId(1025), { ...NOTHING, mendedCount: 3, lostCount: 1, replacedCount: 2 });
  expect(all.severity).toBe("err");
  expect(all.message).toBe(
    "CS#1025 has 6 damaged blocks (the last in chunk 7 at byte 4096): 3 mended from other replicas, " +
      "2 in replicas that are replaced, 1 whole in no replica, which are kept in quarantine",
  );
});
