import { describe, expect, test } from "vitest";
import { FAILURES } from "../../../../src/base/index.js";
import { type Attributes, type InodeNumber, renewsAtime } from "../../../../src/meta/index.js";
import { attributeChange } from "../../../../src/mount/core/attribute-change.js";
import { DirectoryStream } from "../../../../src/mount/core/directory-stream.js";
import { gapsBetween } from "../../../../src/mount/core/gaps.js";
import { mountErrno } from "../../../../src/mount/core/mount-errno.js";
import { isAppending, isSynchronous, openModeOf } from "../../../../src/mount/core/open-mode.js";
import { timestampOfMs } from "../../../../src/mount/core/relatime.js";
import { joinNames, xattrReply } from "../../../../src/mount/core/xattr-reply.js";
import type { RequestOf } from "../../../../src/mount/fuse-wire/requests.js";

const header = { unique: 1, nodeId: 2, uid: 0, gid: 0, pid: 1 };
const NOTHING_SET: RequestOf<"setAttributes"> = {
  type: "setAttributes",
  header,
  handle: undefined,
  mode: undefined,
  uid: undefined,
  gid: undefined,
  sizeBytes: undefined,
  atime: undefined,
  mtime: undefined,
  ctime: undefined,
  lockOwner: undefined,
  killSuidgid: false,
};

describe("a change of attributes", () => {
  test("names what the request names, and no more", () => {
    const atime = { seconds: -5, nanos: 7 };
    expect(attributeChange({ ...NOTHING_SET, mode: 0o104755, atime, mtime: "now" }, 9)).toEqual({
      mode: 0o4755,
      atime,
      mtimeNow: true,
    });
  });

  test("of nothing at all is a change of owner to the one there is", () => {
    expect(attributeChange(NOTHING_SET, 9)).toEqual({ uid: 9 });
  });

  test("is none beside a truncation, which takes the privileges itself", () => {
    expect(attributeChange({ ...NOTHING_SET, sizeBytes: 0, killSuidgid: true }, 9)).toBeUndefined();
  });
});

describe("an errno", () => {
  test("is never EAGAIN but for a lock in the way and a conflict of what was asked", () => {
    const codes = Object.keys(FAILURES) as (keyof typeof FAILURES)[];
    const again = codes.filter((code) => mountErrno({ code }) === "EAGAIN");
    expect(again.sort()).toEqual(["conflict", "lock_conflict"]);
  });

  test("of a lost lease is EIO, of an interrupt EINTR, of a missing name ENOENT", () => {
    const found = (["lease_lost", "session_lost", "cancelled", "not_found"] as const).map((code) =>
      mountErrno({ code }),
    );
    expect(found).toEqual(["EIO", "EIO", "EINTR", "ENOENT"]);
  });
});

describe("open flags", () => {
  test("say how a file is opened", () => {
    expect(openModeOf(0o0)).toEqual({ access: "read", truncates: false, isDirect: false });
    expect(openModeOf(0o41001)).toEqual({ access: "write", truncates: true, isDirect: true });
    expect(openModeOf(0o200002, 0o200000).isDirect).toBe(true);
  });

  test("say of a write whether it appends and whether it is synchronous", () => {
    expect([isAppending(0o2001), isAppending(0o1001)]).toEqual([true, false]);
    expect([isSynchronous(0o10001), isSynchronous(0o4010001), isSynchronous(0o2001)]).toEqual([
      true,
      true,
      false,
    ]);
  });
});

describe("relatime", () => {
  const at = (seconds: number) => ({ seconds, nanos: 0 });
  const of = (atime: number, mtime: number, ctime: number) =>
    ({ atime: at(atime), mtime: at(mtime), ctime: at(ctime) }) as Attributes;

  test("renews a time that is not later than a change, or a day old, and no other", () => {
    expect(renewsAtime(of(10, 10, 5), at(11))).toBe(true);
    expect(renewsAtime(of(10, 5, 12), at(13))).toBe(true);
    expect(renewsAtime(of(10, 5, 5), at(11))).toBe(false);
    expect(renewsAtime(of(10, 5, 5), at(10 + 86_400))).toBe(true);
  });

  test("times before 1970 have positive nanoseconds", () => {
    expect(timestampOfMs(-1500)).toEqual({ seconds: -2, nanos: 500_000_000 });
  });
});

describe("extended attributes", () => {
  test("a buffer of size 0 asks for the size, one too small is ERANGE", () => {
    const value = new Uint8Array(5);
    expect(xattrReply(value, 0)).toEqual({ type: "size", sizeBytes: 5 });
    expect(xattrReply(value, 5)).toEqual({ type: "value", value });
    expect(() => xattrReply(value, 4)).toThrow("out_of_range");
  });

  test("names are listed each with its NUL", () => {
    const names = ["user.a", "user.bc"].map((name) => new TextEncoder().encode(name));
    expect(Buffer.from(joinNames(names)).toString()).toBe("user.a\0user.bc\0");
  });
});

describe("gaps", () => {
  test("are what lies in no page of a range, the last one without an end", () => {
    expect(gapsBetween([])).toEqual([{ begin: 0, lengthBytes: 0 }]);
    expect(
      gapsBetween([
        { begin: 20_000, end: 20_001 },
        { begin: 4096, end: 8193 },
        { begin: 8000, end: 9000 },
      ]),
    ).toEqual([
      { begin: 0, lengthBytes: 4096 },
      { begin: 12_288, lengthBytes: 4096 },
      { begin: 20_480, lengthBytes: 0 },
    ]);
  });

  test("empty ranges take no page", () => {
    expect(gapsBetween([{ begin: 5000, end: 5000 }])).toEqual([{ begin: 0, lengthBytes: 0 }]);
  });
});

describe("a directory stream", () => {
  const entry = (name: string, ino: number) => ({
    name: new TextEncoder().encode(name),
    ino: ino as InodeNumber,
    mode: 0o100000,
  });

  test("begins with itself and its parent, and goes on after the last name listed", () => {
    const stream = new DirectoryStream(5 as InodeNumber, 1 as InodeNumber);
    expect([stream.at(0)?.ino, stream.at(1)?.ino, stream.after.length]).toEqual([5, 1, 0]);
    stream.add([entry("a", 10), entry("b", 11)], false);
    expect([stream.at(3)?.ino, Buffer.from(stream.after).toString(), stream.isComplete]).toEqual([
      11,
      "b",
      false,
    ]);
    stream.add([], true);
    expect([stream.at(4), stream.isComplete]).toEqual([undefined, true]);
  });
});
