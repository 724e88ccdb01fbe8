import { AT, NOW, O, OMIT, type Timespec, timespecs } from "../linux.js";
import { posix } from "../stage.js";

const utimes = (atime: Timespec, mtime: Timespec): Uint8Array => timespecs(atime, mtime);

export function utimensCases(): void {
  posix("utimensat sets both times to the nanosecond, and ctime to now", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    const times = utimes([1_000_000_000, 123_456_789], [1_500_000_000, 987_654_321]);
    const before = await root.stat("f");
    await s.tick();
    await root.ok("utimensat", AT.FDCWD, "f", times, 0);
    const { atime, mtime, ctime } = await root.stat("f");
    s.expect("atime", String(atime), "1000000000123456789");
    s.expect("mtime", String(mtime), "1500000000987654321");
    s.expect("ctime", ctime > before.ctime);
    const fd = await root.open("f", O.RDONLY);
    await root.ok("futimens", fd, utimes(1, 2));
    s.expect("mtime", String((await root.stat("f")).mtime), "2000000000");
  });

  posix("nothing moves the times that were set after a write, however late the write is told", async (s) => {
    const root = await s.user("root");
    for (const name of ["times", "mode"]) {
      await root.file(name);
      const fd = await root.open(name, O.RDWR);
      await root.ok("write", fd, "x".repeat(200_000), 200_000);
      if (name === "times") await root.ok("utimensat", AT.FDCWD, name, utimes(100, 200), 0);
      else await root.ok("chmod", name, 0o640);
      await root.ok("close", fd);
    }
    const before = [await root.stat("times"), await root.stat("mode")];
    await new Promise((resolve) => setTimeout(resolve, 5000));
    const after = [await root.stat("times"), await root.stat("mode")];
    const shown = (stats: typeof before): string =>
      stats.map(({ mtime, ctime }) => `${mtime} ${ctime}`).join(", ");
    s.expect("the same times", shown(after) === shown(before));
  });

  posix("UTIME_OMIT leaves a time and UTIME_NOW sets it to the present", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    await root.ok("utimensat", AT.FDCWD, "f", utimes(100, 200), 0);
    await root.ok("utimensat", AT.FDCWD, "f", utimes(OMIT, 300), 0);
    s.expect("atime", String((await root.stat("f")).atime), "100000000000");
    s.expect("mtime", String((await root.stat("f")).mtime), "300000000000");
    await root.ok("utimensat", AT.FDCWD, "f", utimes(400, OMIT), 0);
    s.expect("atime", String((await root.stat("f")).atime), "400000000000");
    s.expect("mtime", String((await root.stat("f")).mtime), "300000000000");
    await s.touches(root, { f: "mc" }, () => root.ok("utimensat", AT.FDCWD, "f", utimes(OMIT, NOW), 0));
    await s.touches(root, { f: "ac" }, () => root.ok("utimensat", AT.FDCWD, "f", utimes(NOW, OMIT), 0));
    await s.touches(root, { f: "amc" }, () => root.ok("utimensat", AT.FDCWD, "f", utimes(NOW, NOW), 0));
    await s.touches(root, { f: "amc" }, () => root.ok("utimensat", AT.FDCWD, "f", null, 0));
    await s.touches(root, { f: "A" }, () => root.ok("utimensat", AT.FDCWD, "f", utimes(OMIT, OMIT), 0));
  });

  posix("times before 1970 and after 2038 are kept", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    for (const [atime, mtime] of [
      [
        [-1, 999_999_999],
        [-2_000_000_000, 1],
      ],
      [
        [4_000_000_000, 5],
        [6_000_000_000, 999_999_999],
      ],
      [
        [0, 0],
        [-1, 0],
      ],
    ] as const) {
      await root.ok("utimensat", AT.FDCWD, "f", utimes(atime, mtime), 0);
      const stat = await root.stat("f");
      s.note("atime", String(stat.atime));
      s.note("mtime", String(stat.mtime));
      s.expect("mtime", String(stat.mtime), String(BigInt(mtime[0]) * 1_000_000_000n + BigInt(mtime[1])));
    }
  });

  posix("the times of a link and of a directory", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    await root.ok("symlink", "f", "l");
    await root.mkdir("d");
    await root.ok("utimensat", AT.FDCWD, "l", utimes(10, 20), AT.SYMLINK_NOFOLLOW);
    s.expect("mtime of the link", String((await root.stat("l")).mtime), "20000000000");
    s.expect("mtime of the file", (await root.stat("f")).mtime > 20_000_000_000n);
    await root.ok("utimensat", AT.FDCWD, "l", utimes(30, 40), 0);
    s.expect("mtime of the file", String((await root.stat("f")).mtime), "40000000000");
    await root.ok("utimensat", AT.FDCWD, "d", utimes(50, 60), 0);
    s.expect("mtime of the directory", String((await root.stat("d")).mtime), "60000000000");
    await root.file("d/x");
    s.expect("a new entry sets it", (await root.stat("d")).mtime > 60_000_000_000n);
  });

  posix("any time may be set by the owner, the present by whoever may write", async (s) => {
    const { root, ann, bob } = await s.users("root", "ann", "bob");
    await ann.file("f", 0o666);
    await root.ok("chmod", "f", 0o666);
    await ann.ok("utimensat", AT.FDCWD, "f", utimes(1, 2), 0);
    await bob.no("EPERM", "utimensat", AT.FDCWD, "f", utimes(1, 2), 0);
    await bob.no("EPERM", "utimensat", AT.FDCWD, "f", utimes(NOW, OMIT), 0);
    await bob.no("EPERM", "utimensat", AT.FDCWD, "f", utimes(OMIT, NOW), 0);
    await bob.ok("utimensat", AT.FDCWD, "f", utimes(NOW, NOW), 0);
    await bob.ok("utimensat", AT.FDCWD, "f", null, 0);
    await root.ok("chmod", "f", 0o444);
    await bob.no("EACCES", "utimensat", AT.FDCWD, "f", utimes(NOW, NOW), 0);
    await bob.no("EACCES", "utimensat", AT.FDCWD, "f", null, 0);
    await bob.ok("utimensat", AT.FDCWD, "f", utimes(OMIT, OMIT), 0);
    await ann.ok("utimensat", AT.FDCWD, "f", null, 0);
    await ann.ok("utimensat", AT.FDCWD, "f", utimes(5, 6), 0);
    await root.ok("utimensat", AT.FDCWD, "f", utimes(7, 8), 0);
  });

  posix("times that are no times, and files that are not there", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    await root.no("EINVAL", "utimensat", AT.FDCWD, "f", utimes([0, 1_000_000_000], 0), 0);
    await root.no("EINVAL", "utimensat", AT.FDCWD, "f", utimes(0, [0, -1]), 0);
    await root.no("EINVAL", "utimensat", AT.FDCWD, "f", utimes(0, 0), 0x80);
    await root.no("ENOENT", "utimensat", AT.FDCWD, "x", utimes(0, 0), 0);
    await root.no("ENOTDIR", "utimensat", AT.FDCWD, "f/x", utimes(0, 0), 0);
    await root.no("ENOENT", "utimensat", AT.FDCWD, "", utimes(0, 0), 0);
    await root.no("EBADF", "futimens", 999, utimes(0, 0));
  });

  posix(
    "times set by hand stay through later reads, opens and closes of a writer that wrote before",
    async (s) => {
      const root = await s.user("root");
      const fd = await root.open("f", O.CREAT | O.RDWR);
      await root.write(fd, "text");
      await root.ok("futimens", fd, utimes([2_000_000_000, 1], [1_234_567_890, 1]));
      await root.close(fd);
      await root.content("f");
      s.expect("mtime", String((await root.stat("f")).mtime), "1234567890000000001");
      s.expect("atime", String((await root.stat("f")).atime), "2000000000000000001");
    },
  );
}
