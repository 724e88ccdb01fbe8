import { describe, expect, test } from "vitest";
import {
  AssertionError,
  FAILURES,
  failureOf,
  isFailureCode,
  StorageError,
  storageError,
} from "../../../src/base/index.js";

describe("the table of failures", () => {
  test("what a caller can retry says so to POSIX and to gRPC as well", () => {
    for (const [code, { grpc, errno, retry }] of Object.entries(FAILURES)) {
      if (errno === "EAGAIN" && code !== "conflict") expect(retry).not.toBe("never");
      if (grpc === "UNAVAILABLE") expect(["elsewhere", "later"]).toContain(retry);
      if (grpc === "INVALID_ARGUMENT" || grpc === "UNIMPLEMENTED") expect(retry).toBe("never");
    }
  });

  test("every code is written in small letters and underscores, and is recognized", () => {
    for (const code of Object.keys(FAILURES)) {
      expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
      expect(isFailureCode(code)).toBe(true);
    }
    expect(["toString", "", "NOT_FOUND"].some(isFailureCode)).toBe(false);
  });

  test("the original's errno meanings are kept where people rely on them", () => {
    expect(FAILURES.not_found.errno).toBe("ENOENT");
    expect(FAILURES.no_space.errno).toBe("ENOSPC");
    expect(FAILURES.chunk_corrupt.errno).toBe("EIO");
  });
});

describe("a StorageError", () => {
  test("carries its failure, a line for people, and the cause", () => {
    const cause = new Error("the disk");
    const error = storageError("io_error", "reading /x", cause);

    expect(error).toBeInstanceOf(StorageError);
    expect(error.message).toBe("io_error: reading /x");
    expect(error.code).toBe("io_error");
    expect(error.cause).toBe(cause);
    expect(failureOf(error)).toEqual({ code: "io_error", detail: "reading /x" });
    expect(storageError("busy").message).toBe("busy");
  });

  test("only a StorageError is a failure; anything else is a bug", () => {
    expect(failureOf(new AssertionError("broken"))).toBeUndefined();
    expect(failureOf({ failure: { code: "busy", detail: "" } })).toBeUndefined();
    expect(failureOf(undefined)).toBeUndefined();
  });

  test("keeps the hint to the leader", () => {
    const failure = { code: "not_leader", detail: "", leaderHint: "10.0.0.1:2511" } as const;

    expect(failureOf(new StorageError(failure))).toEqual(failure);
  });
});
