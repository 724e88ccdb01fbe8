import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { toUtf8 } from "../../../../src/base/index.js";
import { LOCK_RANGES_MAX } from "../../../../src/mds/core/locks.js";
import {
  type FileLock,
  type InodeNumber,
  LOCK_BEGIN,
  LOCK_END,
  type LockFamily,
  type LockKind,
  lockOwner,
  lockPosition,
  lockPositionValue,
  ROOT_INODE,
  type SessionId,
  WHOLE_FILE,
} from "../../../../src/meta/index.js";
import { CoreWorld, codeOf } from "./core-world.js";

let world: CoreWorld;
let ann: SessionId;
let bob: SessionId;
let ino: InodeNumber;
beforeEach(() => {
  world = new CoreWorld();
  ann = world.session();
  bob = world.session();
  ino = world.create(ann, "f").attributes.ino;
});

interface Wish {
  readonly owner?: bigint;
  readonly family?: LockFamily;
  readonly begin?: number;
  readonly end?: number;
}
const wish = (kind: LockKind, { owner = 1n, family = "range", begin, end }: Wish = {}): FileLock => ({
  ino,
  family,
  owner: lockOwner(owner),
  kind,
  begin: begin === undefined ? LOCK_BEGIN : lockPosition(BigInt(begin)),
  end: end === undefined ? LOCK_END : lockPosition(BigInt(end)),
  pid: Number(owner),
});
const set = (who: SessionId, kind: LockKind | "none", more: Wish = {}): string =>
  codeOf(world.mutate(who, "setLock", { ...wish("shared", more), kind }));
const test1 = (who: SessionId, kind: LockKind, more: Wish = {}) => {
  const outcome = world.query({ type: "testLock", body: { lock: wish(kind, more) } }, who);
  assert.ok(outcome.type === "reply" && outcome.reply.type === "lockState");
  return outcome.reply.body;
};
const wasChanged = (): boolean => world.effects.some((effect) => effect.type === "locksChanged");

