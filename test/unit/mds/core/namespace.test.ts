import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { toUtf8 } from "../../../../src/base/index.js";
import {
  type Attributes,
  type InodeNumber,
  MODE_CHARACTER_DEVICE,
  MODE_DIRECTORY,
  MODE_FIFO,
  MODE_FILE,
  MODE_SETGID,
  MODE_SYMLINK,
  ROOT_INODE,
  type SessionId,
} from "../../../../src/meta/index.js";
import { CoreWorld, codeOf, createBody } from "./core-world.js";

let world: CoreWorld;
let me: SessionId;
beforeEach(() => {
  world = new CoreWorld();
  me = world.session();
});

const file = (name: string, parent: InodeNumber = ROOT_INODE): InodeNumber =>
  world.create(me, name, { parent }).attributes.ino;
const remove = (name: string, directory = false, parent: InodeNumber = ROOT_INODE): string =>
  codeOf(world.mutate(me, "remove", { parent, name: toUtf8(name), directory }));
const link = (ino: InodeNumber, name: string, parent: InodeNumber = ROOT_INODE): string =>
  codeOf(world.mutate(me, "link", { ino, parent, name: toUtf8(name) }));
const create = (name: string, more: Parameters<typeof createBody>[1] = {}): string =>
  codeOf(world.mutate(me, "create", createBody(name, more)));
const lookup = (name: string, parent: InodeNumber = ROOT_INODE): Attributes => world.lookup(parent, name);
const isGone = (ino: InodeNumber): boolean => world.tables.inodes.get(ino) === undefined;
const now = (): number => world.stampMs / 1000;

/** Which of the times the last command moved. */
function touched(attributes: Attributes): string {
  const times = { a: attributes.atime, m: attributes.mtime, c: attributes.ctime };
  return Object.entries(times)
    .filter(([, time]) => time.seconds === now())
    .map(([name]) => name)
    .join("");
}

