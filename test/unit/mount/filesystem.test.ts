import { describe, expect, test } from "vitest";
import { bytesOf, MountedWorld, textOf } from "./doubles/mounted-world.js";

const plain = { groups: [], umask: 0 } as const;
const error = (errno: string) => ({ type: "error", errno });

describe("names", () => {
  test("a file is found under its name until it is removed", async () => {
    const mount = await MountedWorld.start();
    const file = await mount.create("f");
    const found = await mount.ask("lookup", 1, { name: bytesOf("f") });
    expect(found.type === "entry" && found.entry.nodeId).toBe(file.nodeId);
    expect(await mount.ask("unlink", 1, { name: bytesOf("f") })).toEqual({ type: "ok" });
    const gone = await mount.ask("lookup", 1, { name: bytesOf("f") });
    expect(gone.type === "noEntry" ? "ENOENT" : gone).toEqual("ENOENT");
  });

  test("a file that somebody made since the kernel looked is opened only after another look", async () => {
    const mount = await MountedWorld.start();
    await mount.create("f");
    const body = { name: bytesOf("f"), mode: 0o600, flags: 0o102, killSuidgid: false, ...plain };
    expect(await mount.ask("create", 1, body)).toEqual(error("ESTALE"));
    expect(await mount.ask("create", 1, { ...body, flags: 0o302 })).toEqual(error("EEXIST"));
  });

  test("whiteouts and unknown ways to rename are refused, the two others are done", async () => {
    const mount = await MountedWorld.start();
    const a = await mount.create("a");
    const b = await mount.create("b");
    const rename = (flags: number) =>
      mount.ask("rename", 1, { name: bytesOf("a"), newParent: 1, newName: bytesOf("b"), flags });
    expect(await rename(4)).toEqual(error("EINVAL"));
    expect(await rename(1)).toEqual(error("EEXIST"));
    expect(await rename(2)).toEqual({ type: "ok" });
    const found = await mount.ask("lookup", 1, { name: bytesOf("a") });
    expect(found.type === "entry" && [found.entry.nodeId, a.nodeId]).toEqual([b.nodeId, a.nodeId]);
  });

  test("requests for an inode that is gone are ESTALE", async () => {
    const mount = await MountedWorld.start();
    const open = { flags: 0, killSuidgid: false };
    expect(await mount.ask("open", 777, open)).toEqual(error("ESTALE"));
    expect(await mount.ask("getAttributes", 777, { handle: undefined })).toEqual(error("ESTALE"));
    expect(await mount.ask("lookup", 777, { name: bytesOf(".") })).toEqual(error("ESTALE"));
  });
});

describe("files without a name", () => {
  test("a removed file is read and written through its handle, and has no links", async () => {
    const mount = await MountedWorld.start();
    const file = await mount.create("f");
    await mount.write(file, 0, "hello");
    await mount.ask("unlink", 1, { name: bytesOf("f") });
    expect((await mount.attributes(file.nodeId)).linkCount).toBe(0);
    expect(textOf(await mount.read(file, 0, 100))).toBe("hello");
  });

  test("a removed directory shows no links to whoever still has it", async () => {
    const mount = await MountedWorld.start();
    const nodeId = await mount.makeDirectory("d");
    await mount.ask("removeDirectory", 1, { name: bytesOf("d") });
    const { linkCount, mode } = await mount.attributes(nodeId);
    expect([linkCount, mode & 0o170000]).toEqual([0, 0o040000]);
  });

  test("once the kernel has forgotten it, nothing is known of it", async () => {
    const mount = await MountedWorld.start();
    const nodeId = await mount.makeDirectory("d");
    await mount.ask("removeDirectory", 1, { name: bytesOf("d") });
    mount.fileSystem.forget([{ nodeId, lookupCount: 1 }]);
    expect(await mount.ask("getAttributes", nodeId, { handle: undefined })).toEqual(error("ESTALE"));
  });

  test("a temporary file gets a name by link", async () => {
    const mount = await MountedWorld.start();
    const made = await mount.ask("makeTemporaryFile", 1, {
      name: bytesOf(""),
      mode: 0o600,
      flags: 0o2,
      ...plain,
    });
    if (made.type !== "created") throw new Error("not created");
    expect(made.entry.attributes.linkCount).toBe(0);
    await mount.write({ nodeId: made.entry.nodeId, handle: made.handle }, 0, "x");
    const linked = await mount.ask("link", 1, { existing: made.entry.nodeId, name: bytesOf("named") });
    expect(linked.type === "entry" && linked.entry.attributes.linkCount).toBe(1);
  });
});