describe("a lock", () => {
  test("that is exclusive stands alone; shared ones stand together", () => {
    assert.equal(set(ann, "shared"), "ok");
    assert.equal(set(bob, "shared"), "ok");
    assert.equal(set(bob, "exclusive"), "lock_conflict");
    assert.equal(set(ann, "none"), "ok");
    assert.equal(set(bob, "exclusive"), "ok");
    assert.equal(set(ann, "shared"), "lock_conflict");
  });

  test("is its owner's: owners of one session are strangers, and the same number elsewhere is another owner", () => {
    set(ann, "exclusive", { owner: 1n });
    assert.equal(set(ann, "exclusive", { owner: 2n }), "lock_conflict");
    assert.equal(set(bob, "exclusive", { owner: 1n }), "lock_conflict");
    assert.equal(set(ann, "shared", { owner: 1n }), "ok");
    assert.equal(set(bob, "shared", { owner: 1n }), "ok");
  });

  test("of one family knows nothing of the other", () => {
    set(ann, "exclusive", { family: "flock" });
    assert.equal(set(bob, "exclusive", { family: "range" }), "ok");
    assert.equal(set(bob, "shared", { family: "flock" }), "lock_conflict");
  });

  test("of a range is in the way of what overlaps it, to the last byte a file can have", () => {
    set(ann, "exclusive", { begin: 10, end: 20 });
    assert.equal(set(bob, "exclusive", { begin: 0, end: 10 }), "ok");
    assert.equal(set(bob, "exclusive", { begin: 20 }), "ok");
    assert.equal(set(bob, "shared", { begin: 19, end: 20 }), "lock_conflict");
    assert.equal(lockPositionValue(LOCK_END), 2n ** 63n);
    const last = lockPosition(2n ** 63n - 1n);
    const lock = { ...wish("shared"), begin: last, end: LOCK_END };
    assert.equal(codeOf(world.mutate(ann, "setLock", lock)), "lock_conflict");
    assert.equal(codeOf(world.mutate(bob, "setLock", { ...lock, kind: "none" })), "ok");
    assert.equal(codeOf(world.mutate(ann, "setLock", lock)), "ok");
  });

  test("that replaces another in a part leaves the rest, also when it fails", () => {
    set(ann, "shared", { begin: 0, end: 30 });
    set(ann, "none", { begin: 10, end: 20 });
    assert.equal(set(bob, "exclusive", { begin: 10, end: 20 }), "ok");
    assert.equal(set(ann, "exclusive", { begin: 0, end: 15 }), "lock_conflict");
    assert.equal(set(bob, "exclusive", { begin: 9, end: 10 }), "lock_conflict");
    assert.equal(set(bob, "shared", { begin: 29, end: 30 }), "ok");
  });

  test("is asked for: the first one in the way, and whose it is", () => {
    set(bob, "shared", { begin: 50, end: 60, owner: 7n });
    set(bob, "exclusive", { begin: 30, end: 40, owner: 9n });
    const { lock, sessionId } = test1(ann, "exclusive");
    assert.deepEqual(
      [lock?.begin, lock?.kind, lock?.pid, sessionId],
      [lockPosition(30n), "exclusive", 9, bob],
    );
    assert.equal(test1(ann, "shared", { begin: 40 }).lock, undefined);
    assert.equal(test1(bob, "exclusive", { begin: 30, end: 40, owner: 9n }).lock, undefined);
    assert.deepEqual(test1(ann, "exclusive", { begin: 0, end: 30 }), { lock: undefined, sessionId: 0 });
  });

  test("needs a file; to end what is not there is no failure", () => {
    ino = 99 as InodeNumber;
    assert.equal(set(ann, "shared"), "not_found");
    assert.equal(set(ann, "none"), "ok");
  });

  test("must be a lock", () => {
    assert.equal(set(ann, "shared", { begin: 5, end: 5 }), "invalid");
    assert.equal(set(ann, "?" as LockKind), "malformed");
    const lock = wish("shared");
    const wrong = [
      { owner: "" },
      { owner: "a b" },
      { owner: "x".repeat(65) },
      { begin: "0" },
      { family: "?" },
    ];
    for (const part of wrong) {
      assert.equal(codeOf(world.mutate(ann, "setLock", { ...lock, ...part } as never)), "malformed");
    }
  });

  test("is set once, however often it is proposed", () => {
    const command = world.next(ann, "setLock", wish("exclusive"));
    world.apply(command);
    set(ann, "none");
    set(bob, "exclusive");
    assert.equal(codeOf(world.apply(command).outcome), "ok");
    assert.equal(test1(ann, "shared").sessionId, bob);
  });

  test("many of one owner on one file come to an end", () => {
    const ranges = Array.from({ length: LOCK_RANGES_MAX }, (_, i) => {
      const [begin, end] = [lockPosition(2n * BigInt(i)), lockPosition(2n * BigInt(i) + 1n)];
      return { kind: "shared", begin, end, pid: 1 } as const;
    });
    const { family, owner } = wish("shared");
    world.tables.locks.put({ ino, sessionId: ann, family, owner, ranges }, ino, ann, "r1");
    assert.equal(set(ann, "shared", { begin: 2 * LOCK_RANGES_MAX }), "too_many_locks");
    assert.equal(set(ann, "shared"), "ok");
    assert.equal(world.tables.locks.get(ino, ann, "r1")?.ranges.length, 1);
  });
});

describe("locks end", () => {
  test("with their session, all of them, and who waits is told", () => {
    for (let owner = 1n; owner <= 300n; owner++) set(ann, "shared", { owner });
    set(ann, "exclusive", { family: "flock" });
    world.endSession(ann);
    assert.equal(wasChanged(), true);
    assert.equal(set(bob, "exclusive"), "ok");
    assert.equal(set(bob, "exclusive", { family: "flock" }), "ok");
    assert.equal(world.tables.sessionLocks.entries().length, 1);
    assert.equal(world.tables.sessions.get(ann), undefined);
  });

  test("with their file", () => {
    world.open(ann, ino, "write");
    set(ann, "exclusive");
    world.mutate(bob, "remove", { parent: ROOT_INODE, name: toUtf8("f"), directory: false });
    assert.equal(world.tables.locks.size, 1);
    world.mutate(ann, "close", { ino, access: "write" });
    assert.deepEqual([world.tables.locks.size, world.tables.sessionLocks.size], [0, 0]);
  });

  test("with the last range; whoever waits is told when something was given up, not when a lock is new", () => {
    set(ann, "exclusive", WHOLE);
    assert.equal(wasChanged(), false);
    set(ann, "shared", WHOLE);
    assert.equal(wasChanged(), true);
    set(ann, "none", WHOLE);
    assert.deepEqual([wasChanged(), world.tables.locks.size, world.tables.sessionLocks.size], [true, 0, 0]);
    set(ann, "none", WHOLE);
    assert.equal(wasChanged(), false);
  });
});

const WHOLE: Wish = {};
assert.deepEqual({ begin: wish("shared").begin, end: wish("shared").end }, WHOLE_FILE);