describe("create", () => {
  test("a new file has one link, no bytes, and all its times are now", () => {
    const { attributes, created, lease } = world.create(me, "f", {
      mode: MODE_FILE | 0o4640,
      uid: 7,
      gid: 8,
    });
    assert.equal(created, true);
    assert.deepEqual(lease, { kind: "none", sequence: 0 });
    assert.equal(attributes.mode, MODE_FILE | 0o4640);
    assert.deepEqual([attributes.uid, attributes.gid, attributes.linkCount], [7, 8, 1]);
    assert.deepEqual([attributes.sizeBytes, attributes.allocatedBytes, attributes.rdev], [0, 0, 0]);
    assert.equal(touched(attributes), "amc");
    assert.deepEqual(attributes.birthTime, attributes.ctime);
  });

  test("it moves mtime and ctime of the directory, not its atime", () => {
    file("f");
    assert.equal(touched(world.stat(ROOT_INODE)), "mc");
  });

  test("a directory counts a link for itself and one for each directory inside", () => {
    const directory = world.mkdir(me, "d");
    file("f", directory);
    world.mkdir(me, "e", directory);
    assert.deepEqual([world.stat(directory).linkCount, world.stat(directory).sizeBytes], [3, 2]);
    assert.equal(world.stat(ROOT_INODE).linkCount, 3);
  });

  test("`..` leads to the parent, and to the root itself from the root", () => {
    const directory = world.mkdir(me, "d");
    assert.equal(lookup("..", directory).ino, ROOT_INODE);
    assert.equal(lookup(".", directory).ino, directory);
    assert.equal(lookup("..").ino, ROOT_INODE);
  });

  test("in a set-group-ID directory files take its group, and directories the bit too", () => {
    const body = { mode: MODE_DIRECTORY | MODE_SETGID | 0o775, gid: 42 };
    const shared = world.create(me, "s", body).attributes.ino;
    const inside = world.create(me, "f", { parent: shared, gid: 7 }).attributes;
    const below = world.create(me, "d", { parent: shared, gid: 7, mode: MODE_DIRECTORY | 0o700 }).attributes;
    assert.deepEqual([inside.gid, inside.mode], [42, MODE_FILE | 0o644]);
    assert.deepEqual([below.gid, below.mode], [42, MODE_DIRECTORY | MODE_SETGID | 0o700]);
  });

  test("a symbolic link has mode 0777 and the size of its target", () => {
    const { attributes } = world.create(me, "l", { mode: MODE_SYMLINK | 0o600, target: toUtf8("a/b") });
    assert.deepEqual([attributes.mode, attributes.sizeBytes], [MODE_SYMLINK | 0o777, 3]);
  });

  test("a target must not be empty, longer than 4095 bytes or contain NUL", () => {
    assert.equal(create("l", { mode: MODE_SYMLINK, target: toUtf8("") }), "invalid");
    assert.equal(create("l", { mode: MODE_SYMLINK, target: toUtf8("a\0b") }), "invalid");
    assert.equal(create("l", { mode: MODE_SYMLINK, target: toUtf8("x".repeat(4096)) }), "name_too_long");
    assert.equal(create("l", { mode: MODE_SYMLINK, target: toUtf8("x".repeat(4095)) }), "ok");
  });

  test("only device files have a device number", () => {
    assert.equal(world.create(me, "c", { mode: MODE_CHARACTER_DEVICE, rdev: 259 }).attributes.rdev, 259);
    assert.equal(world.create(me, "p", { mode: MODE_FIFO, rdev: 259 }).attributes.rdev, 0);
  });

  test("an existing file is opened unless it must be new", () => {
    const ino = file("f");
    const again = world.create(me, "f", { open: "read" });
    assert.deepEqual([again.attributes.ino, again.created, again.lease.kind], [ino, false, "read"]);
    assert.equal(create("f", { mustBeNew: true }), "exists");
  });

  test("an existing name of another kind is not opened", () => {
    world.mkdir(me, "d");
    world.create(me, "l", { mode: MODE_SYMLINK, target: toUtf8("d") });
    assert.equal(create("d", { open: "write" }), "is_directory");
    assert.equal(create("l", { open: "write" }), "symlink_loop");
    assert.equal(create("d", { mode: MODE_DIRECTORY }), "exists");
  });

  test("a name is 1 to 255 bytes without slash and NUL, and neither `.` nor `..`", () => {
    const codes = ["", "a/b", "a\0b", "x".repeat(256), ".", ".."].map((name) => create(name));
    assert.deepEqual(codes, ["invalid", "invalid", "invalid", "name_too_long", "exists", "exists"]);
    assert.equal(create("x".repeat(255)), "ok");
  });

  test("names are bytes, not text", () => {
    const name = new Uint8Array([0xff, 0xfe, 0x80]);
    world.mutate(me, "create", { ...createBody(""), name });
    const found = world.query({ type: "lookup", body: { parent: ROOT_INODE, name } });
    assert.equal(codeOf(found), "ok");
  });

  test("it needs a directory that exists", () => {
    assert.equal(create("f", { parent: file("g") }), "not_directory");
    assert.equal(create("f", { parent: 99 as InodeNumber }), "not_found");
  });

  test("a type that does not exist is refused", () => {
    assert.equal(create("f", { mode: 0o644 }), "invalid");
    assert.equal(create("f", { mode: 0o170000 }), "invalid");
    assert.equal(create("f", { mode: 2 ** 32 + MODE_FILE }), "invalid");
  });

  test("no directory has more than 65000 links", () => {
    const parent = world.mkdir(me, "d");
    const inode = world.tables.inodes.get(parent);
    assert.ok(inode !== undefined);
    world.tables.inodes.put({ ...inode, linkCount: 65000 }, parent);
    assert.equal(create("e", { parent, mode: MODE_DIRECTORY }), "too_many_links");
    assert.equal(create("f", { parent }), "ok");
  });
});