describe("reading and writing", () => {
  test("what is written is read, and its size shown at once", async () => {
    const mount = await MountedWorld.start();
    const file = await mount.create("f");
    expect(await mount.write(file, 3, "abc")).toEqual({ type: "written", sizeBytes: 3 });
    expect(textOf(await mount.read(file, 0, 100))).toBe("\0\0\0abc");
    expect((await mount.attributes(file.nodeId)).sizeBytes).toBe(6);
  });

  test("an append goes to the end whatever offset the kernel believes in, and corrects its pages", async () => {
    const mount = await MountedWorld.start();
    const file = await mount.create("f");
    await mount.write(file, 0, "12345");
    await mount.write(file, 2, "678", { flags: 0o2002 });
    expect(textOf(await mount.read(file, 0, 100))).toBe("12345678");
    expect(mount.kernel.told).toEqual([`data ${file.nodeId} 4096+0`, `data ${file.nodeId} 2+3`]);
  });

  test("pages of a mapping are written where they are, although the file is open for appending", async () => {
    const mount = await MountedWorld.start();
    const file = await mount.create("f");
    await mount.write(file, 0, "12345");
    await mount.write(file, 1, "xx", { flags: 0o2002, isFromCache: true });
    expect(textOf(await mount.read(file, 0, 100))).toBe("1xx45");
  });

  test("truncation on opening empties the file", async () => {
    const mount = await MountedWorld.start();
    const file = await mount.create("f");
    await mount.write(file, 0, "12345");
    const opened = await mount.ask("open", file.nodeId, { flags: 0o1001, killSuidgid: false });
    expect(opened.type).toBe("opened");
    expect((await mount.attributes(file.nodeId)).sizeBytes).toBe(0);
  });

  test("O_DIRECT bypasses the kernel's pages; an unchanged file keeps them", async () => {
    const mount = await MountedWorld.start();
    const file = await mount.create("f");
    await mount.write(file, 0, "12345");
    await mount.ask("flush", file.nodeId, { handle: file.handle, lockOwner: 1n });
    await mount.ask("release", file.nodeId, {
      handle: file.handle,
      flags: 0,
      isFlush: false,
      unlocksFlock: false,
      lockOwner: 1n,
    });
    const flagsOf = async (flags: number) => {
      const reply = await mount.ask("open", file.nodeId, { flags, killSuidgid: false });
      return reply.type === "opened" ? reply.flags : reply;
    };
    expect(await flagsOf(0o40000)).toBe(1 | (1 << 6));
    await mount.attributes(file.nodeId);
    expect(await flagsOf(0)).toBe(2);
  });

  test("a handle that is not there is EBADF", async () => {
    const mount = await MountedWorld.start();
    expect(await mount.read({ nodeId: 1, handle: 99 }, 0, 1)).toEqual(error("EBADF"));
  });

  test("an ordinary user's write takes set-user-ID away, root's does not", async () => {
    const mount = await MountedWorld.start();
    const file = await mount.create("f", { mode: 0o4755 });
    await mount.write(file, 0, "x");
    expect((await mount.attributes(file.nodeId)).mode & 0o7000).toBe(0o4000);
    await mount.write(file, 0, "x", { killSuidgid: true });
    expect((await mount.attributes(file.nodeId)).mode & 0o7777).toBe(0o755);
  });
});

