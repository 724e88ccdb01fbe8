import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { toUtf8 } from "../../../../src/base/index.js";
import { type InodeNumber, type Rename, ROOT_INODE, type SessionId } from "../../../../src/meta/index.js";
import { CoreWorld, codeOf } from "./core-world.js";

let world: CoreWorld;
let me: SessionId;
let one: InodeNumber;
let two: InodeNumber;
beforeEach(() => {
  world = new CoreWorld();
  me = world.session();
  one = world.mkdir(me, "one");
  two = world.mkdir(me, "two");
});

const file = (name: string, parent: InodeNumber): InodeNumber =>
  world.create(me, name, { parent }).attributes.ino;
const rename = (
  fromParent: InodeNumber,
  fromName: string,
  toParent: InodeNumber,
  toName: string,
  mode: Rename["mode"] = "replace",
): string => {
  const body = { fromParent, fromName: toUtf8(fromName), toParent, toName: toUtf8(toName), mode };
  return codeOf(world.mutate(me, "rename", body));
};
const inoOf = (parent: InodeNumber, name: string): InodeNumber | undefined =>
  world.tables.dentries.get(parent, name)?.ino;
const isNow = (seconds: number): boolean => seconds === world.stampMs / 1000;

describe("rename", () => {
  test("moves a file and the times of both directories; of the file only ctime", () => {
    const ino = file("a", one);
    assert.equal(rename(one, "a", two, "b"), "ok");
    assert.deepEqual([inoOf(one, "a"), inoOf(two, "b")], [undefined, ino]);
    assert.deepEqual([world.stat(one).sizeBytes, world.stat(two).sizeBytes], [0, 1]);
    for (const parent of [one, two]) {
      assert.ok(isNow(world.stat(parent).mtime.seconds) && isNow(world.stat(parent).ctime.seconds));
    }
    assert.ok(isNow(world.stat(ino).ctime.seconds) && !isNow(world.stat(ino).mtime.seconds));
  });

  test("a directory takes its `..` and its link along", () => {
    const ino = world.mkdir(me, "d", one);
    assert.equal(rename(one, "d", two, "d"), "ok");
    assert.equal(world.lookup(ino, "..").ino, two);
    assert.deepEqual([world.stat(one).linkCount, world.stat(two).linkCount], [2, 3]);
  });

  test("within one directory the number of entries and links stays", () => {
    world.mkdir(me, "d", one);
    assert.equal(rename(one, "d", one, "e"), "ok");
    assert.deepEqual([world.stat(one).sizeBytes, world.stat(one).linkCount], [1, 3]);
  });

  test("a file that is replaced loses that name", () => {
    const source = file("a", one);
    const target = file("b", two);
    world.mutate(me, "link", { ino: target, parent: ROOT_INODE, name: toUtf8("other") });
    assert.equal(rename(one, "a", two, "b"), "ok");
    assert.equal(inoOf(two, "b"), source);
    assert.deepEqual([world.stat(target).linkCount, world.stat(two).sizeBytes], [1, 1]);
    assert.ok(isNow(world.stat(target).ctime.seconds));
  });

  test("a file that is replaced under its last name is gone", () => {
    file("a", one);
    const target = file("b", two);
    assert.equal(rename(one, "a", two, "b"), "ok");
    assert.equal(world.tables.inodes.get(target), undefined);
  });

  test("an empty directory may be replaced by a directory", () => {
    const source = world.mkdir(me, "d", one);
    const target = world.mkdir(me, "e", two);
    assert.equal(rename(one, "d", two, "e"), "ok");
    assert.equal(inoOf(two, "e"), source);
    assert.equal(world.tables.inodes.get(target), undefined);
    assert.deepEqual([world.stat(one).linkCount, world.stat(two).linkCount], [2, 3]);
  });

  test("a directory with entries is not replaced", () => {
    world.mkdir(me, "d", one);
    file("f", world.mkdir(me, "e", two));
    assert.equal(rename(one, "d", two, "e"), "not_empty");
  });

  test("a directory does not replace a file, nor a file a directory", () => {
    world.mkdir(me, "d", one);
    file("f", two);
    assert.equal(rename(one, "d", two, "f"), "not_directory");
    assert.equal(rename(two, "f", one, "d"), "is_directory");
  });

  test("a directory cannot move into itself or below itself", () => {
    const inner = world.mkdir(me, "inner", one);
    const deep = world.mkdir(me, "deep", inner);
    assert.equal(rename(ROOT_INODE, "one", one, "x"), "invalid");
    assert.equal(rename(ROOT_INODE, "one", deep, "x"), "invalid");
    assert.equal(rename(one, "inner", deep, "x", "exchange"), "invalid");
  });

  test("nothing replaces a directory that it lies in", () => {
    world.mkdir(me, "inner", one);
    assert.equal(rename(one, "inner", ROOT_INODE, "one"), "not_empty");
    assert.equal(rename(one, "inner", ROOT_INODE, "one", "exchange"), "invalid");
  });

  test("two names of one file: nothing happens and both stay", () => {
    const ino = file("a", one);
    world.mutate(me, "link", { ino, parent: two, name: toUtf8("b") });
    const before = world.stat(ino);
    assert.equal(rename(one, "a", two, "b"), "ok");
    assert.deepEqual([inoOf(one, "a"), inoOf(two, "b")], [ino, ino]);
    assert.deepEqual(world.stat(ino), before);
    assert.equal(rename(one, "a", one, "a"), "ok");
  });

  test("the source must exist, the directories must be some, the names must be names", () => {
    const ino = file("a", one);
    assert.equal(rename(one, "nothing", two, "b"), "not_found");
    assert.equal(rename(ino, "a", two, "b"), "not_directory");
    assert.equal(rename(one, "a", ino, "b"), "not_directory");
    assert.equal(rename(one, "a", 99 as InodeNumber, "b"), "not_found");
    for (const name of [".", "..", "", "a/b"]) assert.equal(rename(one, "a", two, name), "invalid");
    assert.equal(rename(one, "..", two, "b"), "invalid");
    assert.equal(rename(one, "a", two, "x".repeat(256)), "name_too_long");
  });

  test("a directory that has all the links it can have takes no directory in", () => {
    world.mkdir(me, "d", one);
    const inode = world.tables.inodes.get(two);
    assert.ok(inode !== undefined);
    world.tables.inodes.put({ ...inode, linkCount: 65000 }, two);
    assert.equal(rename(one, "d", two, "d"), "too_many_links");
    file("f", one);
    assert.equal(rename(one, "f", two, "f"), "ok");
  });
});

