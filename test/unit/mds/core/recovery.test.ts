import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { toUtf8 } from "../../../../src/base/index.js";
import type { ChunkMap } from "../../../../src/chunk/index.js";
import type { Effect } from "../../../../src/mds/core/effects.js";
import { outstandingWork } from "../../../../src/mds/core/outstanding-work.js";
import { heldAttributes } from "../../../../src/mds/core/queries.js";
import { FENCES_AT_ONCE } from "../../../../src/mds/core/recovery.js";
import { OPENS_ENDED_AT_ONCE } from "../../../../src/mds/core/sessions.js";
import { type InodeNumber, ROOT_INODE, type SessionId } from "../../../../src/meta/index.js";
import { CoreWorld, codeOf } from "./core-world.js";

const CHUNK_BYTES = 1024 * 1024;
let world: CoreWorld;
let ann: SessionId;
let bob: SessionId;
let ino: InodeNumber;
beforeEach(() => {
  world = new CoreWorld();
  world.addServer(1);
  ann = world.session();
  bob = world.session();
  world.mutate(ann, "setStorage", { ino: ROOT_INODE, chunkBytes: CHUNK_BYTES });
  ino = world.create(ann, "f").attributes.ino;
});

const allocate = (sessionId: SessionId, index: number): ChunkMap => {
  const leaseSequence = world.tables.opens.get(ino, sessionId)?.leaseSequence ?? 0;
  const command = world.next(sessionId, "allocateChunk", { ino, leaseSequence, index });
  let { outcome } = world.apply(command);
  if (outcome.type === "wait") {
    world.installAll();
    outcome = world.apply(command).outcome;
  }
  assert.ok(outcome.type === "reply" && outcome.reply.type === "chunkMaps", JSON.stringify(outcome));
  const map = outcome.reply.body.maps[0];
  assert.ok(map !== undefined);
  return map;
};
const tryOpen = (sessionId: SessionId): string =>
  codeOf(world.mutate(sessionId, "open", { ino, access: "read" }));
const has = (effects: readonly Effect[], type: Effect["type"]): boolean =>
  effects.some((effect) => effect.type === type);
const versionOf = ({ chunkId }: ChunkMap): number => world.tables.chunks.get(chunkId)?.version ?? 0;

