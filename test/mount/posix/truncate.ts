import { O, S } from "../linux.js";
import { posix } from "../stage.js";

export function truncateCases(): void {
  posix("truncate sets the size; what comes back after growing is zeros", async (s) => {
    const root = await s.user("root");
    await root.file("f", 0o644, "0123456789");
    await root.ok("truncate", "f", 4);
    s.expect("shorter", await root.content("f"), "0123");
    await root.ok("truncate", "f", 8);
    s.expect("longer", await root.content("f"), "0123\0\0\0\0");
    await root.ok("truncate", "f", 0);
    s.expect("size", (await root.see("f")).size, 0);
    await root.ok("truncate", "f", 12_345_678_901);
    s.expect("size", (await root.see("f")).size, 12_345_678_901);
  });

  posix(
    "truncate sets mtime and ctime; to the same size ftruncate and truncate do as ext4 does",
    async (s) => {
      const root = await s.user("root");
      await root.file("f", 0o644, "0123456789");
      await s.touches(root, { f: "mc", ".": "" }, () => root.ok("truncate", "f", 4));
      await s.touches(root, { f: "mc" }, () => root.ok("truncate", "f", 10));
      await s.touches(root, { f: "mc" }, () => root.ok("truncate", "f", 10));
      const fd = await root.open("f", O.RDWR);
      await s.touches(root, { f: "mc" }, () => root.ok("ftruncate", fd, 3));
      await s.touches(root, { f: "mc" }, () => root.ok("ftruncate", fd, 3));
      await s.touches(root, { f: "mc" }, () => root.ok("ftruncate", fd, 30));
    },
  );

  posix("truncate follows links and works without a write descriptor's mode", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.file("f", 0o644, "0123456789");
    await root.ok("symlink", "f", "l");
    await root.ok("truncate", "l", 5);
    s.expect("size", (await root.see("f")).size, 5);
    await ann.no("EACCES", "truncate", "f", 1);
    await root.ok("chmod", "f", 0o222);
    await ann.ok("truncate", "f", 1);
    await root.ok("chmod", "f", 0);
    await ann.no("EACCES", "truncate", "f", 0);
    const fd = await root.open("f", O.RDONLY);
    await root.no("EINVAL", "ftruncate", fd, 0);
  });

  posix("a descriptor that was opened for writing truncates although the mode forbids it now", async (s) => {
    const ann = await s.user("ann");
    await ann.file("f", 0o644, "text");
    const fd = await ann.open("f", O.RDWR);
    await ann.ok("chmod", "f", 0);
    await ann.ok("ftruncate", fd, 1);
    await ann.write(fd, "more");
    s.expect("size", (await ann.see("f")).size, 4);
  });

  posix("truncate refuses what is no regular file", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.no("EISDIR", "truncate", "d", 0);
    await root.ok("mknod", "p", S.IFIFO | 0o644, 0);
    await root.no("EINVAL", "truncate", "p", 0);
    await root.file("f");
    await root.no("EINVAL", "truncate", "f", -1);
    await root.no("ENOENT", "truncate", "x", 0);
    await root.no("ENOTDIR", "truncate", "f/x", 0);
    const directory = await root.open("d", O.RDONLY);
    await root.no("EINVAL", "ftruncate", directory, 0);
    await root.does("truncate", "f", 2 ** 60);
  });

  posix("truncate by another user clears setuid and setgid", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    for (const user of [root, ann]) {
      for (const mode of [0o6777, 0o2767]) {
        await root.file("f", 0o666, "0123456789");
        await root.ok("chmod", "f", mode);
        await user.ok("truncate", "f", 5);
        await root.see("f");
        await root.ok("unlink", "f");
      }
    }
  });

  posix("what was cut off does not come back through another descriptor or a gap", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    const other = await twin.open("f", O.RDWR);
    await root.write(fd, "x".repeat(10_000));
    await twin.ok("ftruncate", other, 5000);
    await root.pwrite(fd, "y", 9_999);
    const found = await twin.pread(other, 20_000, 0);
    s.expect("length", found.length, 10_000);
    s.expect(
      "the gap",
      found.subarray(5000, 9999).every((byte) => byte === 0),
    );
    s.expect("the rest", found.subarray(0, 5000).toString() === "x".repeat(5000));
  });
}