describe("the end of a file that others move", () => {
  /** A file open on this mount, and the same file open for writing on another host. */
  async function shared() {
    const mount = await MountedWorld.start();
    const file = await mount.create("f");
    await mount.write(file, 0, "12345");
    const elsewhere = await mount.world.client("elsewhere");
    const theirs = await mount.world.run(elsewhere.fileSystem.open("/f", { access: "write" }));
    const ask = () => mount.ask("getAttributes", file.nodeId, { handle: file.handle });
    const stored = () => mount.kernel.told.filter((line) => line.startsWith("store"));
    return { mount, file, theirs, ask, stored };
  }

  test("is told to the kernel by its last byte, once, before the attributes", async () => {
    const { mount, file, theirs, ask, stored } = await shared();
    await ask();
    expect(stored()).toEqual([]);
    await mount.world.run(theirs.write(bytesOf("678"), 5));
    const reply = await ask();
    expect(reply.type === "attributes" && reply.attributes.sizeBytes).toBe(8);
    expect(stored()).toEqual([`store ${file.nodeId} 7+1`]);
    await ask();
    expect(stored().length).toBe(1);
  });

  test("is told again if the kernel did not take it", async () => {
    const { mount, theirs, ask, stored } = await shared();
    await mount.world.run(theirs.write(bytesOf("678"), 5));
    mount.kernel.takes = false;
    await ask();
    mount.kernel.takes = true;
    await ask();
    await ask();
    expect(stored().length).toBe(2);
  });

  test("holds up nobody who is killed while the kernel holds the page", async () => {
    const { mount, file, theirs } = await shared();
    await mount.world.run(theirs.write(bytesOf("678"), 5));
    mount.kernel.held = new Promise(() => undefined);
    const killed = new AbortController();
    const body = { handle: file.handle };
    const asking = mount.begin("getAttributes", file.nodeId, body, killed.signal);
    await mount.world.pass(100);
    killed.abort();
    expect(await mount.world.run(asking)).toEqual(error("EINTR"));
  });

  test("is told again after the kernel was told of a nearer one, or read past it", async () => {
    const { mount, file, theirs, ask, stored } = await shared();
    await mount.world.run(theirs.write(bytesOf("678"), 5));
    await ask();
    await mount.world.run(theirs.truncate(2));
    await mount.attributes(file.nodeId);
    await mount.world.run(theirs.write(bytesOf("xy"), 2));
    await ask();
    expect(stored()).toEqual([`store ${file.nodeId} 7+1`, `store ${file.nodeId} 3+1`]);
    await mount.world.run(theirs.truncate(1));
    await mount.read(file, 0, 100);
    await mount.world.run(theirs.write(bytesOf("zz"), 1));
    await ask();
    expect(stored()[2]).toBe(`store ${file.nodeId} 2+1`);
  });

  test("a byte that was overwritten while it was on its way to the kernel does not stay there", async () => {
    const { mount, file, theirs } = await shared();
    await mount.world.run(theirs.write(bytesOf("678"), 5));
    let release = (): void => undefined;
    mount.kernel.held = new Promise((resolve) => {
      release = resolve;
    });
    const asking = mount.begin("getAttributes", file.nodeId, { handle: file.handle });
    await mount.world.pass(100);
    const contents = { kind: "contents", ino: mount.ino(file.nodeId), name: bytesOf("") } as const;
    const forgetting = mount.listener.invalidate([contents]);
    await mount.world.pass(100);
    mount.kernel.held = undefined;
    release();
    await mount.world.run(Promise.all([asking, forgetting]));
    const about = mount.kernel.told.filter((line) => !line.startsWith("attributes"));
    expect(about.slice(-2)).toEqual([`store ${file.nodeId} 7+1`, `data ${file.nodeId} 0+0`]);
  });
});

