import { describe, expect, test } from "vitest";
import { FAILURES, type FailureCode } from "../../../../src/base/index.js";
import { type ChainMember, csId, IO_BYTES_MAX } from "../../../../src/chunk/index.js";
import { ioSlices } from "../../../../src/client/core/io-slices.js";
import { MdsCandidates } from "../../../../src/client/core/mds-candidates.js";
import { joinPath, splitPath } from "../../../../src/client/core/paths.js";
import { chooseReplica, type ServerLoad } from "../../../../src/client/core/replica-choice.js";
import {
  afterChunkFailure,
  afterMetadataFailure,
  pauseMs,
} from "../../../../src/client/core/retry-policy.js";

const CODES = Object.keys(FAILURES) as FailureCode[];

describe("what a failure means", () => {
  test("answers are for the caller, ways that failed are tried elsewhere, passing conditions again", () => {
    const stepOf = (code: FailureCode) => afterMetadataFailure(code, 0, 0).type;
    expect(
      ["not_found", "exists", "not_empty", "invalid", "quota_exceeded"].map((c) => stepOf(c as FailureCode)),
    ).toEqual(Array(5).fill("fail"));
    expect(["not_leader", "unavailable"].map((c) => stepOf(c as FailureCode))).toEqual([
      "elsewhere",
      "elsewhere",
    ]);
    expect(
      ["busy", "no_space", "too_few_replicas", "timed_out"].map((c) => stepOf(c as FailureCode)),
    ).toEqual(Array(4).fill("again"));
    expect(stepOf("lease_conflict")).toBe("fail");
  });

  test("no repetition is without a pause for ever", () => {
    for (const code of CODES) {
      const step = afterMetadataFailure(code, 5, 0.5);
      if (step.type !== "fail") expect(step.delayMs, code).toBeGreaterThan(10);
      const chunkStep = afterChunkFailure(code, 5, 5, 0.5);
      if (chunkStep.type !== "fail") expect(chunkStep.delayMs, code).toBeGreaterThan(10);
    }
  });

  test("no fault of a chunk server fails a request, only what the caller or this client got wrong", () => {
    const failing = CODES.filter((code) => afterChunkFailure(code, 0, 1, 0).type === "fail").sort();
    expect(failing).toEqual(
      [
        "cancelled",
        "closed",
        "invalid",
        "lease_lost",
        "malformed",
        "unauthenticated",
        "unauthorized",
        "unsupported",
        "wrong_cluster",
      ].sort(),
    );
  });

  test("a map called stale is asked for anew; a server that calls the newest one stale again and again has failed", () => {
    expect(afterChunkFailure("stale_map", 0, 1, 0)).toEqual({ type: "refresh", delayMs: 0 });
    expect(afterChunkFailure("stale_map", 3, 4, 0).type).toBe("report");
  });

  test("pauses double up to their limit, and differ by chance", () => {
    const backoff = { delayMsMin: 10, delayMsMax: 100 };
    expect([1, 2, 3, 9].map((attempt) => pauseMs(attempt, 0, backoff))).toEqual([5, 10, 20, 50]);
    expect(pauseMs(9, 0.999, backoff)).toBeLessThanOrEqual(100);
  });
});

