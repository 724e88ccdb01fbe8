import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { toUtf8 } from "../../../../src/base/index.js";
import { concernOf } from "../../../../src/mds/core/concerns.js";
import { SoleInterest } from "../../../../src/mds/core/sole-interest.js";
import { ROOT_INODE, type SessionId } from "../../../../src/meta/index.js";
import { CoreWorld } from "./core-world.js";

let world: CoreWorld;
let soles: SoleInterest;
let [ann, bob]: SessionId[] = [];
beforeEach(() => {
  world = new CoreWorld();
  soles = new SoleInterest();
  [ann, bob] = [world.session(), world.session()];
});

const both = (): [SessionId, SessionId] => {
  assert.ok(ann !== undefined && bob !== undefined);
  return [ann, bob];
};

describe("being alone with an inode", () => {
  test("is in the way of everybody else until it is released", () => {
    const [a, b] = both();
    soles.hold(a, ROOT_INODE);
    assert.deepEqual(soles.ofOthers(a, [ROOT_INODE]).size, 0);
    assert.deepEqual([...soles.ofOthers(b, [ROOT_INODE])], [[a, new Set([ROOT_INODE])]]);
    assert.deepEqual([...soles.ofOthers(b, "all").keys()], [a]);
    assert.equal(soles.release(b, ROOT_INODE), false);
    assert.equal(soles.release(a, ROOT_INODE), true);
    assert.equal(soles.ofOthers(b, "all").size, 0);
  });

  test("ends with the session", () => {
    const [a] = both();
    soles.hold(a, ROOT_INODE);
    soles.forget(a);
    assert.equal(soles.count, 0);
  });

  test("cannot begin while somebody else has it open, or is about to change it or a name that may stand for it", () => {
    const [a, b] = both();
    const { ino } = world.create(a, "f", { open: "read" }).attributes;
    const directory = world.mkdir(a, "d");
    assert.equal(soles.isQuiet(world.tables, a, ino), true);
    assert.equal(soles.isQuiet(world.tables, b, ino), false);
    const id = { sequence: 1, answeredBelow: 1, unanswered: [] };
    const body = { id, parent: ROOT_INODE, name: toUtf8("d"), directory: true };
    const concern = concernOf(world.tables, b, { type: "remove", body }, [ROOT_INODE]);
    assert.deepEqual(concern.inos, [ROOT_INODE, directory]);
    soles.begin(concern);
    for (const each of [ROOT_INODE, directory, ino])
      assert.equal(soles.isQuiet(world.tables, a, each), false);
    assert.equal(soles.isQuiet(world.tables, b, directory), true);
    soles.end(concern);
    assert.equal(soles.isQuiet(world.tables, a, directory), true);
  });
});
