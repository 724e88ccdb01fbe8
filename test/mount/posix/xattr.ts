import { O, S, XATTR } from "../linux.js";
import type { Scene } from "../scene.js";
import { posix } from "../stage.js";
import type { User } from "../user.js";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const set = (
  path: string,
  name: string,
  value: string,
  flags = 0,
): readonly [string, ...(string | number | Uint8Array)[]] => [
  "lsetxattr",
  path,
  name,
  bytes(value),
  Buffer.byteLength(value),
  flags,
];

async function value(s: Scene, user: User, path: string, name: string): Promise<string> {
  const { value, out, errno } = await user.quietly("lgetxattr", path, name, { out: 70_000 }, 70_000);
  const found = errno ?? out[0]?.subarray(0, value).toString("latin1") ?? "";
  s.note(`${name} of ${path}`, found.length > 100 ? `${found.length} bytes` : found);
  return found;
}

async function names(s: Scene, user: User, path: string): Promise<string> {
  const { value, out, errno } = await user.quietly("llistxattr", path, { out: 70_000 }, 70_000);
  const listed = out[0]?.subarray(0, value).toString("latin1").split("\0") ?? [];
  const found =
    errno ??
    listed
      .filter((name) => name !== "" && name !== "security.selinux")
      .sort()
      .join(" ");
  s.note(`attributes of ${path}`, found);
  return found;
}