describe("a writer dies", () => {
  test("its chunks move to a new version, and the file waits until they have", () => {
    world.open(ann, ino, "write");
    const map = allocate(ann, 0);
    world.endSession(ann);
    assert.ok(has(world.effects, "recover") && has(world.effects, "install"));
    assert.ok(versionOf(map) > map.version);
    assert.equal(tryOpen(bob), "wait");
    assert.equal(codeOf(world.mutate(bob, "truncate", { ino, sizeBytes: 0 })), "wait");
    assert.deepEqual(heldAttributes(world.tables, ino, bob), { type: "wait", key: { type: "lease", ino } });
    assert.ok(has(world.installAll(), "wake"));
    assert.equal(tryOpen(bob), "ok");
  });

  test("the file then reaches to the highest end that a server knows", () => {
    world.open(ann, ino, "write");
    allocate(ann, 0);
    allocate(ann, 3);
    world.report(ann, ino, 10);
    world.endSession(ann);
    world.installAll(500);
    assert.equal(world.stat(ino).sizeBytes, 3 * CHUNK_BYTES + 500);
  });

  test("a size that was reported is not cut", () => {
    world.open(ann, ino, "write");
    allocate(ann, 0);
    world.report(ann, ino, 9000);
    world.endSession(ann);
    world.installAll(500);
    assert.equal(world.stat(ino).sizeBytes, 9000);
  });

  test("what a truncation under way cuts off does not come back, though servers still tell of it", () => {
    world.open(ann, ino, "write");
    allocate(ann, 0);
    world.report(ann, ino, 900);
    assert.equal(codeOf(world.mutate(ann, "truncate", { ino, sizeBytes: 500 })), "wait");
    world.endSession(ann);
    world.installAll(900);
    assert.equal(world.stat(ino).sizeBytes, 500);
  });

  test("a chunk without data does not lengthen the file", () => {
    world.open(ann, ino, "write");
    allocate(ann, 7);
    world.endSession(ann);
    world.installAll(0);
    assert.equal(world.stat(ino).sizeBytes, 0);
  });

  test("who had nothing to write leaves nothing to recover", () => {
    world.open(ann, ino, "write");
    world.endSession(ann);
    assert.equal(has(world.effects, "recover"), false);
    assert.equal(tryOpen(bob), "ok");
  });

  test("who has closed, or come down to read, is not fenced", () => {
    world.open(ann, ino, "write");
    const map = allocate(ann, 0);
    world.mutate(ann, "close", { ino, access: "write" });
    world.endSession(ann);
    assert.equal(versionOf(map), map.version);
    assert.deepEqual(world.tables.writers.entries(), []);
  });

  test("several dead writers are one recovery", () => {
    world.open(ann, ino, "write");
    const first = allocate(ann, 0);
    world.report(ann, ino, 0, "shared");
    world.open(bob, ino, "write");
    allocate(bob, 0);
    const second = allocate(bob, 1);
    world.endSession(ann);
    world.endSession(bob);
    assert.equal(world.tables.recoveries.size, 1);
    world.installAll(100);
    assert.deepEqual([versionOf(first), versionOf(second)], [first.version + 1, second.version + 1]);
    assert.deepEqual([world.tables.recoveries.size, world.tables.writers.size], [0, 0]);
    assert.equal(world.stat(ino).sizeBytes, CHUNK_BYTES + 100);
  });

  test("many chunks are fenced some at a time, and all of them in the end", () => {
    world.open(ann, ino, "write");
    const maps = Array.from({ length: FENCES_AT_ONCE + 30 }, (_, index) => allocate(ann, index));
    world.endSession(ann);
    assert.equal(world.tables.installing.size, FENCES_AT_ONCE);
    world.installAll(1);
    assert.ok(maps.every((map) => versionOf(map) === map.version + 1));
    assert.equal(world.tables.recoveries.size, 0);
    assert.equal(world.stat(ino).sizeBytes, (FENCES_AT_ONCE + 29) * CHUNK_BYTES + 1);
  });

  test("a file without a name is not recovered but reclaimed", () => {
    world.open(ann, ino, "write");
    allocate(ann, 0);
    world.mutate(ann, "remove", { parent: ROOT_INODE, name: toUtf8("f"), directory: false });
    world.endSession(ann);
    assert.ok(has(world.effects, "reclaim"));
    assert.deepEqual([world.tables.recoveries.size, world.tables.writers.size], [0, 0]);
  });

  test("a file that loses its last name during its recovery is reclaimed", () => {
    world.open(ann, ino, "write");
    for (let index = 0; index < FENCES_AT_ONCE + 5; index++) allocate(ann, index);
    world.endSession(ann);
    world.mutate(bob, "remove", { parent: ROOT_INODE, name: toUtf8("f"), directory: false });
    assert.ok(has(world.effects, "reclaim"));
    assert.deepEqual([world.tables.recoveries.size, world.tables.writers.size], [0, 0]);
    world.installAll();
  });

  test("a recovery whose chunks have vanished is ended by `finishRecovery`", () => {
    world.open(ann, ino, "write");
    const { chunkId } = allocate(ann, 0);
    world.endSession(ann);
    world.apply({ type: "finishRecovery", body: { ino } });
    assert.equal(world.tables.recoveries.size, 1);
    world.tables.chunks.delete(chunkId);
    world.apply({ type: "finishRecovery", body: { ino } });
    assert.equal(world.tables.recoveries.size, 0);
    assert.ok(has(world.effects, "wake"));
  });
});

describe("a writer is revoked", () => {
  test("its chunks are fenced and the size is found out, as if it had died", () => {
    world.open(ann, ino, "write");
    const map = allocate(ann, 0);
    world.mutate(bob, "revoke", { ino });
    assert.ok(versionOf(map) > map.version);
    assert.equal(tryOpen(bob), "wait");
    world.installAll(123);
    assert.equal(tryOpen(bob), "ok");
    assert.equal(world.stat(ino).sizeBytes, 123);
  });
});

