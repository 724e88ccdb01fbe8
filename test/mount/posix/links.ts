import { AT, O, PATH_MAX, S } from "../linux.js";
import { posix } from "../stage.js";

export function symlinkCases(): void {
  posix("a symbolic link holds its text, whatever that says", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    const texts = ["x", "/absolute/../path", "with space and \u00e9", "a".repeat(255), "d/".repeat(2000)];
    for (const text of texts) {
      await s.touches(root, { ".": "mc" }, () => ann.ok("symlink", text, "l"));
      const stat = await ann.see("l");
      s.expect("type and mode", stat.mode, S.IFLNK | 0o777);
      s.expect("owner", stat.uid, ann.uid);
      const { value, out } = await root.fill("readlink", "l", { out: 5000 }, 5000);
      s.expect("text", out[0]?.subarray(0, value).toString() === text);
      await root.ok("unlink", "l");
    }
    const raw = Uint8Array.of(0xff, 0xfe, 0x2f, 0x80, 0x01);
    await root.ok("symlink", raw, "raw");
    const { value, out } = await root.fill("readlink", "raw", { out: 100 }, 100);
    s.expect("bytes", out[0]?.subarray(0, value).toString("hex") ?? "", "fffe2f8001");
  });

  posix("a symbolic link has room for 4095 bytes and may not be empty", async (s) => {
    const root = await s.user("root");
    await root.ok("symlink", "x".repeat(PATH_MAX - 1), "l");
    s.expect("size", (await root.see("l")).size, PATH_MAX - 1);
    await root.no("ENAMETOOLONG", "symlink", "x".repeat(PATH_MAX), "m");
    await root.no("ENOENT", "symlink", "", "m");
    await root.no("EEXIST", "symlink", "x", "l");
    await root.no("ENOENT", "symlink", "x", "a/b");
  });

  posix("readlink cuts the text to the buffer and refuses what is no link", async (s) => {
    const root = await s.user("root");
    await root.ok("symlink", "0123456789", "l");
    const { out } = await root.fill("readlink", "l", { out: 4 }, 4);
    s.expect("cut", out[0]?.toString() ?? "", "0123");
    await root.no("EINVAL", "readlink", "l", { out: 1 }, 0);
    await root.file("f");
    await root.mkdir("d");
    await root.no("EINVAL", "readlink", "f", { out: 10 }, 10);
    await root.no("EINVAL", "readlink", "d", { out: 10 }, 10);
    await root.no("ENOENT", "readlink", "x", { out: 10 }, 10);
  });

  posix("links are followed in the middle and at the end, up to forty of them", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.file("d/f", 0o644, "found");
    await root.ok("symlink", "d", "l0");
    for (let depth = 1; depth <= 45; depth++) await root.ok("symlink", `l${depth - 1}`, `l${depth}`);
    s.expect("content", await root.content("l5/f"), "found");
    await root.ok("access", "l39/f", 0);
    await root.no("ELOOP", "access", "l40/f", 0);
    await root.ok("symlink", "loop", "loop");
    await root.ok("symlink", "ping", "pong");
    await root.ok("symlink", "pong", "ping");
    for (const name of ["loop", "ping", "loop/x"]) await root.no("ELOOP", "open", name, O.RDONLY, 0);
    await root.no("ELOOP", "chmod", "ping", 0o777);
    await root.no("ELOOP", "truncate", "ping", 0);
    await root.no("EEXIST", "mkdir", "ping", 0o755);
  });

  posix("a link in a sticky world-writable directory, relative and absolute targets", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.mkdir("d");
    await root.file("d/f", 0o644, "text");
    await ann.ok("symlink", "../d/f", "d2");
    await ann.no("ENOENT", "open", "d2", O.RDONLY, 0);
    await ann.quietly("symlink", `${s.path}/d/f`, "absolute");
    s.expect("content", await ann.content("absolute"), "text");
    await root.ok("rename", "d", "e");
    await ann.no("ENOENT", "open", "absolute", O.RDONLY, 0);
  });
}

