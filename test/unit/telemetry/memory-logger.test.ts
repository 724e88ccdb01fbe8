import { describe, expect, test } from "vitest";
import { describeFields, failOnErrorLine, memoryLogger, noopLogger } from "../../../src/telemetry/index.js";

describe("the memory logger", () => {
  test("keeps the lines of all children in order, with the fields of their ancestors", () => {
    const log = memoryLogger();
    const child = log.child({ nodeId: 1 }).child({ room: "raft" });
    log.info("started");
    child.warn("slow", { delayMs: 5, nodeId: 2 });

    expect(log.lines).toEqual([
      { level: "info", message: "started", fields: {} },
      { level: "warn", message: "slow", fields: { nodeId: 2, room: "raft", delayMs: 5 } },
    ]);
  });

  test("fails the run on an error line when told to", () => {
    const log = memoryLogger({ onLine: failOnErrorLine });
    log.warn("not yet");
    const cause = new Error("broken");
    let thrown: unknown;
    try {
      log.child({ nodeId: 3n }).error("the disk is gone", { error: cause });
    } catch (error) {
      thrown = error;
    }

    expect(String(thrown)).toContain(
      'error line in the log: the disk is gone {"nodeId":"3","error":"broken"}',
    );
    expect(thrown).toMatchObject({ cause });
  });

  test("keeps only the last lines", () => {
    const log = memoryLogger({ lineCountMax: 2 });
    for (const message of ["a", "b", "c"]) log.debug(message);

    expect(log.lines.map((line) => line.message)).toEqual(["b", "c"]);
  });

  test("fields are told on one line, with integers of any size and errors by their message", () => {
    expect(describeFields({ inode: 2n ** 60n, error: new Error("x") })).toBe(
      '{"inode":"1152921504606846976","error":"x"}',
    );
  });

  test("the silent logger has silent children", () => {
    expect(noopLogger.child({ a: 1 })).toBe(noopLogger);
  });
});
