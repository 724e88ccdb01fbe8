import { describe, expect, test } from "vitest";
import { recoveryLines } from "../../../../../src/cli/commands/cluster/recovery.js";
import type { RecoveryStatus } from "../../../../../src/meta/index.js";

const RECOVERED: RecoveryStatus = {
  ...{ epoch: 1, wallMs: 0, source: "a backup", doubtedCount: 2, awaitedServers: [], missingCount: 1 },
  ...{ missingFiles: ["/images/1"], orphanCount: 0, orphansUntilMs: 0, isEveryoneHeard: true },
};
const lines = (change: Partial<RecoveryStatus>): string[] =>
  recoveryLines({ ...RECOVERED, ...change }).slice(1);

describe("what a recovery has left", () => {
  test("are files with parts that nobody has, when all were heard", () => {
    expect(lines({})).toEqual([
      "Chunks in doubt:                  2",
      "  nobody has anything of:         1",
      "Replicas only the lost time knew: 0",
      "Files with parts that nobody has:",
      "  /images/1",
    ]);
  });

  test("is nothing that is lost, while a server is waited for", () => {
    expect(lines({ isEveryoneHeard: false, awaitedServers: [1025, 1027] })).toEqual([
      "Chunks in doubt:                  2",
      "  nothing heard of so far:        1",
      "Replicas only the lost time knew: 0",
      "Waiting for CS#1025, CS#1027: bring them back, or remove those that are lost (rm-cs -f)",
      "Files with parts that those servers may have; leave them as they are:",
      "  /images/1",
    ]);
  });

  test("is nothing that is lost, while servers may come that the metadata do not know", () => {
    expect(lines({ isEveryoneHeard: false }).at(-2)).toBe(
      "Files with parts that servers that the metadata do not know may have; leave them as they are:",
    );
  });

  test("is nothing at all where nothing was recovered", () => {
    expect(recoveryLines({ ...RECOVERED, epoch: 0 })).toEqual(["The metadata were never recovered."]);
  });
});
