import { expect, test } from "vitest";
import {
  BLOCK_BYTES,
  type ChainMember,
  chunkId,
  chunkVersion,
  csId,
  type ForwardWrite,
} from "../../../../src/chunk/index.js";
import type { ChainEffect, Submission } from "../../../../src/cs/core/chain-types.js";
import { ReplicaChain } from "../../../../src/cs/core/replica-chain.js";
import { ChainModel } from "./chain-model.js";

test("under every order of events tried, reads never go back and survivors end equal", () => {
  let readCount = 0;
  let ackCount = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const model = new ChainModel(seed, 2 + (seed % 3));
    try {
      model.run(400);
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    }
    readCount += model.readCount;
    ackCount += model.ackCount;
  }

  expect(readCount).toBeGreaterThan(1_000);
  expect(ackCount).toBeGreaterThan(1_000);
});

const member = (id: number): ChainMember => ({
  csId: csId(id),
  address: `a${id}`,
  hostId: "",
  syncing: false,
});

/** The replica of server 1 in a chain of these servers. */
function replica(...ids: number[]): ReplicaChain {
  const chain = ids.map(member);
  return new ReplicaChain({
    selfId: csId(1),
    incarnation: 5,
    version: chunkVersion(1),
    chain,
    refusal: undefined,
  });
}

function submission(sequence: number, block = 0): Submission {
  const writeId = { sessionId: 9, sequence, acknowledgedBelow: 0 };
  return { writeId, kind: "write", offset: block * BLOCK_BYTES, lengthBytes: BLOCK_BYTES };
}

function forwarded(order: number, more: Partial<ForwardWrite> = {}): ForwardWrite {
  return {
    chunkId: chunkId(1),
    version: chunkVersion(1),
    sessionId: 9,
    sequence: order,
    acknowledgedBelow: 0,
    kind: "write",
    epoch: { version: chunkVersion(1), incarnation: 3 },
    order,
    floor: order,
    offset: 0,
    lengthBytes: BLOCK_BYTES,
    endBytes: BLOCK_BYTES,
    checksums: new Uint8Array(4),
    ...more,
  };
}

const types = (effects: readonly ChainEffect[]): string[] =>
  effects.map((effect) => (effect.type === "answer" ? `answer ${effect.answer.type}` : effect.type));

const install = (version: number, ...ids: number[]) => ({
  version: chunkVersion(version),
  chain: ids.map(member),
  truncate: undefined,
});

test("a request under any version but the installed one is refused: who was fenced off has an older one", () => {
  const chain = replica(1, 2);
  chain.install(install(3, 1, 2), 200);
  for (const version of [1, 2, 4]) expect(chain.refusalOf(version)?.code).toBe("stale_map");
  expect(chain.refusalOf(3)).toBeUndefined();
});

test("the head forwards before it stores, and answers when both have ended", () => {
  const chain = replica(1, 2);

  expect(types(chain.submit(1, submission(1), 100))).toEqual(["prepare"]);
  expect(types(chain.prepared(1, BLOCK_BYTES))).toEqual(["forward", "store"]);
  expect(types(chain.stored(1))).toEqual([]);
  expect(types(chain.forwarded(1, 1, { type: "done" }))).toEqual(["answer done", "release"]);
});

test("behind the head nothing is forwarded or stored before its regions are marked", () => {
  const chain = replica(2, 1, 3);

  expect(types(chain.receive(1, forwarded(7), 100))).toEqual(["mark"]);
  expect(types(chain.marked(1))).toEqual(["forward", "store"]);
});

test("changes are forwarded in order although the marks of a later one were faster", () => {
  const chain = replica(2, 1, 3);
  chain.receive(1, forwarded(7), 100);
  chain.receive(2, forwarded(8, { offset: BLOCK_BYTES }), 101);

  expect(types(chain.marked(2))).toEqual(["store"]);
  expect(types(chain.marked(1))).toEqual(["forward", "forward", "store"]);
});

test("a server without a memory takes a change only where the sender's log begins", () => {
  const chain = replica(2, 1);

  expect(types(chain.receive(1, forwarded(8, { floor: 7 }), 100))).toEqual(["answer held"]);
  expect(types(chain.receive(2, forwarded(7, { floor: 7 }), 101))).toEqual(["mark"]);
  expect(types(chain.receive(3, forwarded(9, { floor: 7 }), 102))).toEqual(["answer held"]);
});

test("a newer counter is taken only when nothing of the older one is left, an older one never", () => {
  const chain = replica(2, 1);
  const newer = { epoch: { version: chunkVersion(1), incarnation: 4 } };
  chain.receive(1, forwarded(7), 100);

  expect(types(chain.receive(2, forwarded(1, newer), 101))).toEqual(["answer held"]);
  chain.marked(1);
  chain.stored(1);
  expect(types(chain.receive(3, forwarded(1, newer), 102))).toEqual(["mark"]);
  chain.marked(3);
  chain.stored(3);
  expect(types(chain.receive(4, forwarded(8), 103))).toEqual(["answer held"]);
});

