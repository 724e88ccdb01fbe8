import { AT, O, S } from "../linux.js";
import { posix } from "../stage.js";

export function chmodCases(): void {
  posix("chmod sets all twelve bits of every kind of file, and ctime only", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    await root.mkdir("d");
    await root.ok("mknod", "p", S.IFIFO | 0o644, 0);
    for (const name of ["f", "d", "p"]) {
      for (const mode of [0o111, 0o7777, 0, 0o6755, 0o1644]) {
        await s.touches(root, { [name]: "c", ".": "" }, () => root.ok("chmod", name, mode));
        s.expect("mode", (await root.see(name)).mode & 0o7777, mode);
      }
    }
    const fd = await root.open("f", O.RDONLY);
    await s.touches(root, { f: "c" }, () => root.ok("fchmod", fd, 0o604));
    s.expect("mode", (await root.see(fd)).mode & 0o7777, 0o604);
  });

  posix("chmod follows links", async (s) => {
    const root = await s.user("root");
    await root.file("f", 0o644);
    await root.ok("symlink", "f", "l");
    await root.ok("chmod", "l", 0o600);
    s.expect("mode of the target", (await root.see("f")).mode & 0o7777, 0o600);
    s.expect("mode of the link", (await root.see("l")).mode & 0o7777, 0o777);
    await root.ok("symlink", "nowhere", "m");
    await root.no("ENOENT", "chmod", "m", 0o600);
  });

  posix("chmod is for the owner and root; EPERM for all others, even with write permission", async (s) => {
    const { root, ann, bob } = await s.users("root", "ann", "bob");
    await ann.file("f", 0o666);
    await root.ok("chown", "f", ann.uid, 60100);
    await ann.ok("chmod", "f", 0o660);
    await bob.no("EPERM", "chmod", "f", 0o666);
    const fd = await bob.open("f", O.RDWR);
    await bob.no("EPERM", "fchmod", fd, 0o666);
    await root.ok("chmod", "f", 0o600);
    await s.touches(root, { f: "" }, () => bob.no("EPERM", "chmod", "f", 0o644));
  });

  posix("setgid falls away when its group is not the owner's; sticky on files stays", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    for (const [group, mode] of [
      [60001, 0o2755],
      [60100, 0o2755],
      [60999, 0o2755],
      [60999, 0o6711],
      [60001, 0o1644],
    ] as const) {
      await ann.file("f");
      await root.ok("chown", "f", ann.uid, group);
      await ann.ok("chmod", "f", mode);
      await ann.see("f");
      await ann.ok("unlink", "f");
    }
    await ann.mkdir("d");
    await root.ok("chown", "d", ann.uid, 60999);
    await ann.ok("chmod", "d", 0o2755);
    await ann.see("d");
    await ann.ok("chmod", "d", 0o1755);
    await ann.see("d");
  });

  posix("fchmodat refuses unknown flags; the mode of a link cannot be set", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    await root.ok("symlink", "f", "l");
    await root.no("EOPNOTSUPP", "fchmodat", AT.FDCWD, "l", 0o600, AT.SYMLINK_NOFOLLOW);
    await root.no("EINVAL", "fchmodat", AT.FDCWD, "l", 0o600, 0x80);
    await root.no("ENOENT", "chmod", "", 0o600);
    await root.no("EBADF", "fchmod", 999, 0o600);
    await root.no("ENOTDIR", "chmod", "f/x", 0o600);
  });

  posix("a directory without search permission hides what is in it", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.mkdir("d");
    await root.file("d/f", 0o644, "text");
    await root.ok("chmod", "d", 0o744);
    await ann.no("EACCES", "open", "d/f", O.RDONLY, 0);
    await ann.no("EACCES", "access", "d/f", 0);
    s.expect("names can be read", (await ann.list("d")).join(), "f");
    await root.ok("chmod", "d", 0o711);
    s.expect("content", await ann.content("d/f"), "text");
    await ann.no("EACCES", "open", "d", O.RDONLY, 0);
    s.expect("root reads it all", (await root.list("d")).join(), "f");
  });
}
