import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { type Access, type InodeNumber, type SessionId, timestampOf } from "../../../../src/meta/index.js";
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

const close = (sessionId: SessionId, access: Access): string =>
  codeOf(world.mutate(sessionId, "close", { ino, access }));
const leaseOf = (sessionId: SessionId): string => world.tables.opens.get(ino, sessionId)?.lease ?? "closed";
const sequenceOf = (sessionId: SessionId): number =>
  world.tables.opens.get(ino, sessionId)?.leaseSequence ?? 0;

describe("reports", () => {
  test("under an exclusive lease size and time are taken as they are", () => {
    world.open(ann, ino, "write");
    world.report(ann, ino, 5000);
    world.report(ann, ino, 3000);
    assert.equal(world.stat(ino).sizeBytes, 3000);
    assert.deepEqual(world.stat(ino).mtime, { seconds: world.stampMs / 1000 - 1, nanos: 5 });
    assert.deepEqual(world.stat(ino).ctime, world.stat(ino).mtime);
  });

  test("what is told after the times were set does not move them, and a write after that does", () => {
    world.open(ann, ino, "write");
    world.report(ann, ino, 5000);
    const mtime = { seconds: 1_000_000, nanos: 7 };
    world.mutate(ann, "setAttributes", { ino, mtime, mtimeNow: false, atimeNow: false });
    const { ctime } = world.stat(ino);
    assert.ok(ctime.seconds > mtime.seconds);
    world.stampMs += 3000;
    const body = { ino, leaseSequence: sequenceOf(ann), sizeBytes: 6000, mtime };
    assert.equal(codeOf(world.mutate(ann, "reportFile", body)), "ok");
    assert.deepEqual([world.stat(ino).sizeBytes, world.stat(ino).mtime], [6000, mtime]);
    assert.deepEqual(world.stat(ino).ctime, ctime);
    world.report(ann, ino, 7000);
    assert.deepEqual(world.stat(ino).ctime, world.stat(ino).mtime);
    assert.ok(world.stat(ino).ctime.seconds > ctime.seconds);
  });

  test("a write that is told after the mode was changed does not move the time of that", () => {
    world.open(ann, ino, "write");
    const mtime = { seconds: Math.floor(world.stampMs / 1000), nanos: 5 };
    world.stampMs += 1000;
    world.mutate(ann, "setAttributes", { ino, mode: 0o600, mtimeNow: false, atimeNow: false });
    const { ctime } = world.stat(ino);
    world.stampMs += 3000;
    const body = { ino, leaseSequence: sequenceOf(ann), sizeBytes: 6000, mtime };
    assert.equal(codeOf(world.mutate(ann, "reportFile", body)), "ok");
    assert.deepEqual([world.stat(ino).mtime, world.stat(ino).ctime], [mtime, ctime]);
  });

  test("at the first level it moves it to the time when it is told, as programs of that level have it", () => {
    world = new CoreWorld({});
    ann = world.session();
    ino = world.create(ann, "f").attributes.ino;
    world.open(ann, ino, "write");
    const mtime = { seconds: Math.floor(world.stampMs / 1000), nanos: 5 };
    world.stampMs += 1000;
    world.mutate(ann, "setAttributes", { ino, mode: 0o600, mtimeNow: false, atimeNow: false });
    world.stampMs += 3000;
    const body = { ino, leaseSequence: sequenceOf(ann), sizeBytes: 6000, mtime };
    assert.equal(codeOf(world.mutate(ann, "reportFile", body)), "ok");
    assert.deepEqual([world.stat(ino).mtime, world.stat(ino).ctime], [mtime, timestampOf(world.stampMs)]);
  });

  test("a writer whose clock is ahead does not lift the time of change beyond the present", () => {
    world.open(ann, ino, "write");
    const mtime = { seconds: Math.floor(world.stampMs / 1000) + 3600, nanos: 0 };
    const body = { ino, leaseSequence: sequenceOf(ann), sizeBytes: 6000, mtime };
    assert.equal(codeOf(world.mutate(ann, "reportFile", body)), "ok");
    assert.ok(world.stat(ino).ctime.seconds <= Math.floor(world.stampMs / 1000));
  });

  test("under a shared lease the size only grows and the time only advances", () => {
    world.open(ann, ino, "write");
    world.report(ann, ino, 5000, "shared");
    const { mtime } = world.stat(ino);
    const leaseSequence = sequenceOf(ann);
    const old = { seconds: 1, nanos: 0 };
    world.mutate(ann, "reportFile", { ino, leaseSequence, sizeBytes: 3000, mtime: old });
    // It was a write all the same: who keeps data must see that there are others.
    const next = { ...mtime, nanos: mtime.nanos + 1 };
    assert.deepEqual([world.stat(ino).sizeBytes, world.stat(ino).mtime], [5000, next]);
    world.report(ann, ino, 7000);
    assert.equal(world.stat(ino).sizeBytes, 7000);
  });

  test("a reader's size is not believed", () => {
    world.open(ann, ino, "read");
    assert.equal(codeOf(world.report(ann, ino, 7000)), "ok");
    assert.equal(world.stat(ino).sizeBytes, 0);
  });

  test("a report that tells nothing new leaves no trace", () => {
    world.open(ann, ino, "write");
    const { mtime, changeCount } = world.stat(ino);
    const body = { ino, leaseSequence: sequenceOf(ann), sizeBytes: 0, mtime };
    assert.equal(codeOf(world.mutate(ann, "reportFile", body)), "ok");
    assert.equal(world.stat(ino).changeCount, changeCount);
  });

  test("that bytes became zeros is a change, and moves no end", () => {
    world.open(ann, ino, "write");
    world.report(ann, ino, 5000, "shared");
    const { mtime } = world.stat(ino);
    const body = { ino, leaseSequence: sequenceOf(ann), sizeBytes: 0, mtime: { seconds: 1, nanos: 0 } };
    world.mutate(ann, "reportFile", { ...body, zeroed: true });
    const next = { ...mtime, nanos: mtime.nanos + 1 };
    assert.deepEqual([world.stat(ino).sizeBytes, world.stat(ino).mtime], [5000, next]);
  });

  test("an old sequence, a closed file, and nonsense are refused", () => {
    const { sequence } = world.open(ann, ino, "read");
    world.open(ann, ino, "write");
    const mtime = { seconds: 0, nanos: 0 };
    const body = { ino, leaseSequence: sequence, sizeBytes: 1, mtime };
    assert.equal(codeOf(world.mutate(ann, "reportFile", body)), "lease_lost");
    assert.equal(codeOf(world.mutate(bob, "reportFile", { ...body, leaseSequence: 0 })), "lease_lost");
    assert.equal(codeOf(world.report(ann, ino, -1)), "invalid");
    assert.equal(codeOf(world.report(ann, ino, 2 ** 52 + 1)), "file_too_large");
  });

  test("a report never lifts a lease, and a writer does not become a mere reader", () => {
    world.open(ann, ino, "write");
    assert.equal(codeOf(world.report(ann, ino, 0, "read")), "invalid");
    world.report(ann, ino, 0, "shared");
    assert.equal(codeOf(world.report(ann, ino, 0, "exclusive")), "invalid");
    assert.equal(codeOf(world.report(ann, ino, 0, "read")), "invalid");
  });

  test("a lease that is given up altogether must be opened anew", () => {
    world.open(ann, ino, "write");
    world.report(ann, ino, 0, "none");
    assert.equal(leaseOf(ann), "none");
    assert.equal(codeOf(world.report(ann, ino, 1)), "lease_lost");
    assert.equal(world.open(bob, ino, "exclusive").kind, "exclusive");
    assert.equal(close(ann, "write"), "ok");
    assert.equal(leaseOf(ann), "closed");
  });
});