test("an install of the head is answered when everything handed over is acknowledged", () => {
  const chain = replica(1, 2, 3);
  chain.submit(1, submission(1), 100);
  chain.prepared(1, BLOCK_BYTES);
  chain.stored(1);
  chain.forwarded(1, 1, { type: "failed", code: "unavailable" });

  expect(types(chain.install(install(2, 1, 3), 200))).toEqual(["answer failed", "forward"]);
  expect(chain.forwarded(1, 2, { type: "done" })).toContainEqual({
    type: "answer",
    requestId: 200,
    answer: { type: "done" },
  });
});

test("a client hears of a handed over write only under the newer version", () => {
  const chain = replica(1, 2, 3);
  chain.submit(1, submission(1), 100);
  chain.prepared(1, BLOCK_BYTES);
  chain.stored(1);

  expect(chain.install(install(2, 1, 3), 200)).toContainEqual(
    expect.objectContaining({
      type: "answer",
      requestId: 100,
      answer: expect.objectContaining({ type: "failed" }),
    }),
  );
  expect(types(chain.submit(2, submission(1), 101))).toEqual([]);
  expect(types(chain.forwarded(1, 2, { type: "done" }))).toEqual(["answer done", "release", "answer done"]);
});

test("an acknowledgement of the older chain says nothing about the newer one", () => {
  const chain = replica(1, 2, 3);
  chain.submit(1, submission(1), 100);
  chain.prepared(1, BLOCK_BYTES);
  chain.stored(1);
  chain.install(install(2, 1, 3), 200);

  expect(types(chain.forwarded(1, 1, { type: "done" }))).toEqual([]);
});

test("a repeated write is known to have been carried out under the version that it came with first", () => {
  const chain = replica(1, 2);
  chain.submit(chain.newOperationId(), submission(1), 1);
  chain.prepared(1, BLOCK_BYTES);
  chain.submit(chain.newOperationId(), submission(2, 1), 2);
  chain.install({ version: chunkVersion(2), chain: [member(1)], truncate: undefined }, 3);
  chain.install({ version: chunkVersion(3), chain: [member(1)], truncate: undefined }, 4);
  chain.submit(chain.newOperationId(), submission(3, 2), 5);

  const carried = (sequence: number) => chain.writes.versionOf(submission(sequence).writeId);
  expect(carried(1)).toBe(1);
  // It was not in order yet: it never happened.
  expect(carried(2)).toBeUndefined();
  expect(carried(3)).toBeUndefined();
});

test("a write that was not in order when a newer version came never happened", () => {
  const chain = replica(1, 2);
  chain.submit(1, submission(1), 100);

  expect(types(chain.install(install(2, 1, 2), 200))).toEqual(["answer failed", "release", "answer done"]);
  expect(types(chain.prepared(1, BLOCK_BYTES))).toEqual([]);
});

test("a failed successor is reported once; clients of the head wait, servers before are told", () => {
  const head = replica(1, 2);
  head.submit(1, submission(1), 100);
  head.prepared(1, BLOCK_BYTES);
  head.submit(2, submission(2, 1), 101);
  head.prepared(2, BLOCK_BYTES);
  const middle = replica(2, 1, 3);
  middle.receive(1, forwarded(1), 100);
  middle.marked(1);

  expect(types(head.forwarded(1, 1, { type: "failed", code: "timed_out" }))).toEqual(["report"]);
  expect(types(head.forwarded(2, 1, { type: "failed", code: "timed_out" }))).toEqual([]);
  expect(types(middle.forwarded(1, 1, { type: "failed", code: "timed_out" }))).toEqual([
    "report",
    "answer held",
  ]);
});

test("a head whose successor is at a newer version sends its clients for a new map", () => {
  const chain = replica(1, 2);
  chain.submit(1, submission(1), 100);
  chain.prepared(1, BLOCK_BYTES);
  const held = { type: "held", body: { installedVersion: 2, successorFailed: false } } as const;

  expect(types(chain.forwarded(1, 1, held))).toEqual(["answer failed"]);
});

test("a successor that is not yet installed is tried again from the oldest change on", () => {
  const chain = replica(1, 2);
  chain.submit(1, submission(1), 100);
  chain.prepared(1, BLOCK_BYTES);
  chain.submit(2, submission(2, 1), 101);
  chain.prepared(2, BLOCK_BYTES);
  const held = { type: "held", body: { installedVersion: 0, successorFailed: false } } as const;

  expect(types(chain.forwarded(1, 1, held))).toEqual(["retryLater"]);
  expect(types(chain.forwarded(2, 1, held))).toEqual([]);
  expect(types(chain.retryLink(1))).toEqual(["forward", "forward"]);
});

test("a sync is answered when it is done here and behind", () => {
  const chain = replica(1, 2);

  const effects = chain.sync(100);
  expect(types(effects)).toEqual(["syncLocally", "forwardSync"]);
  const [first] = effects;
  const syncId = first?.type === "syncLocally" ? first.syncId : 0;
  expect(types(chain.syncForwarded(syncId, 1, { type: "done" }))).toEqual([]);
  expect(types(chain.syncedLocally(syncId))).toEqual(["answer done"]);
});

test("more changes than fit into memory are refused, not queued", () => {
  const chain = replica(1, 2);
  for (let id = 1; id <= 1024; id++) chain.submit(id, submission(id, id), 100 + id);

  expect(types(chain.submit(2000, submission(2000, 2000), 1))).toEqual(["answer failed"]);
});
