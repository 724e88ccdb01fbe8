import { describe, expect, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { decodeRequest } from "../../../../src/mount/fuse-wire/decode-request.js";
import { goldenMessage, goldenMessages } from "./golden-messages.js";

const FEATURES = { setxattrExtended: true };
const HEADER = { unique: 0x1122334455667, nodeId: 0x8899aabbccdd, uid: 1001, gid: 1002, pid: 1003 };
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

/** What the golden messages mean, but for their header. */
const MEANINGS: Readonly<Record<string, object>> = {
  lookup: { type: "lookup", name: bytes("name") },
  forget: { type: "forget", items: [{ nodeId: HEADER.nodeId, lookupCount: 7 }] },
  batchForget: {
    type: "forget",
    items: [
      { nodeId: 21, lookupCount: 22 },
      { nodeId: 23, lookupCount: 24 },
    ],
  },
  getattr: { type: "getAttributes", handle: 77 },
  setattr: {
    type: "setAttributes",
    handle: 77,
    mode: 0o100644,
    uid: 56,
    gid: 57,
    sizeBytes: 2 ** 32 + 1,
    atime: { seconds: -5, nanos: 53 },
    mtime: "now",
    ctime: { seconds: 52, nanos: 55 },
    lockOwner: 0xfedcba9876543210n,
    killSuidgid: true,
  },
  readlink: { type: "readSymlink" },
  symlink: { type: "symlink", name: bytes("name"), target: bytes("target"), groups: [] },
  mknod: { type: "makeNode", mode: 0o20666, rdev: 61, umask: 0o22, name: bytes("name"), groups: [] },
  mkdir: { type: "makeDirectory", mode: 0o777, umask: 0o22, name: bytes("name"), groups: [] },
  unlink: { type: "unlink", name: bytes("name") },
  rmdir: { type: "removeDirectory", name: bytes("name") },
  rename: { type: "rename", newParent: 62, flags: 0, name: bytes("name"), newName: bytes("new") },
  rename2: { type: "rename", newParent: 62, flags: 2, name: bytes("name"), newName: bytes("new") },
  link: { type: "link", existing: 63, name: bytes("name") },
  open: { type: "open", flags: 0o102, killSuidgid: true },
  read: { type: "read", handle: 77, offset: 2 ** 33 + 1, sizeBytes: 4096, flags: 0o102, lockOwner: 65n },
  write: {
    type: "write",
    handle: 77,
    offset: 2 ** 33 + 1,
    data: Buffer.from("abc"),
    flags: 0o102,
    isFromCache: false,
    killSuidgid: true,
    lockOwner: 65n,
  },
  statfs: { type: "statFilesystem" },
  release: {
    type: "release",
    handle: 77,
    flags: 0o102,
    isFlush: false,
    unlocksFlock: true,
    lockOwner: 65n,
  },
  fsync: { type: "fsync", handle: 77, isDataOnly: true },
  setxattr: { type: "setXattr", name: bytes("user.x"), value: bytes("abc"), flags: 2, killSgid: true },
  getxattr: { type: "getXattr", name: bytes("user.x"), sizeBytes: 100 },
  listxattr: { type: "listXattrs", sizeBytes: 100 },
  removexattr: { type: "removeXattr", name: bytes("user.x") },
  flush: { type: "flush", handle: 77, lockOwner: 65n },
  init: { type: "init", major: 7, minor: 38, maxReadahead: 131072, flags: (8n << 32n) | (1n << 30n) | 1n },
  opendir: { type: "openDirectory", flags: 0o200000 },
  readdir: { type: "readDirectory", handle: 77, offset: 66, sizeBytes: 4096, withAttributes: false },
  readdirplus: { type: "readDirectory", handle: 77, offset: 66, sizeBytes: 4096, withAttributes: true },
  releasedir: { type: "releaseDirectory", handle: 77 },
  fsyncdir: { type: "fsyncDirectory", handle: 77, isDataOnly: false },
  getlk: {
    type: "getLock",
    handle: 77,
    owner: 0xfedcba9876543210n,
    lock: { start: 5n, end: 2n ** 63n - 1n, kind: "write", pid: 67 },
    isFlock: false,
  },
  setlk: {
    type: "setLock",
    waits: false,
    handle: 77,
    owner: 68n,
    lock: { start: 5n, end: 6n, kind: "read", pid: 67 },
    isFlock: true,
  },
  setlkw: {
    type: "setLock",
    waits: true,
    handle: 77,
    owner: 68n,
    lock: { start: 5n, end: 6n, kind: "unlock", pid: 67 },
    isFlock: false,
  },
  access: { type: "access", mask: 5 },
  create: {
    type: "create",
    flags: 0o102,
    mode: 0o100666,
    umask: 0o22,
    killSuidgid: true,
    name: bytes("name"),
    groups: [],
  },
  tmpfile: {
    type: "makeTemporaryFile",
    flags: 0o102,
    mode: 0o100666,
    umask: 0o22,
    name: bytes("/"),
    groups: [],
  },
  interrupt: { type: "interrupt", target: 70 },
  bmap: { type: "mapBlock", block: 71, blockBytes: 512 },
  destroy: { type: "destroy" },
  ioctl: { type: "ioctl", handle: 77, flags: 72, command: 73 },
  poll: { type: "poll", handle: 77, events: 76 },
  notifyReply: { type: "notifyReply", offset: 78, data: Buffer.from("abc") },
  fallocate: { type: "allocate", handle: 77, offset: 79, lengthBytes: 80, mode: 3 },
  lseek: { type: "seek", handle: 77, offset: -81, whence: 3 },
  copyFileRange: {
    type: "copyRange",
    handle: 77,
    offset: 82,
    targetNodeId: 83,
    targetHandle: 84,
    targetOffset: 85,
    lengthBytes: 86,
    flags: 87,
    isWide: false,
  },
  syncfs: { type: "syncFilesystem" },
};

/** A message of an operation that the header of this machine does not have yet. */
function message(opcode: number, body: Buffer, extension: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt32LE(40 + body.length + extension.length, 0);
  header.writeUInt32LE(opcode, 4);
  header.writeBigUInt64LE(BigInt(HEADER.unique), 8);
  header.writeBigUInt64LE(BigInt(HEADER.nodeId), 16);
  header.writeUInt32LE(HEADER.uid, 24);
  header.writeUInt32LE(HEADER.gid, 28);
  header.writeUInt32LE(HEADER.pid, 32);
  header.writeUInt16LE(extension.length / 8, 36);
  return Buffer.concat([header, body, extension]);
}

const words = (...values: number[]): Buffer => Buffer.from(new Uint32Array(values).buffer);

describe("requests", () => {
  test.each(Object.entries(MEANINGS))("%s is read field by field", (name, meaning) => {
    expect(decodeRequest(goldenMessage(name), FEATURES)).toEqual({ header: HEADER, ...meaning });
  });

  test("every golden request has its meaning written down", () => {
    const requests = [...goldenMessages().keys()].filter((name) => !/^(reply|notify)\./.test(name));
    expect(requests.filter((name) => name !== "setxattrOld").sort()).toEqual(Object.keys(MEANINGS).sort());
  });

  test("setxattr has eight bytes less unless more was agreed on", () => {
    const request = decodeRequest(goldenMessage("setxattrOld"), { setxattrExtended: false });
    const { name, value } = { name: bytes("user.x"), value: bytes("abc") };
    expect(request).toEqual({ type: "setXattr", header: HEADER, name, value, flags: 1, killSgid: false });
  });

  test("statx and the wide copy, which old headers lack, are read field by field", () => {
    const statx = message(52, words(1, 0, 77, 0, 0x6000, 0x7ff));
    expect(decodeRequest(statx, FEATURES)).toEqual({
      type: "statx",
      header: HEADER,
      handle: 77,
      flags: 0x6000,
      mask: 0x7ff,
    });
    const golden = goldenMessage("copyFileRange");
    const wide = Buffer.from(golden);
    wide.writeUInt32LE(53, 4);
    expect(decodeRequest(wide, FEATURES)).toEqual({
      ...decodeRequest(golden, FEATURES),
      isWide: true,
    });
  });

  test("groups of whoever creates come as an extension, others are skipped", () => {
    const body = Buffer.concat([words(0o755, 0o22), Buffer.from("name\0")]);
    const context = Buffer.concat([words(16, 1), words(0, 0)]);
    const groups = words(24, 32, 2, 100, 200, 0);
    expect(decodeRequest(message(9, body, Buffer.concat([context, groups])), FEATURES)).toEqual({
      type: "makeDirectory",
      header: HEADER,
      mode: 0o755,
      umask: 0o22,
      name: bytes("name"),
      groups: [100, 200],
    });
  });

  test("an operation nobody knows is unknown, and still has a header to be answered by", () => {
    expect(decodeRequest(message(48, words(1, 2)), FEATURES)).toEqual({
      type: "unknown",
      header: HEADER,
      opcode: 48,
    });
  });
});

describe("messages that are not what they should be", () => {
  test("a request cut anywhere in its body cannot be read, unless nothing but padding is missing", () => {
    for (const [name, meaning] of Object.entries(MEANINGS)) {
      // Old kernels sent less of it: what is missing is zero.
      if (name === "init") continue;
      const golden = goldenMessage(name);
      for (let lengthBytes = 40; lengthBytes < golden.length; lengthBytes++) {
        // What lies behind the message in its buffer would make it whole.
        const cut = Buffer.from(golden).subarray(0, lengthBytes);
        cut.writeUInt32LE(lengthBytes, 0);
        const request = decodeRequest(cut, FEATURES);
        if (request.type !== "unreadable")
          expect(request, `${name} cut to ${lengthBytes}`).toEqual({ header: HEADER, ...meaning });
        else expect(request.header).toEqual(HEADER);
      }
    }
  });

  test("a name without its NUL, a write without its data and a lock of no kind cannot be read", () => {
    const noNul = message(1, Buffer.from("name"));
    expect(decodeRequest(noNul, FEATURES)).toMatchObject({ type: "unreadable", opcode: 1 });
    const write = Buffer.from(goldenMessage("write"));
    write.writeUInt32LE(4, 40 + 16);
    expect(decodeRequest(write, FEATURES)).toMatchObject({ type: "unreadable", opcode: 16 });
    const lock = Buffer.from(goldenMessage("getlk"));
    lock.writeUInt32LE(9, 40 + 32);
    expect(decodeRequest(lock, FEATURES)).toMatchObject({ type: "unreadable", opcode: 31 });
  });

  test("more groups than the extension holds cannot be read", () => {
    const body = Buffer.concat([words(0o755, 0o22), Buffer.from("name\0")]);
    expect(decodeRequest(message(9, body, words(16, 32, 3, 100)), FEATURES).type).toBe("unreadable");
    expect(decodeRequest(message(9, body, words(4, 32)), FEATURES).type).toBe("unreadable");
  });

  test("what has no header, or another length than it says, is no message at all", () => {
    const golden = goldenMessage("lookup");
    expect(() => decodeRequest(golden.subarray(0, 39), FEATURES)).toThrow("malformed");
    expect(() => decodeRequest(golden.subarray(0, golden.length - 1), FEATURES)).toThrow("malformed");
    expect(() => decodeRequest(Buffer.alloc(0), FEATURES)).toThrow("malformed");
  });

  test("random bytes are read or refused, but nothing else is thrown", () => {
    const prng = new Prng(417);
    const goldens = [...goldenMessages()].filter(([name]) => name in MEANINGS).map(([, golden]) => golden);
    for (let i = 0; i < 20_000; i++) {
      const golden = goldens[prng.below(goldens.length)];
      if (golden === undefined) continue;
      const damaged = Buffer.from(golden);
      for (let n = 1 + prng.below(4); n > 0; n--) {
        damaged[8 + prng.below(damaged.length - 8)] = prng.below(256);
      }
      try {
        decodeRequest(damaged, FEATURES);
      } catch (error) {
        expect(error).toMatchObject({ code: "malformed" });
      }
    }
  });
});