describe("which metadata server to ask", () => {
  const asIs = (addresses: readonly string[]) => [...addresses];

  test("a hint comes first, then the one that led last, then the others, each once", () => {
    const candidates = new MdsCandidates(["a", "b", "c"]);
    candidates.leads("b");
    candidates.beginRound(asIs);
    expect(candidates.next()).toBe("b");
    candidates.failed("b");
    candidates.hint("c");
    expect([candidates.next(), candidates.next(), candidates.next()]).toEqual(["c", "a", undefined]);
  });

  test("the one that failed is asked last in the next round", () => {
    const candidates = new MdsCandidates(["a", "b"]);
    candidates.leads("a");
    candidates.failed("a");
    candidates.beginRound(asIs);
    expect([candidates.next(), candidates.next()]).toEqual(["b", "a"]);
  });

  test("servers that point at each other do not keep a round going for ever", () => {
    const candidates = new MdsCandidates(["a", "b"]);
    candidates.beginRound(asIs);
    let asked = 0;
    for (let address = candidates.next(); address !== undefined; address = candidates.next()) {
      expect(++asked).toBeLessThan(20);
      candidates.hint(address === "a" ? "b" : "a");
    }
  });

  test("servers that the leader names are asked too, those that it names no more are not, but for the given ones", () => {
    const candidates = new MdsCandidates(["a"]);
    const round = (): (string | undefined)[] => {
      candidates.beginRound(asIs);
      return [candidates.next(), candidates.next(), candidates.next(), candidates.next()];
    };
    candidates.learn(["a", "b", "c"]);
    expect(round()).toEqual(["a", "b", "c", undefined]);
    candidates.learn(["c"]);
    expect(round()).toEqual(["a", "c", undefined, undefined]);
  });

  test("a server learned from a hint is remembered", () => {
    const candidates = new MdsCandidates(["a"]);
    candidates.hint("z");
    candidates.leads("z");
    candidates.beginRound(asIs);
    expect(candidates.next()).toBe("z");
  });
});

describe("which replica to read", () => {
  const member = (id: number, hostId: string, syncing = false): ChainMember => ({
    csId: csId(id),
    address: `${id}`,
    hostId,
    syncing,
  });
  const idle: ServerLoad = { outstandingCount: 0, latencyMs: 1, isSuspect: false };
  const choose = (
    chain: ChainMember[],
    loads: Record<number, Partial<ServerLoad>> = {},
    excluded: number[] = [],
  ) =>
    chooseReplica({
      chain,
      hostId: "me",
      excluded: new Set(excluded.map(csId)),
      loadOf: ({ csId: id }) => ({ ...idle, ...loads[id] }),
    })?.csId;

  test("the one on this host, else the one that answers soonest", () => {
    expect(choose([member(1, "x"), member(2, "me"), member(3, "y")])).toBe(2);
    expect(choose([member(1, "x"), member(3, "y")], { 1: { outstandingCount: 9 } })).toBe(3);
    expect(choose([member(1, "x"), member(3, "y")], { 1: { latencyMs: 9 } })).toBe(3);
  });

  test("never one that is being filled or that failed this read; a suspect only if there is no other", () => {
    expect(choose([member(1, "me", true), member(2, "x")])).toBe(2);
    expect(choose([member(1, "me"), member(2, "x")], {}, [1])).toBe(2);
    expect(choose([member(1, "me"), member(2, "x")], { 1: { isSuspect: true } })).toBe(2);
    expect(choose([member(1, "me")], { 1: { isSuspect: true } })).toBe(1);
    expect(choose([member(1, "me", true)])).toBeUndefined();
  });
});

describe("small things", () => {
  test("a range is cut at chunk borders and at multiples of the largest request, without gaps", () => {
    const chunkBytes = 2 * IO_BYTES_MAX + 4096;
    const slices = ioSlices(1000, 3 * chunkBytes, chunkBytes, IO_BYTES_MAX);
    let position = 1000;
    for (const { index, offsetInChunk, lengthBytes, offsetInRequest } of slices) {
      expect(index * chunkBytes + offsetInChunk).toBe(position);
      expect(offsetInRequest).toBe(position - 1000);
      expect(Math.floor(offsetInChunk / IO_BYTES_MAX)).toBe(
        Math.floor((offsetInChunk + lengthBytes - 1) / IO_BYTES_MAX),
      );
      position += lengthBytes;
    }
    expect(position).toBe(1000 + 3 * chunkBytes);
  });

  test("paths lose what is superfluous; the root and dots are no names", () => {
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const { directory, name } = splitPath("//a/b//c/");
    expect([text(directory), text(name)]).toEqual(["/a/b", "c"]);
    expect(text(joinPath([]))).toBe("/");
    for (const wrong of ["/", "", "/a/..", "/."]) expect(() => splitPath(wrong), wrong).toThrow("invalid");
    expect(() => splitPath("/a\0b")).toThrow("NUL");
  });
});
