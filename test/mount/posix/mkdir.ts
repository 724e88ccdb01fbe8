import { AT, O, S } from "../linux.js";
import { posix } from "../stage.js";

export function mkdirCases(): void {
  posix("mkdir makes an empty directory of two links, which belongs to its maker", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await s.touches(root, { ".": "mc" }, () => root.mkdir("d", 0o755));
    const stat = await root.see("d");
    s.expect("type", stat.mode & S.IFMT, S.IFDIR);
    s.expect("links", stat.nlink, 2);
    await ann.mkdir("a", 0o750);
    s.expect("owner", (await ann.see("a")).uid, ann.uid);
    s.expect("group", (await ann.see("a")).gid, ann.gid);
    const times = await root.stat("d");
    s.expect("all three times are the same", times.atime === times.mtime && times.mtime === times.ctime);
    s.expect("empty", (await root.list("d")).length, 0);
  });

  posix("mkdir applies the umask and keeps sticky, but not setuid and setgid", async (s) => {
    const root = await s.user("root");
    const modes: readonly (readonly [umask: number, mode: number, found: number])[] = [
      [0o000, 0o777, 0o777],
      [0o022, 0o777, 0o755],
      [0o077, 0o777, 0o700],
      [0o070, 0o345, 0o305],
      [0o777, 0o777, 0o000],
      [0o022, 0o1777, 0o1755],
    ];
    for (const [umask, mode, found] of modes) {
      await root.ok("umask", umask);
      await root.mkdir("d", mode);
      s.expect(`mode ${mode.toString(8)}`, (await root.see("d")).mode & 0o7777, found);
      await root.ok("rmdir", "d");
    }
    await root.ok("umask", 0);
    await root.mkdir("d", 0o6777);
    await root.see("d");
  });

  posix("directories made in a setgid directory inherit its group and the bit", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.mkdir("g");
    await root.ok("chown", "g", 0, 60055);
    await root.ok("chmod", "g", 0o2777);
    await ann.mkdir("g/d", 0o755);
    const stat = await ann.see("g/d");
    s.expect("group", stat.gid, 60055);
    s.expect("setgid", stat.mode & S.ISGID, S.ISGID);
    await ann.file("g/f");
    s.expect("group of a file", (await ann.see("g/f")).gid, 60055);
    await ann.ok("symlink", "x", "g/l");
    s.expect("group of a link", (await ann.see("g/l")).gid, 60055);
    await ann.ok("mknod", "g/p", S.IFIFO | 0o644, 0);
    s.expect("group of a fifo", (await ann.see("g/p")).gid, 60055);
  });

  posix("a directory's link count is 2 and one for each directory in it", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    for (let count = 1; count <= 3; count++) {
      await root.mkdir(`d/${count}`);
      s.expect(`after ${count}`, (await root.see("d")).nlink, 2 + count);
    }
    await root.file("d/file");
    s.expect("files do not count", (await root.see("d")).nlink, 5);
    await s.touches(root, { d: "mc" }, () => root.ok("rmdir", "d/2"));
    s.expect("after rmdir", (await root.see("d")).nlink, 4);
  });

  posix("mkdir fails with EEXIST whatever is there, also a dangling link", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.file("f");
    await root.ok("symlink", "nowhere", "l");
    await root.ok("mknod", "p", S.IFIFO | 0o644, 0);
    for (const name of ["d", "f", "l", "p", "d/.", "d/..", ".", ".."]) {
      await root.no("EEXIST", "mkdir", name, 0o755);
    }
    await s.touches(root, { ".": "" }, () => root.no("EEXIST", "mkdir", "d", 0o755));
  });

  posix("mkdir with a slash behind works; through a missing or wrong component it does not", async (s) => {
    const root = await s.user("root");
    await root.ok("mkdir", "d/", 0o755);
    await root.ok("mkdir", "d/e//", 0o755);
    await root.file("f");
    await root.no("ENOENT", "mkdir", "x/y", 0o755);
    await root.no("ENOTDIR", "mkdir", "f/y", 0o755);
    await root.no("ENOENT", "mkdir", "", 0o755);
    await root.ok("symlink", "target", "l");
    await root.no("EEXIST", "mkdir", "l/", 0o755);
  });

  posix("mkdir needs write permission in the directory", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.mkdir("d", 0o755);
    await ann.no("EACCES", "mkdir", "d/x", 0o755);
    await root.ok("chmod", "d", 0o757);
    await ann.ok("mkdir", "d/x", 0o755);
    await root.ok("chmod", "d", 0o756);
    await ann.no("EACCES", "mkdir", "d/y", 0o755);
    await ann.no("EACCES", "rmdir", "d/x");
  });

  posix("mkdirat works from a directory's descriptor, also after it was renamed", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    const fd = await root.open("d", O.RDONLY | O.DIRECTORY);
    await root.ok("mkdirat", fd, "one", 0o755);
    await root.ok("rename", "d", "e");
    await root.ok("mkdirat", fd, "two", 0o755);
    await root.list("e");
    await root.ok("unlinkat", fd, "one", AT.REMOVEDIR);
    await root.file("f");
    const file = await root.open("f", O.RDONLY);
    await root.no("ENOTDIR", "mkdirat", file, "x", 0o755);
    await root.no("EBADF", "mkdirat", 999, "x", 0o755);
  });

  posix("a directory that was removed takes nothing more", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    const fd = await root.open("d", O.RDONLY | O.DIRECTORY);
    await root.ok("rmdir", "d");
    await root.no("ENOENT", "mkdirat", fd, "x", 0o755);
    await root.no("ENOENT", "openat", fd, "x", O.CREAT | O.WRONLY, 0o644);
    await root.no("ENOENT", "symlinkat", "t", fd, "x");
    await root.no("ENOENT", "mknodat", fd, "x", S.IFIFO | 0o644, 0);
    s.expect("links", (await root.see(fd)).nlink, 0);
    await root.does("getdents64", fd, { out: 1024 }, 1024);
  });

  posix("a directory that was removed while it is open keeps an owner, a mode and times", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    const fd = await root.open("d", O.RDONLY | O.DIRECTORY);
    await root.ok("rmdir", "d");
    await root.ok("fchmod", fd, 0o2711);
    await root.ok("fchown", fd, 7, 8);
    const { mode, uid, gid, nlink } = await root.see(fd);
    s.expect("mode", mode & 0o7777, 0o2711);
    s.expect("owner", `${uid}:${gid} ${nlink}`, "7:8 0");
    const before = await root.stat(fd);
    await s.tick();
    await root.ok("fchmod", fd, 0o700);
    s.expect("ctime", (await root.stat(fd)).ctime > before.ctime);
  });
}