describe("rename without replacing", () => {
  test("refuses an existing name, even of the same file", () => {
    const ino = file("a", one);
    file("b", two);
    world.mutate(me, "link", { ino, parent: two, name: toUtf8("c") });
    assert.equal(rename(one, "a", two, "b", "no_replace"), "exists");
    assert.equal(rename(one, "a", two, "c", "no_replace"), "exists");
    assert.equal(rename(one, "a", two, "d", "no_replace"), "ok");
  });
});

describe("exchange", () => {
  test("swaps a file and a directory, with links and `..`", () => {
    const source = file("a", one);
    const target = world.mkdir(me, "d", two);
    file("f", target);
    assert.equal(rename(one, "a", two, "d", "exchange"), "ok");
    assert.deepEqual([inoOf(one, "a"), inoOf(two, "d")], [target, source]);
    assert.equal(world.lookup(target, "..").ino, one);
    assert.deepEqual([world.stat(one).linkCount, world.stat(two).linkCount], [3, 2]);
    assert.deepEqual([world.stat(one).sizeBytes, world.stat(two).sizeBytes], [1, 1]);
    assert.equal(world.tables.dentries.get(one, "a")?.mode, 0o040000);
  });

  test("needs both names", () => {
    file("a", one);
    assert.equal(rename(one, "a", two, "b", "exchange"), "not_found");
    assert.equal(rename(two, "b", one, "a", "exchange"), "not_found");
  });

  test("within one directory swaps the two entries", () => {
    const a = file("a", one);
    const d = world.mkdir(me, "d", one);
    assert.equal(rename(one, "a", one, "d", "exchange"), "ok");
    assert.deepEqual([inoOf(one, "a"), inoOf(one, "d")], [d, a]);
    assert.deepEqual([world.stat(one).linkCount, world.stat(one).sizeBytes], [3, 2]);
  });
});
