import { describe, expect, test } from "vitest";
import { DirectoryPage } from "../../../../src/mount/fuse-wire/directory-page.js";
import { encodeReply } from "../../../../src/mount/fuse-wire/encode-reply.js";
import { encodeInitReply, negotiate } from "../../../../src/mount/fuse-wire/init.js";
import {
  entryNotification,
  epochNotification,
  inodeNotification,
  storeNotification,
} from "../../../../src/mount/fuse-wire/notifications.js";
import type { FuseReply, WireAttributes, WireEntry } from "../../../../src/mount/fuse-wire/replies.js";
import type { FuseRequest, RequestOf } from "../../../../src/mount/fuse-wire/requests.js";
import { goldenMessage, goldenMessages } from "./golden-messages.js";

const HEADER = { unique: 0x1122334455667, nodeId: 1, uid: 0, gid: 0, pid: 0 };
const REQUEST: FuseRequest = { type: "readSymlink", header: HEADER };

const attributes: WireAttributes = {
  ino: 11,
  sizeBytes: 3 * 2 ** 32 + 1,
  blockCount: 12,
  atime: { seconds: -13, nanos: 16 },
  mtime: { seconds: 14, nanos: 17 },
  ctime: { seconds: 15, nanos: 18 },
  mode: 0o100644,
  linkCount: 19,
  uid: 20,
  gid: 21,
  rdev: 22,
  blockBytes: 4096,
};
const entry: WireEntry = {
  nodeId: 11,
  generation: 23,
  entryValidMs: 2500,
  attributesValidMs: 1001,
  attributes,
};

const page = new DirectoryPage(4096, false);
page.add({ name: Buffer.from("short"), ino: 31, mode: 0o100644, offset: 32 });
page.add({ name: Buffer.from("aligned8"), ino: 33, mode: 0o040755, offset: 34 });
const plusPage = new DirectoryPage(4096, true);
plusPage.add({ name: Buffer.from("short"), ino: 11, mode: 0o100644, offset: 32, entry });

/** What the golden replies say. */
const REPLIES: Readonly<Record<string, FuseReply>> = {
  ok: { type: "ok" },
  error: { type: "error", errno: "ENOENT" },
  entry: { type: "entry", entry },
  noEntry: { type: "noEntry", entryValidMs: 2500 },
  attributes: { type: "attributes", attributes, attributesValidMs: 1001 },
  opened: { type: "opened", handle: 77, flags: 5 },
  created: { type: "created", entry, handle: 77, flags: 5 },
  data: { type: "data", parts: [Buffer.from("abc"), Buffer.from("de")] },
  written: { type: "written", sizeBytes: 4096 },
  xattrSize: { type: "xattrSize", sizeBytes: 100 },
  filesystem: {
    type: "filesystem",
    blockCount: 24,
    freeBlockCount: 25,
    availableBlockCount: 26,
    fileCount: 27,
    freeFileCount: 28,
    blockBytes: 4096,
    nameBytesMax: 255,
  },
  lock: { type: "lock", lock: { start: 5n, end: 2n ** 63n - 1n, kind: "write", pid: 67 } },
  offset: { type: "offset", offset: 4 * 2 ** 32 + 1 },
  directory: page.reply(),
  directoryPlus: plusPage.reply(),
};

const hex = (parts: readonly Uint8Array[]): string => Buffer.concat(parts).toString("hex");

describe("replies", () => {
  test.each(Object.entries(REPLIES))("%s is written as the kernel reads it", (name, reply) => {
    expect(hex(encodeReply(REQUEST, reply))).toBe(goldenMessage(`reply.${name}`).toString("hex"));
  });

  test("every golden reply is written by somebody", () => {
    const names = [...goldenMessages().keys()].filter((name) => name.startsWith("reply."));
    expect(names.map((name) => name.slice(6)).sort()).toEqual([...Object.keys(REPLIES), "init"].sort());
  });

  test("data are handed on, not copied", () => {
    const part = Buffer.from("abc");
    expect(encodeReply(REQUEST, { type: "data", parts: [part] })[1]).toBe(part);
  });

  test("statx has its 256 bytes at their places", () => {
    const birthTime = { seconds: 99, nanos: 98 };
    const rdev = (5 << 8) | 7 | (1 << 20);
    const reply: FuseReply = {
      type: "statx",
      attributes: { ...attributes, rdev },
      birthTime,
      attributesValidMs: 1001,
    };
    const bytes = Buffer.concat(encodeReply(REQUEST, reply));
    expect(bytes.length).toBe(16 + 32 + 256);
    const stat = bytes.subarray(16 + 32);
    // Offsets of struct statx, whose layout struct fuse_statx has.
    expect(stat.readUInt32LE(0)).toBe(0xfff);
    expect([stat.readUInt32LE(4), stat.readUInt32LE(16), stat.readUInt32LE(20)]).toEqual([4096, 19, 20]);
    expect([stat.readUInt32LE(24), stat.readUInt16LE(28)]).toEqual([21, 0o100644]);
    expect([stat.readBigUInt64LE(32), stat.readBigUInt64LE(40), stat.readBigUInt64LE(48)]).toEqual([
      11n,
      3n * 2n ** 32n + 1n,
      12n,
    ]);
    expect([64, 80, 96, 112].map((at) => stat.readBigInt64LE(at))).toEqual([-13n, 99n, 15n, 14n]);
    expect([72, 88, 104, 120].map((at) => stat.readUInt32LE(at))).toEqual([16, 98, 18, 17]);
    expect([stat.readUInt32LE(128), stat.readUInt32LE(132)]).toEqual([5, 263]);
  });

  test("the answer to a wide copy has 64 bits", () => {
    const copy: RequestOf<"copyRange"> = {
      type: "copyRange",
      header: HEADER,
      handle: 1,
      offset: 0,
      targetNodeId: 2,
      targetHandle: 2,
      targetOffset: 0,
      lengthBytes: 2 ** 33,
      flags: 0,
      isWide: true,
    };
    const [bytes] = encodeReply(copy, { type: "written", sizeBytes: 2 ** 33 });
    expect(Buffer.from(bytes ?? []).readBigUInt64LE(16)).toBe(2n ** 33n);
  });
});

