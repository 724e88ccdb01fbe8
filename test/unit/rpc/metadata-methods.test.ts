import { describe, expect, test } from "vitest";
import { LARGE_LAYOUTS } from "../../../src/mds/store/table-layouts.js";
import {
  inodeNumber,
  LOCK_END,
  lockOwner,
  lockPosition,
  type MetadataMutation,
  type MetadataPush,
  type MetadataReply,
  type MetadataRequest,
  sessionId,
} from "../../../src/meta/index.js";
import { METADATA_SESSION } from "../../../src/rpc/index.js";
import { CoreWorld } from "../mds/core/core-world.js";

const ID = { sequence: 1, answeredBelow: 1, unanswered: [] };

function up(body: MetadataRequest): unknown {
  return METADATA_SESSION.up.decode(METADATA_SESSION.up.encode({ id: 3, deadlineMs: 9, body })).body;
}
function down(body: MetadataReply | MetadataPush): unknown {
  return METADATA_SESSION.down.decode(METADATA_SESSION.down.encode({ id: 3, failure: undefined, body })).body;
}

describe("on the wire", () => {
  test("times before 1970 are exact to the nanosecond", () => {
    const times = {
      atime: { seconds: -2_208_988_800, nanos: 999_999_999 },
      mtime: { seconds: -1, nanos: 1 },
    };
    const body = { id: ID, ino: inodeNumber(5), ...times, atimeNow: false, mtimeNow: false };
    const request: MetadataMutation = { type: "setAttributes", body };
    expect(up(request)).toMatchObject(request);
  });

  test("owners and devices have all their 32 bits, and so has the state", () => {
    const numbers = { uid: 0xffffffff, gid: 0xfffffffe, rdev: 0xfff00fff, umask: 0o777 };
    const what = { parent: inodeNumber(1), name: new Uint8Array([255]), mode: 0o020644, ...numbers };
    const body = { id: ID, ...what, target: new Uint8Array(0), mustBeNew: true };
    expect(up({ type: "create", body })).toMatchObject({ type: "create", body });

    const world = new CoreWorld();
    const { ino } = world.create(world.session(), "device", { ...numbers, mode: 0o020644 }).attributes;
    const inode = world.tables.inodes.get(ino);
    if (inode === undefined) throw new Error("it was created");
    const old = {
      ...inode,
      atime: { seconds: -5, nanos: 7 },
      mtime: { seconds: 2 ** 40, nanos: 999_999_999 },
    };
    const { codec } = LARGE_LAYOUTS.inodes;
    expect(codec.decode(codec.encode(old))).toEqual(old);
    expect([old.uid, old.gid, old.rdev]).toEqual([0xffffffff, 0xfffffffe, 0xfff00fff]);
  });

  test("locks are what they were, to the last of 64 bits", () => {
    const lock = {
      ino: inodeNumber(5),
      family: "range",
      owner: lockOwner(2n ** 64n - 1n),
      kind: "exclusive",
      begin: lockPosition(2n ** 63n - 1n),
      end: LOCK_END,
      pid: 7,
    } as const;
    const set: MetadataMutation = { type: "setLock", body: { ...lock, id: ID, kind: "none" } };
    expect(up(set)).toEqual(set);
    for (const request of [
      { type: "testLock", body: { lock } },
      { type: "awaitLock", body: { waitId: 4, lock } },
      { type: "forgetLockWait", body: { waitId: 4 } },
    ] as const) {
      expect(up(request)).toEqual(request);
    }
    const state = { type: "lockState", body: { lock, sessionId: sessionId(8) } } as const;
    expect(down(state)).toMatchObject(state);
    const none = { type: "lockState", body: { lock: undefined, sessionId: sessionId(0) } } as const;
    expect(down(none)).toMatchObject(none);
    const push = { type: "lockFree", body: { waitId: 4 } } as const;
    expect(down(push)).toMatchObject(push);
  });

  test("a lock of a kind or family that is not known here is refused", () => {
    const lock = { ino: 5, family: "range", owner: "1", kind: "shared", begin: "0", end: "1", pid: 7 };
    for (const part of [{ kind: "other" }, { family: "other" }]) {
      const body = { lock: { ...lock, ...part } };
      expect(() => up({ type: "testLock", body } as never)).toThrow("malformed");
    }
    const none = { lock: { ...lock, kind: "none" } };
    expect(() => up({ type: "testLock", body: none } as never)).toThrow("malformed");
  });
});
