import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { toUtf8 } from "../../../../src/base/index.js";
import {
  type Create,
  type InodeNumber,
  MODE_DIRECTORY,
  MODE_FILE,
  ROOT_INODE,
  type SessionId,
  type SetAttributes,
} from "../../../../src/meta/index.js";
import { attributesIn, CoreWorld, codeOf, createBody, openedOf } from "./core-world.js";

let world: CoreWorld;
let me: SessionId;
beforeEach(() => {
  world = new CoreWorld();
  me = world.session();
});

const file = (mode: number): InodeNumber => world.create(me, "f", { mode: MODE_FILE | mode }).attributes.ino;
const change = (ino: InodeNumber, what: Partial<SetAttributes>): number =>
  attributesIn(world.mutate(me, "setAttributes", { ino, atimeNow: false, mtimeNow: false, ...what })).mode &
  0o7777;
const setCapability = (ino: InodeNumber): void => {
  const name = toUtf8("security.capability");
  world.mutate(me, "setXattr", { ino, name, value: new Uint8Array(20), mode: "any" });
};
const hasCapability = (ino: InodeNumber): boolean =>
  world.tables.xattrs.get(ino, "security.capability") !== undefined;
const unnamed = (more: Partial<Create> = {}): string =>
  codeOf(world.mutate(me, "create", createBody("", { unnamed: true, open: "write", ...more })));
const link = (ino: InodeNumber, name: string): string =>
  codeOf(world.mutate(me, "link", { ino, parent: ROOT_INODE, name: toUtf8(name) }));
const close = (ino: InodeNumber): void => {
  world.mutate(me, "close", { ino, access: "write" });
};

describe("privileges", () => {
  test("go with a change of owner: set-user-ID, set-group-ID where the group may execute, capabilities", () => {
    for (const [before, after] of [
      [0o6755, 0o755],
      [0o6745, 0o2745],
      [0o755, 0o755],
    ] as const) {
      const ino = file(before);
      setCapability(ino);
      assert.equal(change(ino, { uid: 5 }), after);
      assert.equal(hasCapability(ino), false);
      assert.deepEqual(world.tables.inodes.get(ino)?.xattrNames, []);
      world.mutate(me, "remove", { parent: ROOT_INODE, name: toUtf8("f"), directory: false });
    }
    const directory = world.mkdir(me, "d", ROOT_INODE, 0o6755);
    assert.equal(change(directory, { gid: 5 }), 0o6755);
  });

  test("are taken away on demand, and nothing changes if there are none", () => {
    const ino = file(0o6755);
    assert.equal(change(ino, { killPrivileges: true }), 0o755);
    const before = world.tables.inodes.get(ino);
    change(ino, { killPrivileges: true });
    assert.deepEqual(world.tables.inodes.get(ino), before);
    setCapability(ino);
    change(ino, { killPrivileges: true });
    assert.equal(hasCapability(ino), false);
  });

  test("go with a truncation if it says so, capabilities with every one", () => {
    const ino = file(0o6755);
    setCapability(ino);
    world.mutate(me, "truncate", { ino, sizeBytes: 5 });
    assert.deepEqual([world.stat(ino).mode & 0o7777, hasCapability(ino)], [0o6755, false]);
    world.mutate(me, "truncate", { ino, sizeBytes: 0, killPrivileges: true });
    assert.equal(world.stat(ino).mode & 0o7777, 0o755);
  });
});

describe("an access", () => {
  const access = (ino: InodeNumber) => {
    assert.equal(codeOf(world.mutate(me, "markAccessed", { files: [{ ino }] })), "ok");
    return world.stat(ino);
  };

  test("moves atime alone, and only if it is older than the last change or than a day", () => {
    const ino = file(0o644);
    const before = world.stat(ino);
    const first = access(ino);
    assert.equal(first.atime.seconds, world.stampMs / 1000);
    assert.deepEqual([first.mtime, first.ctime], [before.mtime, before.ctime]);
    assert.deepEqual(access(ino).atime, first.atime);
    world.stampMs += 86_400_000;
    assert.equal(access(ino).atime.seconds, world.stampMs / 1000);
    change(ino, { mode: 0o600 });
    assert.equal(access(ino).atime.seconds, world.stampMs / 1000);
  });
});