export function linkCases(): void {
  posix("a hard link is the same file: one inode, one more link", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.file("f", 0o640, "text");
    await s.touches(root, { f: "c", d: "mc", ".": "" }, () => root.ok("link", "f", "d/g"));
    const [one, two] = [await root.see("f"), await root.see("d/g")];
    s.expect("same inode", one.ino === two.ino);
    s.expect("links", one.nlink, 2);
    await root.ok("chmod", "d/g", 0o600);
    s.expect("same mode", (await root.see("f")).mode & 0o777, 0o600);
    const fd = await root.open("f", O.WRONLY | O.APPEND);
    await root.write(fd, " more");
    s.expect("same content", await root.content("d/g"), "text more");
    await s.touches(root, { "d/g": "c" }, () => root.ok("unlink", "f"));
    s.expect("links", (await root.see("d/g")).nlink, 1);
  });

  posix("link works for fifos, sockets and links themselves, not for directories", async (s) => {
    const root = await s.user("root");
    await root.ok("mknod", "p", S.IFIFO | 0o644, 0);
    await root.ok("mknod", "k", S.IFSOCK | 0o644, 0);
    await root.ok("mknod", "b", S.IFBLK | 0o600, 0x700);
    await root.ok("symlink", "nowhere", "l");
    for (const name of ["p", "k", "b", "l"]) {
      await root.ok("link", name, `${name}2`);
      s.expect("links", (await root.see(`${name}2`)).nlink, 2);
    }
    await root.mkdir("d");
    await root.no("EPERM", "link", "d", "d2");
    await root.file("f");
    await root.ok("symlink", "f", "to-f");
    await root.ok("linkat", AT.FDCWD, "to-f", AT.FDCWD, "f2", AT.SYMLINK_FOLLOW);
    s.expect("links of the target", (await root.see("f")).nlink, 2);
    await root.ok("linkat", AT.FDCWD, "to-f", AT.FDCWD, "to-f2", 0);
    s.expect("links of the link", (await root.see("to-f")).nlink, 2);
  });

  posix("link refuses a name that is taken, a missing source and what may not be written", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.file("f", 0o666);
    await root.file("g");
    await root.mkdir("d", 0o755);
    await root.no("EEXIST", "link", "f", "g");
    await root.no("EEXIST", "link", "f", "f");
    await root.no("EEXIST", "link", "f", "d");
    await root.no("ENOENT", "link", "x", "y");
    await root.no("ENOENT", "link", "f", "x/y");
    await root.no("ENOTDIR", "link", "f", "g/y");
    await root.no("ENOENT", "link", "f", "");
    await ann.no("EACCES", "link", "f", "d/f");
    await root.no("EINVAL", "linkat", AT.FDCWD, "f", AT.FDCWD, "h", 0x4000);
    await s.touches(root, { f: "", ".": "" }, () => root.no("EEXIST", "link", "f", "g"));
  });

  posix("fs.protected_hardlinks: others' files are linked only by who may write them", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.file("readable", 0o644);
    await root.file("writable", 0o666);
    await root.file("setuid", 0o666);
    await root.ok("chmod", "setuid", 0o4777);
    for (const name of ["readable", "writable", "setuid"]) await ann.does("link", name, `${name}2`);
  });

  posix("a file that has a descriptor but no name any more cannot be linked", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.ok("unlink", "f");
    await root.no("ENOENT", "linkat", AT.FDCWD, `/proc/self/fd/${fd}`, AT.FDCWD, "g", AT.SYMLINK_FOLLOW);
    await root.no("ENOENT", "linkat", fd, "", AT.FDCWD, "g", AT.EMPTY_PATH);
  });

  posix("a descriptor is linked with AT_EMPTY_PATH by root", async (s) => {
    const root = await s.user("root");
    const fd = await root.open("f", O.CREAT | O.RDWR);
    await root.ok("linkat", fd, "", AT.FDCWD, "g", AT.EMPTY_PATH);
    s.expect("links", (await root.see(fd)).nlink, 2);
  });

  posix("many links of one file count and uncount", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    for (let count = 0; count < 200; count++) await root.ok("link", "f", `l${count}`);
    s.expect("links", (await root.see("f")).nlink, 201);
    for (let count = 0; count < 200; count++) await root.ok("unlink", `l${count}`);
    s.expect("links", (await root.see("f")).nlink, 1);
  });
}