describe("link", () => {
  test("both names lead to the same inode, whose ctime alone moves", () => {
    const ino = file("a");
    assert.equal(link(ino, "b"), "ok");
    assert.equal(lookup("b").ino, ino);
    assert.equal(lookup("a").linkCount, 2);
    assert.equal(touched(lookup("a")), "c");
    assert.equal(touched(world.stat(ROOT_INODE)), "mc");
  });

  test("an existing name is not replaced", () => {
    assert.equal(link(file("a"), "a"), "exists");
  });

  test("directories cannot be linked, symbolic links can", () => {
    const { ino } = world.create(me, "l", { mode: MODE_SYMLINK, target: toUtf8("x") }).attributes;
    assert.equal(link(world.mkdir(me, "d"), "e"), "not_permitted");
    assert.equal(link(ino, "m"), "ok");
  });

  test("no file has more than 65000 links", () => {
    const ino = file("a");
    const inode = world.tables.inodes.get(ino);
    assert.ok(inode !== undefined);
    world.tables.inodes.put({ ...inode, linkCount: 65000 }, ino);
    assert.equal(link(ino, "b"), "too_many_links");
  });

  test("a file without names cannot get one again", () => {
    const ino = world.create(me, "a", { open: "read" }).attributes.ino;
    remove("a");
    assert.equal(link(ino, "b"), "not_found");
  });
});

describe("remove", () => {
  test("a file goes with its last name", () => {
    const ino = file("a");
    link(ino, "b");
    assert.equal(remove("a"), "ok");
    assert.deepEqual([world.stat(ino).linkCount, touched(world.stat(ino))], [1, "c"]);
    assert.equal(remove("b"), "ok");
    assert.equal(isGone(ino), true);
    assert.deepEqual(world.stat(ROOT_INODE).sizeBytes, 0);
  });

  test("unlink refuses directories, rmdir everything else", () => {
    world.mkdir(me, "d");
    file("f");
    assert.equal(remove("d"), "is_directory");
    assert.equal(remove("f", true), "not_directory");
    assert.equal(remove("nothing"), "not_found");
  });

  test("a directory goes only when it is empty, and its link to the parent goes with it", () => {
    const directory = world.mkdir(me, "d");
    file("f", directory);
    assert.equal(remove("d", true), "not_empty");
    assert.equal(remove("f", false, directory), "ok");
    assert.equal(remove("d", true), "ok");
    assert.equal(isGone(directory), true);
    assert.equal(world.stat(ROOT_INODE).linkCount, 2);
  });

  test("`.` and `..` cannot be removed", () => {
    assert.equal(remove(".", true), "invalid");
    assert.equal(remove("..", false), "is_directory");
  });

  test("its extended attributes go with an inode", () => {
    const ino = file("f");
    world.mutate(me, "setXattr", { ino, name: toUtf8("user.a"), value: toUtf8("1"), mode: "any" });
    remove("f");
    assert.deepEqual(world.tables.xattrs.entries(), []);
  });

  test("an open file lives without a name until its last close", () => {
    const ino = world.create(me, "f", { open: "write" }).attributes.ino;
    world.open(me, ino, "read");
    remove("f");
    assert.equal(world.stat(ino).linkCount, 0);
    world.mutate(me, "close", { ino, access: "write" });
    assert.equal(isGone(ino), false);
    world.mutate(me, "close", { ino, access: "read" });
    assert.equal(isGone(ino), true);
  });

  test("an open file without a name goes with the session that had it open", () => {
    const ino = world.create(me, "f", { open: "write" }).attributes.ino;
    remove("f");
    world.endSession(me);
    assert.equal(isGone(ino), true);
  });

  test("the totals follow", () => {
    world.mkdir(me, "d");
    const ino = file("f");
    world.mutate(me, "truncate", { ino, sizeBytes: 1000 });
    assert.deepEqual(world.tables.totals.get(), {
      fileCount: 1,
      inodeCount: 3,
      sizeBytes: 1000,
      chunkCount: 0,
    });
    remove("f");
    remove("d", true);
    assert.deepEqual(world.tables.totals.get(), { fileCount: 0, inodeCount: 1, sizeBytes: 0, chunkCount: 0 });
  });
});