describe("space", () => {
  test("fallocate grows the file unless told to keep the size; holes need that", async () => {
    const mount = await MountedWorld.start();
    const file = await mount.create("f");
    const allocate = (mode: number, offset: number, lengthBytes: number) =>
      mount.ask("allocate", file.nodeId, { handle: file.handle, offset, lengthBytes, mode });
    await mount.write(file, 0, new Uint8Array(8192).fill(1));
    expect(await allocate(0, 8192, 100)).toEqual({ type: "ok" });
    expect(await allocate(1, 8192, 9000)).toEqual({ type: "ok" });
    expect((await mount.attributes(file.nodeId)).sizeBytes).toBe(8292);
    expect(await allocate(2, 0, 4096)).toEqual(error("EOPNOTSUPP"));
    expect(await allocate(8, 0, 4096)).toEqual(error("EOPNOTSUPP"));
    expect(await allocate(3, 0, 4096)).toEqual({ type: "ok" });
    const read = await mount.read(file, 0, 8192);
    expect(read.type === "data" && read.parts[0]?.findIndex((byte) => byte !== 0)).toBe(4096);
  });

  test("there is nothing to seek for behind the end or before the beginning", async () => {
    const mount = await MountedWorld.start();
    const file = await mount.create("f");
    await mount.write(file, 0, "abc");
    const seek = (offset: number, whence: number) =>
      mount.ask("seek", file.nodeId, { handle: file.handle, offset, whence });
    expect(await seek(0, 3)).toEqual({ type: "offset", offset: 0 });
    expect(await seek(0, 4)).toEqual({ type: "offset", offset: 3 });
    expect(await seek(3, 3)).toEqual(error("ENXIO"));
    expect(await seek(-1, 3)).toEqual(error("ENXIO"));
    expect(await seek(0, 9)).toEqual(error("EINVAL"));
  });

  test("a range is copied within the cluster", async () => {
    const mount = await MountedWorld.start();
    const source = await mount.create("a");
    const target = await mount.create("b");
    await mount.write(source, 0, "0123456789");
    const copied = await mount.ask("copyRange", source.nodeId, {
      handle: source.handle,
      offset: 2,
      targetNodeId: target.nodeId,
      targetHandle: target.handle,
      targetOffset: 1,
      lengthBytes: 100,
      flags: 0,
      isWide: false,
    });
    expect(copied).toEqual({ type: "written", sizeBytes: 8 });
    expect(textOf(await mount.read(target, 0, 100))).toBe("\x0023456789");
  });
});

