import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { fromUtf8, toUtf8 } from "../../../../src/base/index.js";
import { XATTRS_PER_INODE_MAX } from "../../../../src/mds/core/xattr-records.js";
import type { InodeNumber, SessionId, SetXattr } from "../../../../src/meta/index.js";
import { CoreWorld, codeOf } from "./core-world.js";

let world: CoreWorld;
let me: SessionId;
let ino: InodeNumber;
beforeEach(() => {
  world = new CoreWorld();
  me = world.session();
  ino = world.create(me, "f").attributes.ino;
});

const set = (name: string, value: Uint8Array | string, mode: SetXattr["mode"] = "any"): string => {
  const bytes = typeof value === "string" ? toUtf8(value) : value;
  return codeOf(world.mutate(me, "setXattr", { ino, name: toUtf8(name), value: bytes, mode }));
};
const get = (name: string): string => {
  const outcome = world.query({ type: "getXattr", body: { ino, name: toUtf8(name) } });
  assert.ok(outcome.type === "reply" && outcome.reply.type === "value");
  return fromUtf8(outcome.reply.body.value);
};
const list = (): string[] => {
  const outcome = world.query({ type: "listXattrs", body: { ino } });
  assert.ok(outcome.type === "reply" && outcome.reply.type === "xattrNames");
  return outcome.reply.body.names.map(fromUtf8);
};
const remove = (name: string): string => codeOf(world.mutate(me, "removeXattr", { ino, name: toUtf8(name) }));

describe("extended attributes", () => {
  test("are set, changed, listed and removed", () => {
    set("user.a", "1");
    set("user.b", "2");
    set("user.a", "3");
    assert.deepEqual([list(), get("user.a")], [["user.a", "user.b"], "3"]);
    assert.equal(remove("user.a"), "ok");
    assert.deepEqual(list(), ["user.b"]);
    assert.throws(() => get("user.a"), { message: "no_such_attribute" });
  });

  test("create refuses an existing one, replace a missing one", () => {
    assert.equal(set("user.a", "1", "replace"), "no_such_attribute");
    assert.equal(set("user.a", "1", "create"), "ok");
    assert.equal(set("user.a", "2", "create"), "exists");
    assert.equal(set("user.a", "2", "replace"), "ok");
    assert.equal(remove("user.b"), "no_such_attribute");
  });

  test("move ctime and nothing else", () => {
    const before = world.stat(ino);
    set("user.a", "1");
    const after = world.stat(ino);
    assert.deepEqual([after.atime, after.mtime], [before.atime, before.mtime]);
    assert.equal(after.ctime.seconds, world.stampMs / 1000);
  });

  test("a name is 1 to 255 bytes, a value at most 65536, and may be empty", () => {
    assert.equal(set("", "1"), "out_of_range");
    assert.equal(set(`user.${"x".repeat(251)}`, "1"), "out_of_range");
    assert.equal(set("a\0b", "1"), "invalid");
    assert.equal(set(`user.${"x".repeat(250)}`, ""), "ok");
    assert.equal(set("user.a", new Uint8Array(65537)), "attribute_too_large");
    assert.equal(set("user.a", new Uint8Array(65536)), "ok");
  });

  test("one file has a bounded number of them", () => {
    for (let i = 0; i < XATTRS_PER_INODE_MAX; i++) assert.equal(set(`user.${i}`, ""), "ok");
    assert.equal(set("user.more", ""), "attribute_too_large");
    assert.equal(set("user.0", "new value"), "ok");
  });
});
