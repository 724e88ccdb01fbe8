import { describe, expect, test } from "vitest";
import { equalBytes, fromUtf8 } from "../../../src/base/index.js";
import { readStream, writeAll } from "../../../src/client/index.js";
import { isDirectory, isSymlink } from "../../../src/meta/index.js";
import { CHUNK_BYTES, ClientWorld } from "./doubles/client-world.js";
import { codeOfFailure } from "./doubles/fake-mds.js";

async function started() {
  const world = await ClientWorld.start();
  const { fileSystem } = await world.client("client");
  const names = async (path: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const { name } of fileSystem.readdir(path)) found.push(fromUtf8(name));
    return found;
  };
  return { world, fileSystem, names };
}

describe("the file system by path", () => {
  test("files, directories, links and their attributes", async () => {
    const { world, fileSystem } = await started();
    await world.run(fileSystem.mkdir("/d", { mode: 0o750, uid: 5 }));
    await world.run(fileSystem.writeFile("/d/f", "hello", { mode: 0o640 }));
    await world.run(fileSystem.symlink("d/f", "/s"));
    await world.run(fileSystem.link("/d/f", "/h"));

    expect(fromUtf8(await world.run(fileSystem.readFile("/s")))).toBe("hello");
    expect(fromUtf8(await world.run(fileSystem.readlink("/s")))).toBe("d/f");
    expect(isSymlink((await world.run(fileSystem.lstat("/s"))).mode)).toBe(true);
    const found = await world.run(fileSystem.stat("/h"));
    expect([found.linkCount, found.mode & 0o777, found.sizeBytes]).toEqual([2, 0o640, 5]);
    await world.run(fileSystem.chmod("/h", 0o600));
    await world.run(fileSystem.chown("/h", 7, 8));
    await world.run(fileSystem.utimes("/h", { mtime: { seconds: 12, nanos: 34 } }));
    const changed = await world.run(fileSystem.stat("/d/f"));
    expect([changed.mode & 0o777, changed.uid, changed.gid, changed.mtime.nanos]).toEqual([0o600, 7, 8, 34]);
  });

  test("writing through a symbolic link writes what it points to", async () => {
    const { world, fileSystem } = await started();
    await world.run(fileSystem.writeFile("/f", "a long text"));
    await world.run(fileSystem.symlink("/f", "/s"));
    await world.run(fileSystem.writeFile("/s", "short"));

    expect(fromUtf8(await world.run(fileSystem.readFile("/f")))).toBe("short");
  });

  test("mkdirp makes what is missing, and is content with what is there", async () => {
    const { world, fileSystem } = await started();
    const made = await world.run(fileSystem.mkdirp("/a/b/c"));
    expect(isDirectory(made.mode)).toBe(true);
    expect((await world.run(fileSystem.mkdirp("/a/b/c"))).ino).toBe(made.ino);
    await world.run(fileSystem.writeFile("/a/f", ""));
    expect(await world.run(codeOfFailure(fileSystem.mkdirp("/a/f")))).toBe("exists");
    expect(await world.run(codeOfFailure(fileSystem.mkdirp("/a/f/g")))).toBe("not_directory");
  });

  test("renames, also without replacing and by exchange", async () => {
    const { world, fileSystem, names } = await started();
    await world.run(fileSystem.writeFile("/a", "1"));
    await world.run(fileSystem.writeFile("/b", "2"));
    expect(await world.run(codeOfFailure(fileSystem.rename("/a", "/b", { mode: "no_replace" })))).toBe(
      "exists",
    );
    await world.run(fileSystem.rename("/a", "/b", { mode: "exchange" }));
    expect(fromUtf8(await world.run(fileSystem.readFile("/a")))).toBe("2");
    await world.run(fileSystem.rename("/a", "/b"));

    expect(await world.run(names("/"))).toEqual(["b"]);
  });

  test("a directory of any size is listed completely, in order, page by page", async () => {
    const { world, fileSystem, names } = await started();
    await world.run(fileSystem.mkdir("/d"));
    const expected = Array.from({ length: 2345 }, (_, i) => `f${String(i).padStart(5, "0")}`);
    await world.run(Promise.all(expected.map((name) => fileSystem.symlink("x", `/d/${name}`))));

    expect(await world.run(names("/d"))).toEqual(expected);
  });

  test("extended attributes", async () => {
    const { world, fileSystem } = await started();
    await world.run(fileSystem.writeFile("/f", ""));
    await world.run(fileSystem.setXattr("/f", "user.a", Uint8Array.of(1, 2)));
    expect(await world.run(fileSystem.listXattrs("/f"))).toEqual(["user.a"]);
    expect(await world.run(fileSystem.getXattr("/f", "user.a"))).toEqual(Uint8Array.of(1, 2));
    await world.run(fileSystem.removeXattr("/f", "user.a"));
    expect(await world.run(codeOfFailure(fileSystem.getXattr("/f", "user.a")))).toBe("no_such_attribute");
  });

  test("a tree is removed with everything in it, and links are not followed", async () => {
    const { world, fileSystem, names } = await started();
    await world.run(fileSystem.mkdirp("/t/a/b"));
    await world.run(fileSystem.mkdirp("/t/c"));
    await world.run(fileSystem.writeFile("/kept", "x"));
    await world.run(fileSystem.symlink("/", "/t/a/root"));
    await world.run(
      Promise.all(Array.from({ length: 40 }, (_, i) => fileSystem.writeFile(`/t/c/${i}`, "x"))),
    );
    await world.run(fileSystem.removeTree("/t"));
    await world.run(fileSystem.removeTree("/t"));

    expect(await world.run(names("/"))).toEqual(["kept"]);
  });

  test("a file that was unlinked while it is open keeps its contents until it is closed", async () => {
    const { world, fileSystem } = await started();
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    await world.run(handle.write(Uint8Array.of(1, 2, 3), 0));
    await world.run(fileSystem.unlink("/f"));
    expect(await world.run(handle.read(0, 10))).toEqual(Uint8Array.of(1, 2, 3));
    await world.run(handle.close());

    expect(await world.run(fileSystem.exists("/f"))).toBe(false);
  });

  test("truncation by path reaches a file that is open here", async () => {
    const { world, fileSystem } = await started();
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    await world.run(handle.write(new Uint8Array(100).fill(1), 0));
    await world.run(fileSystem.truncate("/f", 10));
    expect((await world.run(handle.read(0, 100))).length).toBe(10);
    await world.run(handle.close());
    await world.run(fileSystem.truncate("/f", 20));

    expect((await world.run(fileSystem.readFile("/f"))).length).toBe(20);
  });
});