describe("truncate", () => {
  test("is answered when the boundary chunk is cut, and carried out once", () => {
    world.open(ann, ino, "write");
    const map = allocate(ann, 0);
    world.report(ann, ino, 9000, "shared");
    const truncate = world.next(ann, "truncate", { ino, sizeBytes: 100 });
    assert.equal(codeOf(world.apply(truncate).outcome), "wait");
    assert.equal(world.stat(ino).sizeBytes, 100);
    assert.ok(versionOf(map) > map.version);
    world.report(ann, ino, 5000);
    assert.equal(codeOf(world.apply(truncate).outcome), "wait");
    world.installAll();
    assert.equal(codeOf(world.apply(truncate).outcome), "ok");
    assert.equal(world.stat(ino).sizeBytes, 5000);
  });

  test("drops whole chunks", () => {
    world.open(ann, ino, "write");
    const map = allocate(ann, 1);
    world.report(ann, ino, 2 * CHUNK_BYTES);
    assert.equal(codeOf(world.mutate(ann, "truncate", { ino, sizeBytes: CHUNK_BYTES })), "ok");
    assert.equal(world.tables.chunks.get(map.chunkId), undefined);
    assert.equal(world.stat(ino).allocatedBytes, 0);
  });

  test("cuts what an exclusive holder wrote and did not report", () => {
    world.open(ann, ino, "write");
    const map = allocate(ann, 0);
    const truncate = world.next(ann, "truncate", { ino, sizeBytes: 100 });
    assert.equal(codeOf(world.apply(truncate).outcome), "wait");
    assert.ok(versionOf(map) > map.version);
  });

  test("lengthens a file without touching a chunk, and moves mtime and ctime", () => {
    assert.equal(codeOf(world.mutate(ann, "truncate", { ino, sizeBytes: 2 ** 52 })), "ok");
    const { sizeBytes, allocatedBytes, mtime, ctime } = world.stat(ino);
    assert.deepEqual([sizeBytes, allocatedBytes], [2 ** 52, 0]);
    assert.deepEqual([mtime.seconds, ctime.seconds], [world.stampMs / 1000, world.stampMs / 1000]);
  });

  test("has nobody else caching: writers and readers come down to shared first", () => {
    world.open(bob, ino, "write");
    const truncate = world.next(ann, "truncate", { ino, sizeBytes: 5 });
    assert.equal(codeOf(world.apply(truncate).outcome), "wait");
    world.report(bob, ino, 10, "shared");
    assert.equal(codeOf(world.apply(truncate).outcome), "ok");
    assert.equal(world.stat(ino).sizeBytes, 5);
  });

  test("leaves the session's own lease alone", () => {
    world.open(ann, ino, "write");
    assert.equal(codeOf(world.mutate(ann, "truncate", { ino, sizeBytes: 5 })), "ok");
    assert.equal(world.tables.opens.get(ino, ann)?.lease, "exclusive");
  });

  test("takes sizes of files only", () => {
    for (const [sizeBytes, code] of [
      [-1, "invalid"],
      [0.5, "invalid"],
      [Number.NaN, "invalid"],
      [2 ** 52 + 1, "file_too_large"],
    ] as const) {
      assert.equal(codeOf(world.mutate(ann, "truncate", { ino, sizeBytes })), code);
    }
    assert.equal(codeOf(world.mutate(ann, "truncate", { ino: ROOT_INODE, sizeBytes: 0 })), "is_directory");
  });
});

describe("reclaim", () => {
  test("a file goes with the last of its chunks", () => {
    world.open(ann, ino, "write");
    for (let index = 0; index < 3; index++) allocate(ann, index);
    world.mutate(ann, "close", { ino, access: "write" });
    world.mutate(ann, "remove", { parent: ROOT_INODE, name: toUtf8("f"), directory: false });
    assert.ok(has(world.effects, "reclaim"));
    world.apply({ type: "dropChunks", body: { ino, indexes: [0, 1], isLast: false } });
    assert.notEqual(world.tables.inodes.get(ino), undefined);
    world.apply({ type: "dropChunks", body: { ino, indexes: [2], isLast: true } });
    assert.equal(world.tables.inodes.get(ino), undefined);
    assert.deepEqual([world.tables.chunks.entries(), world.tables.reclaims.size], [[], 0]);
  });

  test("the chunks of a file that has names are not dropped", () => {
    const { outcome } = world.apply({ type: "dropChunks", body: { ino, indexes: [0], isLast: true } });
    assert.equal(codeOf(outcome), "conflict");
    assert.notEqual(world.tables.inodes.get(ino), undefined);
  });
});

describe("a new leader", () => {
  test("finds everything that is not finished", () => {
    const other = world.create(ann, "g").attributes.ino;
    world.open(ann, other, "write");
    world.mutate(bob, "open", { ino: other, access: "write" });
    world.open(ann, ino, "write");
    allocate(ann, 0);
    world.mutate(bob, "revoke", { ino });
    const types = outstandingWork(world.tables).map(({ type }) => type);
    assert.deepEqual(types, ["recallLease", "recover", "install"]);
  });

  test("goes on ending a session that had more open than one command gives back", () => {
    const count = OPENS_ENDED_AT_ONCE + 10;
    for (let i = 0; i < count; i++) world.create(ann, `many${i}`, { open: "read" });
    const { outcome } = world.apply({ type: "endSession", body: { sessionId: ann, reason: "expired" } });
    assert.deepEqual(outcome, { type: "done", value: 1 });
    assert.equal(world.tables.opens.size, count - OPENS_ENDED_AT_ONCE);
    assert.equal(codeOf(world.mutate(ann, "open", { ino, access: "read" })), "session_lost");
    assert.ok(has(outstandingWork(world.tables), "endSession"));
    world.endSession(ann);
    assert.deepEqual([world.tables.opens.size, world.tables.sessions.get(ann)], [0, undefined]);
  });
});
