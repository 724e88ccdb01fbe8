import { AT, O, S } from "../linux.js";
import { posix } from "../stage.js";

export function openCases(): void {
  posix("creating a file sets owner, mode, times and one link, and touches the directory", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await s.touches(root, { ".": "mc" }, async () => {
      const fd = await ann.open("f", O.CREAT | O.WRONLY, 0o666);
      await ann.close(fd);
    });
    const stat = await ann.see("f");
    s.expect("mode", stat.mode, S.IFREG | 0o644);
    s.expect("owner", `${stat.uid}:${stat.gid}`, `${ann.uid}:${ann.gid}`);
    s.expect("links and size", `${stat.nlink} ${stat.size}`, "1 0");
    s.expect("times are the same", stat.atime === stat.mtime && stat.mtime === stat.ctime);
  });

  posix("opening what is there touches nothing, also with O_CREAT", async (s) => {
    const root = await s.user("root");
    await root.file("f", 0o644, "text");
    await s.touches(root, { f: "A", ".": "" }, async () => {
      for (const flags of [O.RDONLY, O.WRONLY, O.RDWR, O.RDWR | O.APPEND, O.CREAT | O.RDWR]) {
        await root.close(await root.open("f", flags));
      }
    });
  });

  posix("creation applies the umask and keeps the special bits", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    for (const user of [root, ann]) {
      for (const [umask, mode] of [
        [0, 0o7777],
        [0o022, 0o777],
        [0o077, 0o666],
        [0o777, 0o777],
        [0o022, 0o4755],
        [0, 0o1644],
      ] as const) {
        await user.ok("umask", umask);
        await user.close(await user.open("f", O.CREAT | O.EXCL | O.WRONLY, mode));
        await user.see("f");
        await user.ok("unlink", "f");
      }
    }
  });

  posix("a file may be created for writing with a mode that forbids writing", async (s) => {
    const ann = await s.user("ann");
    const fd = await ann.open("f", O.CREAT | O.RDWR, 0);
    await ann.write(fd, "mine");
    s.expect("content", (await ann.pread(fd, 10, 0)).toString(), "mine");
    await ann.close(fd);
    await ann.no("EACCES", "open", "f", O.RDONLY, 0);
    await ann.no("EACCES", "open", "f", O.WRONLY, 0);
    await ann.no("EACCES", "open", "f", O.CREAT | O.WRONLY, 0o644);
  });

  posix("O_EXCL demands that nothing is there, not even a dangling link", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.file("f");
    await root.ok("symlink", "nowhere", "l");
    for (const name of ["d", "f", "l"])
      await root.no("EEXIST", "open", name, O.CREAT | O.EXCL | O.RDWR, 0o644);
    await root.no("ENOENT", "access", "nowhere", 0);
  });

  posix("O_CREAT follows a dangling link and makes its target", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.ok("symlink", "d/target", "l");
    await root.close(await root.open("l", O.CREAT | O.WRONLY));
    await root.see("d/target");
    await root.ok("symlink", "x/target", "m");
    await root.no("ENOENT", "open", "m", O.CREAT | O.WRONLY, 0o644);
  });

  posix("O_NOFOLLOW fails with ELOOP on a link, and follows those before the last", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.file("d/f");
    await root.ok("symlink", "d/f", "l");
    await root.ok("symlink", "d", "e");
    await root.no("ELOOP", "open", "l", O.RDONLY | O.NOFOLLOW, 0);
    await root.no("ELOOP", "open", "l", O.WRONLY | O.CREAT | O.NOFOLLOW, 0o644);
    await root.no("ENOTDIR", "open", "e", O.RDONLY | O.NOFOLLOW | O.DIRECTORY, 0);
    await root.close(await root.open("e/f", O.RDONLY | O.NOFOLLOW));
    const fd = await root.open("l", O.PATH | O.NOFOLLOW);
    s.expect("is a link", (await root.see(fd)).mode & S.IFMT, S.IFLNK);
  });

  posix("O_DIRECTORY demands a directory, and directories are read only", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.file("f");
    await root.no("ENOTDIR", "open", "f", O.RDONLY | O.DIRECTORY, 0);
    await root.close(await root.open("d", O.RDONLY | O.DIRECTORY));
    await root.close(await root.open("d", O.RDONLY));
    for (const flags of [O.WRONLY, O.RDWR, O.RDONLY | O.TRUNC, O.RDONLY | O.CREAT, O.WRONLY | O.CREAT]) {
      await root.no("EISDIR", "open", "d", flags, 0o644);
    }
    const fd = await root.open("d", O.RDONLY);
    await root.no("EISDIR", "read", fd, { out: 16 }, 16);
    await root.no("EBADF", "write", fd, "x", 1);
    await root.no("EINVAL", "open", "d", O.CREAT | O.DIRECTORY, 0o755);
    await root.no("EISDIR", "open", "new/", O.CREAT | O.WRONLY, 0o644);
    await root.no("ENOTDIR", "open", "f/", O.RDONLY, 0);
  });

  posix("O_TRUNC empties a file and sets its times; on an empty file as well", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.file("f", 0o644, "text");
    await s.touches(root, { f: "mc", ".": "" }, async () =>
      root.close(await root.open("f", O.WRONLY | O.TRUNC)),
    );
    s.expect("size", (await root.see("f")).size, 0);
    await s.touches(root, { f: "mc" }, async () => root.close(await root.open("f", O.WRONLY | O.TRUNC)));
    await root.file("g", 0o444, "text");
    await ann.no("EACCES", "open", "g", O.RDONLY | O.TRUNC, 0);
    s.expect("size of what was refused", (await root.see("g")).size, 4);
    await root.ok("chmod", "g", 0o4777);
    await ann.close(await ann.open("g", O.WRONLY | O.TRUNC));
    s.expect("setuid is gone", (await root.see("g")).mode & S.ISUID, 0);
  });

  posix("O_APPEND writes at the end, wherever the position is", async (s) => {
    const root = await s.user("root");
    await root.file("f", 0o644, "one");
    const fd = await root.open("f", O.RDWR | O.APPEND);
    const other = await root.open("f", O.WRONLY);
    await root.ok("lseek", fd, 0, 0);
    await root.write(fd, "two");
    await root.pwrite(other, "XYZ", 6);
    await root.write(fd, "three");
    await root.gives(14, "lseek", fd, 0, 1);
    s.expect("content", await root.content("f"), "onetwoXYZthree");
    await root.pwrite(fd, "p", 0);
    s.expect("pwrite appends too, on Linux", await root.content("f"), "onetwoXYZthreep");
  });

  posix("permission to open is checked for each access mode and class of users", async (s) => {
    const { root, ann, bob, eve } = await s.users("root", "ann", "bob", "eve");
    await ann.file("f");
    await root.ok("chown", "f", ann.uid, 60100);
    for (const mode of [0o700, 0o070, 0o007, 0o600, 0o400, 0o200, 0o040, 0o020, 0o004, 0o002, 0o077, 0]) {
      await root.ok("chmod", "f", mode);
      for (const user of [root, ann, bob, eve]) {
        for (const flags of [O.RDONLY, O.WRONLY, O.RDWR]) {
          const outcome = await user.quietly("open", "f", flags, 0);
          s.note(`${user.uid} opens ${mode.toString(8)} with ${flags}`, outcome.errno ?? "opened");
          if (outcome.errno === undefined) await user.quietly("close", outcome.value);
        }
      }
    }
  });

  posix("creating needs write and search permission in the directory", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.mkdir("d");
    for (const mode of [0o755, 0o757, 0o756, 0o753, 0o754, 0o751]) {
      await root.ok("chmod", "d", mode);
      const { errno } = await ann.quietly("open", "d/f", O.CREAT | O.EXCL | O.WRONLY, 0o644);
      s.note(`in ${mode.toString(8)}`, errno ?? "created");
      await root.quietly("unlink", "d/f");
    }
  });

  posix("O_PATH opens anything without permission to read, and allows no data", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.file("f", 0o000, "secret");
    const fd = await ann.open("f", O.PATH);
    await ann.see(fd);
    await ann.no("EBADF", "read", fd, { out: 10 }, 10);
    await ann.no("EBADF", "fchmod", fd, 0o777);
    await ann.no("EBADF", "ftruncate", fd, 0);
    await ann.no("EACCES", "open", `/proc/self/fd/${fd}`, O.RDONLY, 0);
  });

  posix("O_TMPFILE makes a file without a name, which linkat can give one", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    const fd = await root.open("d", O.TMPFILE | O.RDWR, 0o640);
    const stat = await root.see(fd);
    s.expect("links", stat.nlink, 0);
    await root.write(fd, "nameless");
    await root.list("d");
    await root.ok("linkat", AT.FDCWD, `/proc/self/fd/${fd}`, AT.FDCWD, "d/f", AT.SYMLINK_FOLLOW);
    s.expect("links", (await root.see("d/f")).nlink, 1);
    s.expect("content", await root.content("d/f"), "nameless");
    await root.no("EINVAL", "open", "d", O.TMPFILE | O.RDONLY, 0o640);
    await root.no("ENOTDIR", "open", "d/f", O.TMPFILE | O.RDWR, 0o640);
    const exclusive = await root.open("d", O.TMPFILE | O.RDWR | O.EXCL, 0o640);
    await root.no(
      "ENOENT",
      "linkat",
      AT.FDCWD,
      `/proc/self/fd/${exclusive}`,
      AT.FDCWD,
      "d/g",
      AT.SYMLINK_FOLLOW,
    );
  });

  posix("open of a fifo without waiting, of a socket and of a device that is not there", async (s) => {
    const root = await s.user("root");
    await root.ok("mknod", "p", S.IFIFO | 0o644, 0);
    await root.no("ENXIO", "open", "p", O.WRONLY | O.NONBLOCK, 0);
    const reader = await root.open("p", O.RDONLY | O.NONBLOCK);
    const writer = await root.open("p", O.WRONLY | O.NONBLOCK);
    await root.write(writer, "through");
    s.expect("read", (await root.read(reader, 20)).toString(), "through");
    await root.ok("mknod", "s", S.IFSOCK | 0o644, 0);
    await root.no("ENXIO", "open", "s", O.RDWR, 0);
  });

  posix("descriptors and flags that are wrong are refused", async (s) => {
    const root = await s.user("root");
    await root.file("f", 0o644, "text");
    await root.no("EBADF", "close", 999);
    const fd = await root.open("f", O.WRONLY);
    await root.no("EBADF", "read", fd, { out: 1 }, 1);
    const reader = await root.open("f", O.RDONLY);
    await root.no("EBADF", "write", reader, "x", 1);
    await root.no("EFAULT", "read", reader, 1, 4);
    await root.no("EFAULT", "write", fd, 1, 4);
    await root.no("EFAULT", "open", 1, O.RDONLY, 0);
    await root.no("EBADF", "openat", 999, "f", O.RDONLY, 0);
    await root.ok("fcntl", fd, 4, O.APPEND);
    await root.does("fcntl", fd, 3, 0);
  });

  posix("O_NOATIME is for the owner", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.file("f", 0o644, "text");
    await ann.no("EPERM", "open", "f", O.RDONLY | O.NOATIME, 0);
    await s.touches(root, { f: "A" }, async () => {
      const fd = await root.open("f", O.RDONLY | O.NOATIME);
      await root.read(fd, 4);
      await root.close(fd);
    });
  });
}