describe("streams", () => {
  test("what is written in odd pieces is read in whole ones, the same bytes", async () => {
    const { world, fileSystem } = await started();
    const bytes = world.bytes(5 * CHUNK_BYTES + 321);
    const pieces = function* () {
      for (let i = 0; i < bytes.length; i += 7001) yield bytes.subarray(i, i + 7001);
    };
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    const options = { partBytes: 20_000, depthBytes: 60_000 };
    expect(await world.run(writeAll(handle, pieces(), options))).toBe(bytes.length);

    const read = async (): Promise<Uint8Array[]> => {
      const parts: Uint8Array[] = [];
      for await (const part of readStream(handle, options)) parts.push(part);
      return parts;
    };
    const parts = await world.run(read());
    expect(parts.map(({ length }) => length)).toEqual([
      ...Array(16).fill(20_000),
      bytes.length - 16 * 20_000,
    ]);
    expect(equalBytes(Buffer.concat(parts), bytes)).toBe(true);
  });

  test("a failure in the middle of a stream is met by its writer, and nothing is left under way", async () => {
    const { world, fileSystem } = await started();
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    const aborted = new AbortController();
    const endless = function* () {
      for (;;) yield new Uint8Array(10_000);
    };
    const written = codeOfFailure(
      writeAll(handle, endless(), { signal: aborted.signal, depthBytes: 1 << 20 }),
    );
    await world.pass(50);
    aborted.abort();

    expect(await world.run(written)).toBe("cancelled");
    await world.run(handle.close());
  });
});
