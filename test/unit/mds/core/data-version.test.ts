import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { type InodeNumber, ROOT_INODE, type SessionId } from "../../../../src/meta/index.js";
import { CoreWorld } from "./core-world.js";

let world: CoreWorld;
let ann: SessionId;
let bob: SessionId;
let ino: InodeNumber;
beforeEach(() => {
  world = new CoreWorld();
  world.addServer(1);
  ann = world.session();
  bob = world.session();
  world.mutate(ann, "setStorage", { ino: ROOT_INODE, chunkBytes: 1 << 20 });
  ino = world.create(ann, "f").attributes.ino;
});

const versionNow = (): number => world.stat(ino).dataVersion ?? 0;
const leaseOf = (sessionId: SessionId): number => world.tables.opens.get(ino, sessionId)?.leaseSequence ?? 0;

function allocate(sessionId: SessionId): void {
  const command = world.next(sessionId, "allocateChunk", {
    ino,
    leaseSequence: leaseOf(sessionId),
    index: 0,
  });
  if (world.apply(command).outcome.type !== "wait") return;
  world.installAll();
  world.apply(command);
}

describe("the version of a file's data", () => {
  test("moves by one when a session closes its last open for writing, which the answer tells", () => {
    world.open(ann, ino, "write");
    world.open(ann, ino, "write");
    world.open(ann, ino, "read");
    world.mutate(ann, "close", { ino, access: "write" });
    assert.equal(versionNow(), 0);
    const outcome = world.mutate(ann, "close", { ino, access: "write" });
    assert.equal(versionNow(), 1);
    assert.ok(outcome.type === "reply" && outcome.reply.type === "entry");
    assert.equal(outcome.reply.body.attributes.dataVersion, 1);
    world.mutate(ann, "close", { ino, access: "read" });
    assert.equal(versionNow(), 1);
  });

  test("stays when readers come and go, and when attributes change", () => {
    world.open(ann, ino, "read");
    world.mutate(bob, "setAttributes", { ino, mode: 0o600, atimeNow: true, mtimeNow: false });
    world.mutate(ann, "close", { ino, access: "read" });
    assert.equal(versionNow(), 0);
  });

  test("moves with the end of a session that could write, at once and when its chunks are fenced", () => {
    world.open(ann, ino, "write");
    allocate(ann);
    world.endSession(ann);
    assert.equal(versionNow(), 1);
    world.installAll();
    assert.equal(versionNow(), 2);
  });

  test("moves when a writer is revoked", () => {
    world.open(ann, ino, "write");
    allocate(ann);
    world.mutate(bob, "revoke", { ino });
    assert.ok(versionNow() > 0);
  });

  test("moves with a truncation, of whoever has it open or not", () => {
    world.mutate(bob, "truncate", { ino, sizeBytes: 10 });
    assert.equal(versionNow(), 1);
  });
});
