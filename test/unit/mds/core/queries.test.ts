import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { fromUtf8, StorageError, toUtf8 } from "../../../../src/base/index.js";
import { entriesOf, listingOf, READ_DIRECTORY_MAX } from "../../../../src/mds/core/queries.js";
import { type InodeNumber, MODE_SYMLINK, ROOT_INODE, type SessionId } from "../../../../src/meta/index.js";
import { attributesIn, CoreWorld } from "./core-world.js";

let world: CoreWorld;
let me: SessionId;
let directory: InodeNumber;
let file: InodeNumber;
beforeEach(() => {
  world = new CoreWorld();
  me = world.session();
  directory = world.mkdir(me, "d");
  file = world.create(me, "f", { parent: directory }).attributes.ino;
});

const symlink = (name: string, target: string, parent: InodeNumber = ROOT_INODE): InodeNumber =>
  world.create(me, name, { parent, mode: MODE_SYMLINK, target: toUtf8(target) }).attributes.ino;
const resolve = (path: string, followLast = true): InodeNumber =>
  attributesIn(
    world.query({ type: "resolvePath", body: { path: toUtf8(path), followLast, mayBeStale: false } }),
  ).ino;
const failureOf = (action: () => unknown): string => {
  try {
    action();
    return "ok";
  } catch (error) {
    assert.ok(error instanceof StorageError, String(error));
    return error.code;
  }
};

describe("resolvePath", () => {
  test("walks from the root, with or without a slash, over dots and doubled slashes", () => {
    for (const path of ["/d/f", "d/f", "//d///f", "/d/./f", "/d/../d/f", "/../d/f"]) {
      assert.equal(resolve(path), file, path);
    }
    for (const path of ["", "/", "."]) assert.equal(resolve(path), ROOT_INODE);
  });

  test("follows symbolic links, relative to where they lie or from the root", () => {
    symlink("a", "/d");
    symlink("b", "../d/f", directory);
    symlink("c", "f", directory);
    assert.equal(resolve("/a/f"), file);
    assert.equal(resolve("/a/b"), file);
    assert.equal(resolve("/d/c"), file);
  });

  test("follows the last link only if told to, or if a slash stands behind it", () => {
    const link = symlink("a", "d");
    assert.equal(resolve("/a", false), link);
    assert.equal(resolve("/a", true), directory);
    assert.equal(resolve("/a/", false), directory);
  });

  test("gives up after forty links", () => {
    symlink("loop", "loop");
    assert.equal(
      failureOf(() => resolve("/loop")),
      "symlink_loop",
    );
    symlink("l0", "d");
    for (let i = 1; i <= 40; i++) symlink(`l${i}`, `l${i - 1}`);
    assert.equal(resolve("/l39"), directory);
    assert.equal(
      failureOf(() => resolve("/l40")),
      "symlink_loop",
    );
  });

  test("a slash at the end demands a directory", () => {
    assert.equal(resolve("/d/"), directory);
    assert.equal(
      failureOf(() => resolve("/d/f/")),
      "not_directory",
    );
    symlink("a", "d/f/");
    assert.equal(
      failureOf(() => resolve("/a")),
      "not_directory",
    );
  });

  test("says what is wrong", () => {
    assert.equal(
      failureOf(() => resolve("/d/x")),
      "not_found",
    );
    assert.equal(
      failureOf(() => resolve("/d/f/x")),
      "not_directory",
    );
    assert.equal(
      failureOf(() => resolve("/".repeat(4096))),
      "name_too_long",
    );
    assert.equal(
      failureOf(() => resolve("x".repeat(256))),
      "name_too_long",
    );
    assert.equal(
      failureOf(() => resolve("a\0")),
      "invalid",
    );
  });
});

describe("readSymlink", () => {
  test("gives the target, of symbolic links only", () => {
    const outcome = world.query({ type: "readSymlink", body: { ino: symlink("a", "x/y") } });
    assert.ok(outcome.type === "reply" && outcome.reply.type === "value");
    assert.equal(fromUtf8(outcome.reply.body.value), "x/y");
    assert.equal(
      failureOf(() => world.query({ type: "readSymlink", body: { ino: file } })),
      "invalid",
    );
  });
});

describe("readDirectory", () => {
  const body = { after: new Uint8Array(0), limit: 10, withAttributes: true };

  test("is for directories, in bounded parts", () => {
    assert.deepEqual(listingOf(world.tables, { ...body, ino: directory, after: toUtf8("b") }), {
      ino: directory,
      after: "b",
      limit: 10,
    });
    assert.equal(listingOf(world.tables, { ...body, ino: directory, limit: 1e9 }).limit, READ_DIRECTORY_MAX);
    assert.equal(
      failureOf(() => listingOf(world.tables, { ...body, ino: file })),
      "not_directory",
    );
    assert.equal(
      failureOf(() => listingOf(world.tables, { ...body, ino: directory, limit: -1 })),
      "invalid",
    );
  });

  test("gives names and types, attributes where asked for, and leaves out what has gone meanwhile", () => {
    const listed = [
      ["f", { ino: file, mode: 0o100000 }],
      ["gone", { ino: 99 as InodeNumber, mode: 0o100000 }],
    ] as const;
    const plain = entriesOf(world.tables, listed, false, true);
    const full = entriesOf(world.tables, listed, true, false);
    assert.ok(plain.type === "entries" && full.type === "entries");
    assert.deepEqual([plain.body.entries.length, plain.body.isEnd], [2, true]);
    assert.deepEqual(
      full.body.entries.map(({ name, attributes }) => [fromUtf8(name), attributes?.ino]),
      [["f", file]],
    );
  });
});
