import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { LOCK_WAITS_MAX, LockWaits } from "../../../../src/mds/core/lock-waits.js";
import {
  type FileLock,
  type InodeNumber,
  LOCK_END,
  type LockFamily,
  type LockKind,
  lockOwner,
  lockPosition,
  type SessionId,
} from "../../../../src/meta/index.js";
import { CoreWorld, codeOf } from "./core-world.js";

let world: CoreWorld;
let waits: LockWaits;
let ann: SessionId;
let bob: SessionId;
let cat: SessionId;
let ino: InodeNumber;
let lastWait: number;
const STREAM = {};
beforeEach(() => {
  world = new CoreWorld();
  waits = new LockWaits(world.tables);
  ann = world.session();
  bob = world.session();
  cat = world.session();
  ino = world.create(ann, "f").attributes.ino;
  lastWait = 0;
});

const at = (kind: LockKind, begin = 0, family: LockFamily = "range"): FileLock => ({
  ino,
  family,
  owner: lockOwner(1n),
  kind,
  begin: lockPosition(BigInt(begin)),
  end: family === "flock" ? LOCK_END : lockPosition(BigInt(begin + 1)),
  pid: 1,
});
const set = (who: SessionId, lock: FileLock): string => codeOf(world.mutate(who, "setLock", lock));
const unlock = (who: SessionId, lock: FileLock): void => {
  world.mutate(who, "setLock", { ...lock, kind: "none" });
};
/** Begins a wait; its number, if it is not offered at once. */
function wait(who: SessionId, lock: FileLock, stream: object = STREAM): number {
  assert.deepEqual(waits.begin(who, ++lastWait, lock, stream), []);
  return lastWait;
}
const offers = (): number[] => waits.offers(ino).map(({ waitId }) => waitId);

describe("a lock that comes free", () => {
  test("is offered to whoever waits longest, and to others only if that one does not take it", () => {
    set(ann, at("exclusive"));
    const first = wait(bob, at("exclusive"));
    const second = wait(cat, at("exclusive"));
    assert.deepEqual(offers(), []);
    unlock(ann, at("exclusive"));
    assert.deepEqual(offers(), [first]);
    assert.deepEqual(offers(), []);
    assert.deepEqual(waits.forget(bob, first), [{ sessionId: cat, waitId: second }]);
  });

  test("is offered to all who can have it together, but not past one who waits longer", () => {
    set(ann, at("exclusive"));
    const one = wait(bob, at("shared"));
    const two = wait(cat, at("shared"));
    wait(cat, { ...at("exclusive"), owner: lockOwner(2n) });
    unlock(ann, at("exclusive"));
    assert.deepEqual(offers(), [one, two]);
  });

  test("is offered again when the one who was told came too late, who keeps its place", () => {
    set(ann, at("exclusive"));
    const first = wait(bob, at("exclusive"));
    const second = wait(cat, at("exclusive"));
    unlock(ann, at("exclusive"));
    assert.deepEqual(offers(), [first]);
    set(ann, at("exclusive"));
    assert.deepEqual(waits.begin(bob, first, at("exclusive"), STREAM), []);
    unlock(ann, at("exclusive"));
    assert.deepEqual(offers(), [first]);
    set(bob, at("exclusive"));
    assert.deepEqual(waits.forget(bob, first), []);
    unlock(bob, at("exclusive"));
    assert.deepEqual(offers(), [second]);
  });

  test("before somebody begins to wait is offered at once", () => {
    assert.deepEqual(waits.begin(bob, 1, at("exclusive"), STREAM), [{ sessionId: bob, waitId: 1 }]);
  });

  test("is of no interest to those who wait elsewhere", () => {
    set(ann, at("exclusive", 0));
    set(ann, at("exclusive", 5));
    const here = wait(bob, at("exclusive", 5));
    wait(cat, at("exclusive", 0));
    unlock(ann, at("exclusive", 5));
    assert.deepEqual(offers(), [here]);
  });
});

describe("a wait", () => {
  test("ends with its stream, unless it was begun again on another one, and with its session", () => {
    const other = {};
    set(ann, at("exclusive"));
    wait(bob, at("exclusive"));
    const kept = wait(bob, at("exclusive"));
    waits.begin(bob, kept, at("exclusive"), other);
    waits.drop(bob, STREAM);
    assert.equal(waits.size, 1);
    waits.drop(bob);
    assert.equal(waits.size, 0);
  });

  test("that ends lets those behind it go on", () => {
    set(ann, at("exclusive"));
    const first = wait(bob, at("exclusive"));
    const second = wait(cat, at("exclusive"));
    unlock(ann, at("exclusive"));
    assert.deepEqual(offers(), [first]);
    assert.deepEqual(waits.drop(bob), [{ sessionId: cat, waitId: second }]);
  });

  test("of one session has so many others beside it and no more", () => {
    set(ann, at("exclusive"));
    for (let i = 0; i < LOCK_WAITS_MAX; i++) wait(bob, at("exclusive"));
    assert.throws(() => wait(bob, at("exclusive")), { code: "too_many_locks" });
    assert.equal(waits.size, LOCK_WAITS_MAX);
  });
});

describe("owners that would wait for each other in a circle", () => {
  test("are refused when they close it: two of them", () => {
    set(ann, at("exclusive", 0));
    set(bob, at("exclusive", 1));
    wait(ann, at("exclusive", 1));
    assert.throws(() => wait(bob, at("exclusive", 0)), { code: "deadlock" });
    assert.equal(waits.size, 1);
  });

  test("are refused when they close it: three, over shared locks and several files", () => {
    const other = world.create(ann, "g").attributes.ino;
    set(ann, at("shared", 0));
    set(bob, { ...at("shared", 0), ino: other });
    set(cat, at("exclusive", 2));
    wait(ann, { ...at("exclusive", 0), ino: other });
    wait(bob, at("shared", 2));
    assert.throws(() => wait(cat, at("exclusive", 0)), { code: "deadlock" });
    wait(cat, { ...at("exclusive", 0), ino: other, owner: lockOwner(9n) });
  });

  test("are none when who is waited for does not wait", () => {
    set(ann, at("exclusive", 0));
    set(bob, at("exclusive", 1));
    const waiting = wait(ann, at("exclusive", 1));
    waits.forget(ann, waiting);
    wait(bob, at("exclusive", 0));
    assert.equal(waits.size, 1);
  });

  test("are their own affair with flock, as on Linux", () => {
    set(ann, at("shared", 0, "flock"));
    set(bob, at("shared", 0, "flock"));
    wait(ann, at("exclusive", 0, "flock"));
    wait(bob, at("exclusive", 0, "flock"));
    assert.equal(waits.size, 2);
  });
});