describe("attributes", () => {
  const nothing = {
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

  test("the root is shown with the owner of the command line until it is given another", async () => {
    const mount = await MountedWorld.start({ rootOwner: { uid: 7, gid: 8, mode: 0o750 } });
    const before = await mount.attributes(1);
    expect([before.uid, before.gid, before.mode]).toEqual([7, 8, 0o040750]);
    await mount.ask("setAttributes", 1, { ...nothing, mode: 0o700 });
    const after = await mount.attributes(1);
    expect([after.uid, after.mode]).toEqual([7, 0o040700]);
  });

  test("a read renews the access time once, and whoever looks sees it", async () => {
    const mount = await MountedWorld.start();
    const file = await mount.create("f");
    await mount.write(file, 0, "abc");
    await mount.world.pass(5000);
    const before = await mount.attributes(file.nodeId);
    await mount.read(file, 0, 3);
    const after = await mount.attributes(file.nodeId);
    expect(after.atime.seconds).toBeGreaterThan(before.atime.seconds);
    expect([after.mtime, after.ctime]).toEqual([before.mtime, before.ctime]);
  });

  test("with noatime it does not", async () => {
    const mount = await MountedWorld.start({ noatime: true });
    const file = await mount.create("f");
    await mount.write(file, 0, "abc");
    await mount.world.pass(5000);
    const before = await mount.attributes(file.nodeId);
    await mount.read(file, 0, 3);
    await mount.world.pass(5000);
    expect((await mount.attributes(file.nodeId)).atime).toEqual(before.atime);
  });

  test("extended attributes are probed, read, listed and removed", async () => {
    const mount = await MountedWorld.start();
    const { nodeId } = await mount.create("f");
    const name = bytesOf("user.a");
    const set = (flags: number) =>
      mount.ask("setXattr", nodeId, { name, value: bytesOf("12345"), flags, killSgid: false });
    expect(await set(2)).toEqual(error("ENODATA"));
    expect(await set(1)).toEqual({ type: "ok" });
    expect(await set(1)).toEqual(error("EEXIST"));
    expect(await mount.ask("getXattr", nodeId, { name, sizeBytes: 0 })).toEqual({
      type: "xattrSize",
      sizeBytes: 5,
    });
    expect(await mount.ask("getXattr", nodeId, { name, sizeBytes: 4 })).toEqual(error("ERANGE"));
    expect(textOf(await mount.ask("listXattrs", nodeId, { sizeBytes: 99 }))).toBe("user.a\0");
    expect(await mount.ask("removeXattr", nodeId, { name })).toEqual({ type: "ok" });
    expect(await mount.ask("getXattr", nodeId, { name, sizeBytes: 0 })).toEqual(error("ENODATA"));
  });

  test("a label of SELinux that is not there is said not to be supported, so that ls asks once", async () => {
    const mount = await MountedWorld.start();
    const { nodeId } = await mount.create("f");
    const name = bytesOf("security.selinux");
    const get = () => mount.ask("getXattr", nodeId, { name, sizeBytes: 99 });
    expect(await get()).toEqual(error("EOPNOTSUPP"));
    await mount.ask("setXattr", nodeId, { name, value: bytesOf("label"), flags: 0, killSgid: false });
    expect(textOf(await get())).toBe("label");
    const other = { name: bytesOf("security.selinuy"), sizeBytes: 99 };
    expect(await mount.ask("getXattr", nodeId, other)).toEqual(error("ENODATA"));
  });

  test("without access control lists those of files are said not to be supported, whatever others have set", async () => {
    const mount = await MountedWorld.start({ hasAcls: false });
    const { nodeId } = await mount.create("f");
    for (const text of ["system.posix_acl_access", "system.posix_acl_default"]) {
      const name = bytesOf(text);
      const value = bytesOf("acl");
      expect(await mount.ask("getXattr", nodeId, { name, sizeBytes: 99 })).toEqual(error("EOPNOTSUPP"));
      expect(await mount.ask("setXattr", nodeId, { name, value, flags: 0, killSgid: false })).toEqual(
        error("EOPNOTSUPP"),
      );
      expect(await mount.ask("removeXattr", nodeId, { name })).toEqual(error("EOPNOTSUPP"));
    }
    expect(await mount.ask("getXattr", nodeId, { name: bytesOf("user.a"), sizeBytes: 9 })).toEqual(
      error("ENODATA"),
    );
  });

  test("what the kernel does without is ENOSYS, and controls are ENOTTY", async () => {
    const mount = await MountedWorld.start();
    expect(await mount.ask("access", 1, { mask: 7 })).toEqual(error("ENOSYS"));
    expect(await mount.ask("mapBlock", 1, { block: 0, blockBytes: 512 })).toEqual(error("ENOSYS"));
    expect(await mount.ask("poll", 1, { handle: 1, events: 1 })).toEqual(error("ENOSYS"));
    expect(await mount.ask("ioctl", 1, { handle: 1, command: 1, flags: 0 })).toEqual(error("ENOTTY"));
  });
});

describe("waiting", () => {
  test("an interrupted request is EINTR", async () => {
    const mount = await MountedWorld.start();
    const file = await mount.create("f");
    const lock = { start: 0n, end: 9n, kind: "write", pid: 1 } as const;
    const set = { handle: file.handle, lock, isFlock: false, waits: true };
    expect(await mount.ask("setLock", file.nodeId, { ...set, owner: 1n })).toEqual({ type: "ok" });
    const abort = new AbortController();
    const waiting = mount.begin("setLock", file.nodeId, { ...set, owner: 2n }, abort.signal);
    await mount.world.pass(1000);
    abort.abort();
    expect(await mount.world.run(waiting)).toEqual(error("EINTR"));
  });

  test("closing a descriptor ends the fcntl locks of its process", async () => {
    const mount = await MountedWorld.start();
    const file = await mount.create("f");
    const lock = { start: 0n, end: 2n ** 63n - 1n, kind: "write", pid: 42 } as const;
    const { handle } = file;
    const request = { handle, lock, isFlock: false };
    await mount.ask("setLock", file.nodeId, { ...request, owner: 1n, waits: false });
    expect(await mount.ask("getLock", file.nodeId, { ...request, owner: 2n })).toEqual({
      type: "lock",
      lock,
    });
    expect(await mount.ask("setLock", file.nodeId, { ...request, owner: 2n, waits: false })).toEqual(
      error("EAGAIN"),
    );
    await mount.ask("flush", file.nodeId, { handle, lockOwner: 1n });
    const found = await mount.ask("getLock", file.nodeId, { ...request, owner: 2n });
    expect(found.type === "lock" && found.lock.kind).toBe("unlock");
  });
});
