import { O, S } from "../linux.js";
import { posix } from "../stage.js";

export function unlinkCases(): void {
  posix("unlink removes every kind of file but directories, and touches the parent", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.file("d/f");
    await root.ok("symlink", "f", "d/l");
    await root.ok("mknod", "d/p", S.IFIFO | 0o644, 0);
    await root.ok("mknod", "d/k", S.IFSOCK | 0o644, 0);
    await root.ok("mknod", "d/c", S.IFCHR | 0o644, 0x103);
    for (const name of ["f", "l", "p", "k", "c"]) {
      await s.touches(root, { d: "mc", ".": "" }, () => root.ok("unlink", `d/${name}`));
      await root.no("ENOENT", "unlink", `d/${name}`);
    }
    await root.no("EISDIR", "unlink", "d");
    await root.no("ENOENT", "unlink", "");
    await root.no("EISDIR", "unlink", ".");
  });

  posix("unlink does not follow a link", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    await root.ok("symlink", "f", "l");
    await root.ok("unlink", "l");
    await root.ok("access", "f", 0);
    await root.mkdir("d");
    await root.ok("symlink", "d", "m");
    await root.no("ENOTDIR", "unlink", "m/");
    await root.no("ENOTDIR", "unlink", "f/");
    await root.ok("unlink", "m");
  });

  posix("unlink needs write permission in the directory, not on the file", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.mkdir("d", 0o755);
    await root.file("d/f", 0o666);
    await ann.no("EACCES", "unlink", "d/f");
    await root.ok("chmod", "d", 0o757);
    await root.ok("chmod", "d/f", 0);
    await ann.ok("unlink", "d/f");
  });

  posix("a file without a name lives as long as it is open", async (s) => {
    const { root, twin } = await s.users("root", "twin");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    const other = await twin.open("f", O.RDWR);
    await root.write(fd, "before");
    await root.ok("unlink", "f");
    s.expect("links", (await root.see(fd)).nlink, 0);
    await root.write(fd, " after");
    s.expect("content", (await twin.pread(other, 100, 0)).toString(), "before after");
    await root.ok("fchmod", fd, 0o600);
    await root.ok("fchown", fd, 5, 6);
    await root.ok("ftruncate", fd, 3);
    await root.ok("fsync", fd);
    await twin.see(other);
    await root.close(fd);
    s.expect("content", (await twin.pread(other, 100, 0)).toString(), "bef");
    await twin.write(other, "new");
    s.expect("size", (await twin.see(other)).size, 3);
  });

  posix("a name taken again is another file than the open one", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.write(fd, "old");
    await root.ok("unlink", "f");
    await root.file("f", 0o644, "new file");
    s.expect("old", (await root.pread(fd, 10, 0)).toString(), "old");
    s.expect("new", await root.content("f"), "new file");
    s.expect("inodes differ", (await root.stat(fd)).ino !== (await root.stat("f")).ino);
  });

  posix("what rename replaced lives as long as it is open", async (s) => {
    const root = await s.user("root");
    await root.file("a", 0o644, "source");
    await root.file("b", 0o644, "target");
    const fd = await root.open("b", O.RDWR);
    await root.ok("rename", "a", "b");
    s.expect("old", (await root.pread(fd, 10, 0)).toString(), "target");
    await root.pwrite(fd, "TARGET", 0);
    s.expect("old, written", (await root.pread(fd, 10, 0)).toString(), "TARGET");
    s.expect("links", (await root.see(fd)).nlink, 0);
    s.expect("new", await root.content("b"), "source");
  });

  posix("ctime of an unlinked file that has other links is set", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    await root.ok("link", "f", "g");
    await s.touches(root, { g: "c" }, () => root.ok("unlink", "f"));
    const fd = await root.open("g", O.RDONLY);
    const before = await root.stat(fd);
    await s.tick();
    await root.ok("unlink", "g");
    s.expect("ctime", (await root.stat(fd)).ctime > before.ctime);
  });

  posix("a fifo that was unlinked while it is open keeps an owner and a mode", async (s) => {
    const root = await s.user("root");
    await root.ok("mknod", "p", S.IFIFO | 0o644, 0);
    const fd = await root.open("p", O.RDWR);
    await root.ok("unlink", "p");
    await root.ok("fchmod", fd, 0o6711);
    await root.see(fd);
    await root.ok("fchown", fd, 7, 8);
    const { mode, uid, gid, nlink } = await root.see(fd);
    s.expect("mode", mode & 0o7777, 0o711);
    s.expect("owner", `${uid}:${gid} ${nlink}`, "7:8 0");
  });
}