describe("listings", () => {
  test("a page takes names until the next one would not fit", () => {
    // Each takes 24 + 8 bytes.
    const small = new DirectoryPage(100, false);
    const added = ["one", "two", "three", "four"].map((name, index) =>
      small.add({ name: Buffer.from(name), ino: index + 1, mode: 0o100644, offset: index + 1 }),
    );
    expect(added).toEqual([true, true, true, false]);
    expect(small.reply()).toMatchObject({ type: "data" });
    expect(encodeReply(REQUEST, small.reply())[1]?.length).toBe(96);
  });

  test("an empty page says that the listing is over", () => {
    const empty = new DirectoryPage(4096, true);
    expect(empty.isEmpty).toBe(true);
    expect(hex(encodeReply(REQUEST, empty.reply()))).toBe(goldenMessage("reply.ok").toString("hex"));
  });

  test("with attributes, a name without an entry has the node id 0", () => {
    const dots = new DirectoryPage(4096, true);
    dots.add({ name: Buffer.from("."), ino: 5, mode: 0o040755, offset: 1 });
    const bytes = Buffer.concat(encodeReply(REQUEST, dots.reply()).slice(1));
    expect(bytes.length).toBe(128 + 24 + 8);
    expect(bytes.subarray(0, 128).every((byte) => byte === 0)).toBe(true);
    expect(bytes.readBigUInt64LE(128)).toBe(5n);
  });
});

describe("notifications", () => {
  test("of inodes and entries are written as the kernel reads them", () => {
    expect(hex([inodeNotification(41, -1, 42)])).toBe(goldenMessage("notify.inode").toString("hex"));
    expect(hex([entryNotification(43, Buffer.from("name"))])).toBe(
      goldenMessage("notify.entry").toString("hex"),
    );
    expect(hex([storeNotification(44, 3 * 2 ** 32 + 2, Buffer.from("abc"))])).toBe(
      goldenMessage("notify.store").toString("hex"),
    );
  });

  test("an epoch is a bare header with code 8", () => {
    expect(hex([epochNotification()])).toBe("10000000080000000000000000000000");
  });
});

describe("agreeing on features", () => {
  const wishes = {
    flags: ["asyncRead", "maxPages", "directIoAllowMmap"],
    transferBytesMax: 1024 * 1024,
    readaheadBytesMax: 1024 * 1024,
    backgroundMax: 64,
    congestionThreshold: 48,
  } as const;
  const init = (minor: number, flags: bigint): RequestOf<"init"> => ({
    type: "init",
    header: HEADER,
    major: 7,
    minor,
    maxReadahead: 131072,
    flags,
  });

  test("what both sides have is agreed on, and written as the kernel reads it", () => {
    const offered = 1n | (1n << 22n) | (1n << 30n) | (1n << 3n) | (1n << 36n);
    const agreed = negotiate(init(38, offered), wishes);
    expect([agreed.has("asyncRead"), agreed.has("atomicTruncate"), agreed.hasEpochs]).toEqual([
      true,
      false,
      false,
    ]);
    expect(hex([encodeInitReply(HEADER.unique, agreed, wishes)])).toBe(
      goldenMessage("reply.init").toString("hex"),
    );
  });

  test("without the extension the upper half of the flags does not count", () => {
    const agreed = negotiate(init(38, 1n | (1n << 36n)), wishes);
    expect(agreed.flags).toBe(1n);
  });

  test("a kernel without max_pages gets no request above 128 KiB", () => {
    expect(negotiate(init(38, 1n), wishes).transferBytesMax).toBe(128 * 1024);
    expect(negotiate(init(38, 1n << 22n), wishes).transferBytesMax).toBe(1024 * 1024);
  });

  test("epochs are used from 7.44 on, and no more is claimed than this codec speaks", () => {
    expect(negotiate(init(44, 1n), wishes).hasEpochs).toBe(true);
    expect(negotiate(init(99, 1n), wishes).minor).toBe(45);
  });

  test("a kernel that is too old is refused by its version", () => {
    expect(() => negotiate(init(30, 1n), wishes)).toThrow("this kernel speaks FUSE 7.30");
    expect(negotiate(init(31, 1n), wishes).minor).toBe(31);
  });
});