export function rmdirCases(): void {
  posix("rmdir removes an empty directory and touches its parent", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.mkdir("d/e");
    await s.touches(root, { d: "mc", ".": "" }, () => root.ok("rmdir", "d/e"));
    await root.no("ENOENT", "rmdir", "d/e");
    await root.ok("rmdir", "d/");
    await root.no("ENOENT", "access", "d", 0);
  });

  posix("rmdir refuses what is not an empty directory", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.file("d/f");
    await root.no("ENOTEMPTY", "rmdir", "d");
    await root.ok("unlink", "d/f");
    await root.mkdir("d/e");
    await root.no("ENOTEMPTY", "rmdir", "d");
    await root.no("ENOTEMPTY", "rmdir", "d/e/..");
    await root.no("EINVAL", "rmdir", "d/e/.");
    await root.no("EINVAL", "rmdir", ".");
    await root.file("f");
    await root.no("ENOTDIR", "rmdir", "f");
    await root.ok("symlink", "d", "l");
    await root.no("ENOTDIR", "rmdir", "l");
    await root.does("rmdir", "l/");
    await root.ok("mknod", "p", S.IFIFO | 0o644, 0);
    await root.no("ENOTDIR", "rmdir", "p");
    await s.touches(root, { d: "", ".": "" }, () => root.no("ENOTEMPTY", "rmdir", "d"));
  });

  posix("in a sticky directory only owners of the entry or of the directory remove it", async (s) => {
    const { root, ann, bob } = await s.users("root", "ann", "bob");
    await root.mkdir("t");
    await root.ok("chmod", "t", 0o1777);
    await ann.mkdir("t/d", 0o777);
    await ann.file("t/f", 0o666);
    await bob.no("EPERM", "rmdir", "t/d");
    await bob.no("EPERM", "unlink", "t/f");
    await bob.no("EPERM", "rename", "t/f", "t/g");
    await bob.no("EPERM", "rename", "t/d", "t/e");
    await bob.file("t/b");
    await bob.no("EPERM", "rename", "t/b", "t/f");
    await ann.ok("unlink", "t/f");
    await root.ok("chown", "t", bob.uid, bob.gid);
    await bob.ok("rmdir", "t/d");
    await ann.no("EPERM", "unlink", "t/b");
    await root.ok("unlink", "t/b");
  });
}