export function xattrCases(): void {
  posix("extended attributes are set, replaced, listed and removed, and set ctime", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    await s.touches(root, { f: "c", ".": "" }, () => root.ok(...set("f", "user.one", "1")));
    await root.ok(...set("f", "user.two", ""));
    s.expect("one", await value(s, root, "f", "user.one"), "1");
    s.expect("two", await value(s, root, "f", "user.two"), "");
    s.expect("names", await names(s, root, "f"), "user.one user.two");
    await root.ok(...set("f", "user.one", "a longer value"));
    s.expect("one", await value(s, root, "f", "user.one"), "a longer value");
    await s.touches(root, { f: "c" }, () => root.ok("lremovexattr", "f", "user.one"));
    s.expect("names", await names(s, root, "f"), "user.two");
    await root.no("ENODATA", "lremovexattr", "f", "user.one");
    await root.no("ENODATA", "lgetxattr", "f", "user.one", { out: 10 }, 10);
  });

  posix("XATTR_CREATE demands that it is new, XATTR_REPLACE that it is there", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    await root.no("ENODATA", ...set("f", "user.x", "1", XATTR.REPLACE));
    await root.ok(...set("f", "user.x", "1", XATTR.CREATE));
    await root.no("EEXIST", ...set("f", "user.x", "2", XATTR.CREATE));
    await root.ok(...set("f", "user.x", "3", XATTR.REPLACE));
    s.expect("value", await value(s, root, "f", "user.x"), "3");
    await root.no("EINVAL", ...set("f", "user.x", "4", 7));
  });

  posix(
    "sizes are told, buffers that are too small refused, and names are limited to 255 bytes",
    async (s) => {
      const root = await s.user("root");
      await root.file("f");
      await root.ok(...set("f", "user.x", "0123456789"));
      await root.gives(10, "lgetxattr", "f", "user.x", null, 0);
      await root.no("ERANGE", "lgetxattr", "f", "user.x", { out: 9 }, 9);
      await root.gives("user.x".length + 1, "llistxattr", "f", null, 0);
      await root.no("ERANGE", "llistxattr", "f", { out: 3 }, 3);
      await root.ok(...set("f", `user.${"n".repeat(250)}`, "long name"));
      await root.no("ERANGE", ...set("f", `user.${"n".repeat(251)}`, "too long"));
      await root.no("ERANGE", "lgetxattr", "f", `user.${"n".repeat(251)}`, { out: 9 }, 9);
      await root.no("ERANGE", ...set("f", "", "no name"));
      await root.no("E2BIG", "lsetxattr", "f", "user.big", "x", 65_537, 0);
      await root.does(...set("f", "user.", "empty"));
      await root.no("EOPNOTSUPP", ...set("f", "nonsense.x", "1"));
      await root.no("EOPNOTSUPP", ...set("f", "plain", "1"));
    },
  );

  posix("values of any bytes up to some kilobytes, and many names", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    const raw = Buffer.from(Array.from({ length: 2000 }, (_, index) => index % 256));
    await root.ok("lsetxattr", "f", "user.raw", new Uint8Array(raw), raw.length, 0);
    s.expect("bytes", (await value(s, root, "f", "user.raw")) === raw.toString("latin1"));
    for (let index = 0; index < 40; index++) await root.ok(...set("f", `user.n${index}`, String(index)));
    s.expect("names", (await names(s, root, "f")).split(" ").length, 41);
    s.expect("value", await value(s, root, "f", "user.n39"), "39");
  });

  posix(
    "user attributes follow the permission of the file, and are for files and directories only",
    async (s) => {
      const { root, ann, bob } = await s.users("root", "ann", "bob");
      await ann.file("f", 0o644);
      await ann.ok(...set("f", "user.x", "mine"));
      s.expect("bob reads", await value(s, bob, "f", "user.x"), "mine");
      await bob.no("EACCES", ...set("f", "user.x", "his"));
      await bob.no("EACCES", "lremovexattr", "f", "user.x");
      await ann.ok("chmod", "f", 0o600);
      await bob.no("EACCES", "lgetxattr", "f", "user.x", { out: 10 }, 10);
      s.note("bob lists", await names(s, bob, "f"));
      await root.ok("symlink", "f", "l");
      await root.ok("mknod", "p", S.IFIFO | 0o666, 0);
      await root.no("EPERM", ...set("l", "user.x", "1"));
      await root.no("EPERM", ...set("p", "user.x", "1"));
      await ann.mkdir("d");
      await ann.ok(...set("d", "user.x", "on a directory"));
      await ann.ok("chmod", "d", 0o1777);
      await bob.no("EPERM", ...set("d", "user.x", "sticky"));
    },
  );

  posix("trusted attributes are root's, and hidden from others", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await ann.file("f", 0o666);
    await root.ok(...set("f", "trusted.x", "secret"));
    s.expect("root lists", await names(s, root, "f"), "trusted.x");
    s.note("ann lists", await names(s, ann, "f"));
    await ann.no("ENODATA", "lgetxattr", "f", "trusted.x", { out: 10 }, 10);
    await ann.no("EPERM", ...set("f", "trusted.x", "1"));
    await root.ok("symlink", "f", "l");
    await root.ok(...set("l", "trusted.x", "on a link"));
    s.expect("on a link", await value(s, root, "l", "trusted.x"), "on a link");
  });

  posix("security attributes are set by root; capabilities fall when the file is written", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.file("f", 0o777, "program");
    await root.ok(...set("f", "security.note", "read by all"));
    s.expect("ann reads", await value(s, ann, "f", "security.note"), "read by all");
    await ann.no("EPERM", ...set("f", "security.note", "1"));
    const capability = Buffer.alloc(20);
    capability.writeUInt32LE(0x0200_0001, 0);
    capability.writeUInt32LE(0x400, 4);
    await root.ok("lsetxattr", "f", "security.capability", new Uint8Array(capability), 20, 0);
    s.note("before", await names(s, root, "f"));
    const fd = await ann.open("f", O.WRONLY);
    await ann.write(fd, "changed");
    s.note("after a write", await names(s, root, "f"));
    await root.ok("lsetxattr", "f", "security.capability", new Uint8Array(capability), 20, 0);
    await root.ok("chown", "f", 5, 6);
    s.note("after chown", await names(s, root, "f"));
  });

  posix("attributes go with the inode: through rename and links, not to a copy of the name", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    await root.ok(...set("f", "user.x", "kept"));
    await root.ok("link", "f", "g");
    await root.ok("rename", "f", "h");
    s.expect("by the link", await value(s, root, "g", "user.x"), "kept");
    s.expect("after rename", await value(s, root, "h", "user.x"), "kept");
    await root.file("f");
    s.expect("the new file", await names(s, root, "f"), "");
    const fd = await root.open("h", O.RDWR);
    await root.ok("fsetxattr", fd, "user.y", "by fd", 5, 0);
    await root.ok("unlink", "h");
    await root.ok("unlink", "g");
    await root.gives(5, "fgetxattr", fd, "user.y", { out: 10 }, 10);
  });

  posix("attributes of what is not there", async (s) => {
    const root = await s.user("root");
    await root.no("ENOENT", ...set("x", "user.x", "1"));
    await root.no("ENOENT", "lgetxattr", "x", "user.x", { out: 1 }, 1);
    await root.no("ENOENT", "llistxattr", "x", { out: 1 }, 1);
    await root.no("ENOENT", "lremovexattr", "x", "user.x");
    await root.no("EBADF", "fgetxattr", 999, "user.x", { out: 1 }, 1);
  });
}