describe("accesses that are told together", () => {
  test("each count for themselves, and what is gone is passed over", () => {
    const one = file(0o644);
    const other = world.create(me, "g", { mode: MODE_FILE | 0o644 }).attributes.ino;
    world.mutate(me, "markAccessed", { files: [{ ino: other }] });
    const seen = world.stat(other);
    world.stampMs += 1000;

    const files = [one, 99_999 as InodeNumber, other].map((ino) => ({ ino }));
    assert.equal(codeOf(world.mutate(me, "markAccessed", { files })), "ok");

    assert.equal(world.stat(one).atime.seconds, world.stampMs / 1000);
    assert.deepEqual(world.stat(other), seen);
  });

  test("are not too many", () => {
    const ino = file(0o644);
    const files = Array.from({ length: 257 }, () => ({ ino }));
    assert.equal(codeOf(world.mutate(me, "markAccessed", { files })), "invalid");
  });
});

describe("a file without a name", () => {
  const make = (): InodeNumber =>
    openedOf(world.mutate(me, "create", createBody("", { unnamed: true, open: "write" }))).attributes.ino;

  test("has no link, leaves its directory alone, and is gone with its last close", () => {
    const before = world.tables.inodes.get(ROOT_INODE);
    const ino = make();
    assert.equal(world.stat(ino).linkCount, 0);
    assert.deepEqual(world.tables.inodes.get(ROOT_INODE), before);
    close(ino);
    assert.equal(world.tables.inodes.get(ino), undefined);
  });

  test("can be given a name while it is open, and then is a file like any other", () => {
    const ino = make();
    assert.equal(link(ino, "f"), "ok");
    close(ino);
    assert.equal(world.stat(ino).linkCount, 1);
    world.open(me, ino, "write");
    world.mutate(me, "remove", { parent: ROOT_INODE, name: toUtf8("f"), directory: false });
    assert.equal(link(ino, "g"), "not_found");
  });

  test("is a regular file and open, and inherits as a named one", () => {
    assert.equal(unnamed({ open: undefined }), "invalid");
    assert.equal(unnamed({ mode: MODE_DIRECTORY | 0o755 }), "invalid");
    change(ROOT_INODE, { mode: 0o2755, gid: 9 });
    const body = createBody("", { unnamed: true, open: "write", mode: MODE_FILE | 0o666, umask: 0o022 });
    const { attributes } = openedOf(world.mutate(me, "create", body));
    assert.deepEqual([attributes.gid, attributes.mode], [9, MODE_FILE | 0o644]);
  });

  test("ends with the session that has it open", () => {
    const ino = make();
    world.endSession(me);
    assert.equal(world.tables.inodes.get(ino), undefined);
  });
});

describe("the space a file takes", () => {
  beforeEach(() => {
    world.addServer(1);
    world.mutate(me, "setStorage", { ino: ROOT_INODE, replicas: 1, replicasMinimum: 1 });
  });
  const write = (ino: InodeNumber, index: number): void => {
    const leaseSequence = world.tables.opens.get(ino, me)?.leaseSequence ?? 0;
    world.mutate(me, "allocateChunk", { ino, leaseSequence, index });
    world.installAll();
  };
  const report = (ino: InodeNumber, sizeBytes: number, writtenBytes?: number): number => {
    const leaseSequence = world.tables.opens.get(ino, me)?.leaseSequence ?? 0;
    const mtime = { seconds: world.stampMs, nanos: 1 };
    return attributesIn(
      world.mutate(me, "reportFile", { ino, leaseSequence, sizeBytes, mtime, writtenBytes }),
    ).allocatedBytes;
  };

  test("is what was written, in whole blocks, at most its size and its chunks", () => {
    const ino = world.create(me, "f", { open: "write" }).attributes.ino;
    assert.equal(report(ino, 50 * 2 ** 30, 0), 0);
    write(ino, 199);
    assert.equal(report(ino, 50 * 2 ** 30, 5000), 8192);
    assert.equal(report(ino, 50 * 2 ** 30, 2 ** 40), 2 ** 28);
    world.mutate(me, "truncate", { ino, sizeBytes: 0 });
    assert.equal(world.stat(ino).allocatedBytes, 0);
    write(ino, 0);
    assert.equal(report(ino, 1024, 1024), 4096);
    assert.equal(report(ino, 1024, 1024), 4096);
  });

  test("is never nothing while there is something, and by a client that says nothing all it grew by", () => {
    const ino = world.create(me, "f", { open: "write" }).attributes.ino;
    write(ino, 0);
    assert.equal(report(ino, 100_000), 102_400);
    write(ino, 7);
    assert.ok(report(ino, 100_000, 0) > 0);
  });
});
