import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { type InodeNumber, MODE_DIRECTORY, MODE_FILE, type SessionId } from "../../../../src/meta/index.js";
import { attributesIn, CoreWorld, codeOf } from "./core-world.js";

let world: CoreWorld;
let me: SessionId;
let ino: InodeNumber;
beforeEach(() => {
  world = new CoreWorld();
  me = world.session();
  ino = world.create(me, "f", { mode: MODE_FILE | 0o6755 }).attributes.ino;
});

type Fields = Omit<Parameters<typeof world.mutate<"setAttributes">>[2], "ino" | "atimeNow" | "mtimeNow">;
const set = (fields: Fields, now: { atime?: boolean; mtime?: boolean } = {}, of = ino) =>
  world.mutate(me, "setAttributes", {
    ino: of,
    atimeNow: now.atime ?? false,
    mtimeNow: now.mtime ?? false,
    ...fields,
  });

describe("chmod", () => {
  test("sets the twelve bits and never the type", () => {
    assert.equal(attributesIn(set({ mode: MODE_DIRECTORY | 0o1644 })).mode, MODE_FILE | 0o1644);
  });

  test("moves ctime only", () => {
    const before = world.stat(ino);
    const after = attributesIn(set({ mode: 0o600 }));
    assert.deepEqual([after.atime, after.mtime], [before.atime, before.mtime]);
    assert.equal(after.ctime.seconds, world.stampMs / 1000);
    assert.ok(after.changeCount > before.changeCount);
  });
});

describe("chown", () => {
  test("sets the owner and takes set-user-ID and set-group-ID away", () => {
    const { uid, gid, mode } = attributesIn(set({ uid: 5 }));
    assert.deepEqual([uid, gid, mode], [5, 0, MODE_FILE | 0o755]);
  });

  test("leaves set-group-ID where the group may not execute", () => {
    set({ mode: 0o6745 });
    assert.equal(attributesIn(set({ gid: 5 })).mode, MODE_FILE | 0o2745);
  });

  test("leaves the bits of directories", () => {
    const directory = world.mkdir(me, "d");
    set({ mode: 0o6755 }, {}, directory);
    assert.equal(attributesIn(set({ uid: 5 }, {}, directory)).mode, MODE_DIRECTORY | 0o6755);
  });

  test("a mode in the same request has the last word", () => {
    assert.equal(attributesIn(set({ uid: 5, mode: 0o4711 })).mode, MODE_FILE | 0o4711);
  });
});

describe("utimens", () => {
  test("sets times to the nanosecond, before 1970 too", () => {
    const atime = { seconds: -5, nanos: 999_999_999 };
    const mtime = { seconds: 2 ** 40, nanos: 1 };
    const after = attributesIn(set({ atime, mtime }));
    assert.deepEqual([after.atime, after.mtime], [atime, mtime]);
    assert.equal(after.ctime.seconds, world.stampMs / 1000);
  });

  test("takes the MDS's time where asked to", () => {
    const after = attributesIn(set({}, { atime: true, mtime: true }));
    assert.deepEqual([after.atime, after.mtime], [after.ctime, after.ctime]);
  });

  test("leaves a time that is not named", () => {
    const { mtime } = world.stat(ino);
    assert.deepEqual(attributesIn(set({ atime: { seconds: 1, nanos: 0 } })).mtime, mtime);
  });
});

test("numbers that are none are refused and nothing changes", () => {
  const before = world.stat(ino);
  const wrong: Fields[] = [
    { mode: -1 },
    { uid: 2 ** 32 },
    { gid: 0.5 },
    { atime: { seconds: 0, nanos: 1e9 } },
    { mtime: { seconds: Number.NaN, nanos: 0 } },
    { mtime: { seconds: 0, nanos: -1 } },
  ];
  for (const fields of wrong) assert.equal(codeOf(set(fields)), "invalid");
  assert.deepEqual(world.stat(ino), before);
  assert.equal(codeOf(set({}, {}, 99 as InodeNumber)), "not_found");
});
