import { O, S, SEEK } from "../linux.js";
import { posix } from "../stage.js";

/** `struct iovec` cannot be made over JSON lines; pread and pwrite stand for readv and writev. */
export function readWriteCases(): void {
  posix("write sets mtime and ctime, read neither, and an empty write nothing", async (s) => {
    const root = await s.user("root");
    await root.file("f", 0o644, "text");
    const fd = await root.open("f", O.RDWR);
    await s.touches(root, { f: "mc", ".": "" }, () => root.write(fd, "more"));
    await s.touches(root, { f: "mc" }, () => root.pwrite(fd, "x", 100));
    await s.touches(root, { f: "" }, () => root.gives(0, "write", fd, "", 0));
    await s.touches(root, { f: "" }, () => root.pread(fd, 10, 0));
    s.expect("size", (await root.see("f")).size, 101);
  });

  posix("times that a write set do not change at fsync, close or later", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.write(fd, "text");
    await s.touches(root, { f: "" }, async () => {
      await root.ok("fsync", fd);
      await root.close(fd);
      await s.tick(100);
    });
  });

  posix("a gap reads as zeros, and reads end where the file ends", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.pwrite(fd, "end", 10_000);
    const bytes = await root.pread(fd, 20_000, 0);
    s.expect("length", bytes.length, 10_003);
    s.expect(
      "zeros",
      bytes.subarray(0, 10_000).every((byte) => byte === 0),
    );
    await root.gives(0, "pread", fd, { out: 10 }, 10, 10_003);
    await root.gives(0, "pread", fd, { out: 10 }, 10, 1e12);
    await root.gives(3, "pread", fd, { out: 10 }, 10, 10_000);
  });

  posix("pread and pwrite leave the position, read and write move it", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.write(fd, "0123456789");
    await root.gives(10, "lseek", fd, 0, SEEK.CUR);
    await root.pwrite(fd, "AB", 2);
    await root.pread(fd, 3, 1);
    await root.gives(10, "lseek", fd, 0, SEEK.CUR);
    await root.gives(4, "lseek", fd, 4, SEEK.SET);
    s.expect("read", (await root.read(fd, 3)).toString(), "456");
    await root.gives(7, "lseek", fd, 0, SEEK.CUR);
    await root.no("EINVAL", "pread", fd, { out: 4 }, 4, -1);
    await root.no("EINVAL", "pwrite", fd, "x", 1, -1);
  });

  posix("lseek to, before and beyond the ends", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.write(fd, "0123456789");
    await root.gives(8, "lseek", fd, -2, SEEK.END);
    await root.no("EINVAL", "lseek", fd, -11, SEEK.END);
    await root.no("EINVAL", "lseek", fd, -1, SEEK.SET);
    await root.no("EINVAL", "lseek", fd, 0, 99);
    await root.gives(1_000_000, "lseek", fd, 1_000_000, SEEK.SET);
    s.expect("size is as before", (await root.see(fd)).size, 10);
    await root.write(fd, "x");
    s.expect("size", (await root.see(fd)).size, 1_000_001);
    await root.no("EBADF", "lseek", 999, 0, 0);
    await root.ok("mknod", "p", S.IFIFO | 0o644, 0);
    const pipe = await root.open("p", O.RDWR);
    await root.no("ESPIPE", "lseek", pipe, 0, 0);
    await root.no("ESPIPE", "pread", pipe, { out: 1 }, 1, 0);
  });

  posix("writes of many sizes at odd offsets read back as they were written", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    const mirror = Buffer.alloc(700_000);
    let state = 12_345;
    const next = (limit: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return state % limit;
    };
    let size = 0;
    for (let round = 0; round < 60; round++) {
      const offset = next(500_000);
      const length = 1 + next(round % 5 === 0 ? 200_000 : 9_000);
      const bytes = Buffer.alloc(length, 1 + (round % 250));
      bytes.copy(mirror, offset);
      size = Math.max(size, offset + length);
      await root.pwrite(fd, bytes, offset);
    }
    s.expect("size", (await root.see(fd)).size, size);
    const found = await root.pread(fd, size, 0);
    s.expect("content", found.equals(mirror.subarray(0, size)));
  });

  posix("a write clears setuid and setgid unless root writes", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    for (const user of [root, ann]) {
      for (const mode of [0o6777, 0o4777, 0o2777, 0o2767, 0o6767]) {
        await ann.file("f", 0o666, "text");
        await ann.ok("chmod", "f", mode);
        const fd = await user.open("f", O.WRONLY);
        await user.write(fd, "x");
        await user.see("f");
        await user.close(fd);
        await ann.ok("unlink", "f");
      }
    }
  });

  posix("files end at the greatest size: EFBIG there, and at the process's limit", async (s) => {
    const { twin } = await s.users("twin");
    const fd = await twin.open("f", O.CREAT | O.RDWR);
    await twin.does("pwrite", fd, "x", 1, 2 ** 53);
    await twin.no("EINVAL", "pwrite", fd, "x", 1, -5);
    await twin.pwrite(fd, "far", 1_000_000_000_000);
    s.expect("far", (await twin.pread(fd, 10, 1_000_000_000_000)).toString(), "far");
    const limit = Buffer.alloc(16);
    limit.writeBigUInt64LE(100n, 0);
    limit.writeBigUInt64LE(2n ** 64n - 1n, 8);
    await twin.ok("setrlimit", 1, new Uint8Array(limit));
    await twin.no("EFBIG", "pwrite", fd, "x", 1, 100);
    await twin.gives(10, "pwrite", fd, "0123456789abcdef", 16, 90);
    await twin.no("EFBIG", "ftruncate", fd, 2 ** 41);
    limit.writeBigUInt64LE(2n ** 64n - 1n, 0);
    await twin.ok("setrlimit", 1, new Uint8Array(limit));
  });

  posix("O_SYNC, O_DSYNC and O_DIRECT write and read the same bytes", async (s) => {
    const root = await s.user("root");
    for (const flags of [O.SYNC, O.DSYNC]) {
      const fd = await root.open("f", O.CREAT | O.RDWR | O.TRUNC | flags);
      await root.write(fd, "synchronous");
      s.expect("content", (await root.pread(fd, 20, 0)).toString(), "synchronous");
      await root.close(fd);
    }
    const [direct] = [await root.open("f", O.RDWR | O.DIRECT)];
    s.expect("opened", direct > 0);
  });

  posix("two descriptors see each other's bytes at once", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    const writer = await root.open("f", O.CREAT | O.RDWR);
    const reader = await twin.open("f", O.RDONLY);
    for (let round = 0; round < 20; round++) {
      await root.pwrite(writer, `round ${round}`, round * 4095);
      const found = await twin.pread(reader, 20, round * 4095);
      s.expect(`round ${round}`, found.toString(), `round ${round}`);
      s.expect("size", (await twin.stat("f")).size, round * 4095 + `round ${round}`.length);
    }
  });

  posix("reading sets the access time once after a change, as relatime does", async (s) => {
    const root = await s.user("root");
    await root.file("f", 0o644, "text");
    await s.touches(root, { f: "a" }, () => root.content("f"));
  });

  posix("sendfile and copies in the kernel carry the bytes", async (s) => {
    const root = await s.user("root");
    await root.file("f", 0o644, "0123456789".repeat(1000));
    const source = await root.open("f", O.RDONLY);
    const target = await root.open("g", O.CREAT | O.RDWR);
    await root.gives(10_000, "sendfile", target, source, null, 20_000);
    s.expect("same", (await root.content("g")) === "0123456789".repeat(1000));
  });
}
