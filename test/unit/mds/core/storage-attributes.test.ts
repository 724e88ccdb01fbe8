import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { DEFAULT_STORAGE } from "../../../../src/mds/core/storage-attributes.js";
import { type InodeNumber, ROOT_INODE, type SessionId, type SetStorage } from "../../../../src/meta/index.js";
import { CoreWorld, codeOf } from "./core-world.js";

let world: CoreWorld;
let me: SessionId;
beforeEach(() => {
  world = new CoreWorld();
  me = world.session();
});

const set = (ino: InodeNumber, fields: Omit<SetStorage, "id" | "ino">): string =>
  codeOf(world.mutate(me, "setStorage", { ino, ...fields }));

describe("storage attributes", () => {
  test("of a new cluster are one replica per host in chunks of 256 MiB", () => {
    assert.deepEqual(world.stat(ROOT_INODE).storage, DEFAULT_STORAGE);
    assert.deepEqual(
      [DEFAULT_STORAGE.replicas, DEFAULT_STORAGE.failureDomain, DEFAULT_STORAGE.chunkBytes],
      [1, "host", 2 ** 28],
    );
  });

  test("are inherited at creation, and not after it", () => {
    const before = world.create(me, "before").attributes.ino;
    assert.equal(set(ROOT_INODE, { replicas: 3, replicasMinimum: 2, failureDomain: "rack" }), "ok");
    const directory = world.mkdir(me, "d");
    const after = world.create(me, "after", { parent: directory }).attributes;
    assert.equal(world.stat(before).storage.replicas, 1);
    assert.deepEqual(
      [after.storage.replicas, after.storage.replicasMinimum, after.storage.failureDomain],
      [3, 2, "rack"],
    );
  });

  test("change only where they are given", () => {
    set(ROOT_INODE, { replicas: 3, tier: 2 });
    assert.deepEqual(world.stat(ROOT_INODE).storage, { ...DEFAULT_STORAGE, replicas: 3, tier: 2 });
  });

  test("that make no sense are refused", () => {
    const wrong: Omit<SetStorage, "id" | "ino">[] = [
      { replicas: 0 },
      { replicas: 65 },
      { replicas: 1.5 },
      { replicas: 2, replicasMinimum: 3 },
      { replicasMinimum: 0 },
      { tier: 4 },
      { tier: -1 },
      { failureDomain: "planet" as "host" },
      { chunkBytes: 4095 },
      { chunkBytes: 0 },
      { chunkBytes: 2 ** 31 + 4096 },
    ];
    for (const fields of wrong) assert.equal(set(ROOT_INODE, fields), "invalid", JSON.stringify(fields));
    assert.deepEqual(world.stat(ROOT_INODE).storage, DEFAULT_STORAGE);
  });

  test("the limits themselves are fine", () => {
    assert.equal(set(ROOT_INODE, { replicas: 64, replicasMinimum: 64, tier: 3, chunkBytes: 2 ** 31 }), "ok");
    assert.equal(set(ROOT_INODE, { chunkBytes: 4096 }), "ok");
  });
});

describe("the chunk size of a file", () => {
  test("stays once it has data", () => {
    world.addServer(1);
    const { ino } = world.create(me, "f").attributes;
    assert.equal(set(ino, { chunkBytes: 4096 }), "ok");
    const lease = world.open(me, ino, "write");
    world.mutate(me, "allocateChunk", { ino, leaseSequence: lease.sequence, index: 0 });
    assert.equal(set(ino, { chunkBytes: 8192 }), "invalid");
    assert.equal(set(ino, { chunkBytes: 4096, replicas: 2 }), "ok");
  });

  test("does not become smaller than what its holder may keep in the metadata", () => {
    const { ino } = world.create(me, "f", { open: "write" }).attributes;
    assert.equal(set(ino, { chunkBytes: 4096 }), "refused");
    assert.equal(set(ino, { chunkBytes: 65_536 }), "ok");
  });

  test("stays while another session has the file open", () => {
    const { ino } = world.create(world.session(), "f", { open: "write" }).attributes;
    assert.equal(set(ino, { chunkBytes: 4096 }), "refused");
    assert.equal(set(ino, { replicas: 2 }), "ok");
  });
});
