import { AT, O, S } from "../linux.js";
import { posix } from "../stage.js";

const KEEP = -1;

export function chownCases(): void {
  posix("chown sets owner, group or both, and ctime", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    for (const [uid, gid] of [
      [5, 6],
      [KEEP, 7],
      [8, KEEP],
      [0xffff_fffe, 0xffff_fffe],
      [0, 0],
    ] as const) {
      await s.touches(root, { f: "c", ".": "" }, () => root.ok("chown", "f", uid, gid));
      await root.see("f");
    }
    const fd = await root.open("f", O.RDONLY);
    await root.ok("fchown", fd, 11, 12);
    s.expect("group", (await root.see("f")).gid, 12);
  });

  posix("chown of nothing sets ctime or not, as ext4 does, and succeeds for the owner", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await ann.file("f");
    const before = await ann.stat("f");
    await s.tick();
    await ann.ok("chown", "f", KEEP, KEEP);
    s.note("ctime after chown(-1, -1)", (await ann.stat("f")).ctime > before.ctime ? "set" : "kept");
    await root.ok("chown", "f", KEEP, KEEP);
    await ann.ok("chown", "f", ann.uid, ann.gid);
  });

  posix("lchown changes the link, chown what it points to", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    await root.ok("symlink", "f", "l");
    await s.touches(root, { l: "c", f: "" }, () => root.ok("lchown", "l", 5, 6));
    s.expect("the link", (await root.see("l")).uid, 5);
    s.expect("the file", (await root.see("f")).uid, 0);
    await s.touches(root, { l: "", f: "c" }, () => root.ok("chown", "l", 7, 8));
    await root.ok("fchownat", AT.FDCWD, "l", 9, 10, AT.SYMLINK_NOFOLLOW);
    s.expect("the link", (await root.see("l")).uid, 9);
    s.expect("the file", (await root.see("f")).uid, 7);
  });

  posix("only root gives files away; owners change the group to one of theirs", async (s) => {
    const { root, ann, bob } = await s.users("root", "ann", "bob");
    await ann.file("f");
    await ann.no("EPERM", "chown", "f", bob.uid, KEEP);
    await ann.no("EPERM", "chown", "f", 0, 0);
    await ann.ok("chown", "f", KEEP, 60100);
    s.expect("group", (await ann.see("f")).gid, 60100);
    await ann.no("EPERM", "chown", "f", KEEP, 60999);
    await ann.no("EPERM", "chown", "f", KEEP, 0);
    await ann.ok("chown", "f", ann.uid, ann.gid);
    await bob.no("EPERM", "chown", "f", KEEP, bob.gid);
    await bob.no("EPERM", "chown", "f", bob.uid, KEEP);
    await root.ok("chown", "f", bob.uid, bob.gid);
    await ann.no("EPERM", "chown", "f", ann.uid, KEEP);
  });

  posix("chown takes setuid and setgid off files, and keeps them on directories", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    for (const mode of [0o6777, 0o4755, 0o2755, 0o2745, 0o2644, 0o6755]) {
      await ann.file("f");
      await ann.ok("chmod", "f", mode);
      await ann.ok("chown", "f", KEEP, 60100);
      await ann.see("f");
      await root.ok("chmod", "f", mode);
      await root.ok("chown", "f", 5, 6);
      await root.see("f");
      await root.ok("chmod", "f", mode);
      await root.ok("chown", "f", KEEP, KEEP);
      await root.see("f");
      await root.ok("unlink", "f");
      await root.mkdir("d");
      await root.ok("chmod", "d", mode);
      await root.ok("chown", "d", 5, 6);
      await root.see("d");
      await root.ok("rmdir", "d");
    }
    await ann.file("g");
    await ann.ok("chmod", "g", 0o6755);
    await ann.ok("chown", "g", KEEP, KEEP);
    await ann.see("g");
  });

  posix("chown refuses what is missing or closed", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    await root.no("ENOENT", "chown", "x", 1, 1);
    await root.no("ENOENT", "chown", "", 1, 1);
    await root.no("ENOTDIR", "chown", "f/x", 1, 1);
    await root.no("EBADF", "fchown", 999, 1, 1);
    await root.ok("symlink", "x", "l");
    await root.no("ENOENT", "chown", "l", 1, 1);
    await root.no("EINVAL", "fchownat", AT.FDCWD, "f", 1, 1, 0x80);
    await root.ok("mknod", "p", S.IFIFO | 0o644, 0);
    await root.ok("chown", "p", 3, 4);
    await root.see("p");
  });

  posix("owners lose their rights with the file", async (s) => {
    const { root, ann, bob } = await s.users("root", "ann", "bob");
    await ann.file("f", 0o600, "text");
    await root.ok("chown", "f", bob.uid, bob.gid);
    await ann.no("EACCES", "open", "f", O.RDONLY, 0);
    s.expect("content", await bob.content("f"), "text");
    await ann.no("EPERM", "chmod", "f", 0o777);
  });
}
