import { AT, O, RENAME, S } from "../linux.js";
import type { Scene } from "../scene.js";
import { posix } from "../stage.js";
import type { User } from "../user.js";

/** What a rename may meet at either end. */
const KINDS = ["nothing", "file", "directory", "full directory", "symlink", "fifo"] as const;
type Kind = (typeof KINDS)[number];

const MODES = { plain: 0, noreplace: RENAME.NOREPLACE, exchange: RENAME.EXCHANGE } as const;

async function make(root: User, name: string, kind: Kind): Promise<void> {
  if (kind === "file") await root.file(name, 0o644, name);
  if (kind === "directory" || kind === "full directory") await root.mkdir(name);
  if (kind === "full directory") await root.file(`${name}/inside`, 0o644, name);
  if (kind === "symlink") await root.ok("symlink", name, name);
  if (kind === "fifo") await root.ok("mknod", name, S.IFIFO | 0o644, 0);
}

async function matrix(s: Scene, flags: number): Promise<void> {
  const root = await s.user("root");
  for (const source of KINDS) {
    for (const target of KINDS) {
      s.note(source, target);
      await root.mkdir("from");
      await root.mkdir("to");
      await make(root, "from/a", source);
      await make(root, "to/b", target);
      await root.does("renameat2", AT.FDCWD, "from/a", AT.FDCWD, "to/b", flags);
      for (const directory of ["from", "to"]) {
        await root.see(directory);
        for (const name of await root.list(directory)) await root.see(`${directory}/${name}`);
      }
      await root.run("rm", "-rf", "from", "to");
    }
  }
}

export function renameCases(): void {
  for (const [mode, flags] of Object.entries(MODES)) {
    posix(`rename of every kind of file over every other: ${mode}`, (s) => matrix(s, flags));
  }

  posix("rename moves the file itself, and touches both directories and the file's ctime", async (s) => {
    const root = await s.user("root");
    await root.mkdir("a");
    await root.mkdir("b");
    await root.file("a/f", 0o640, "text");
    const before = await root.stat("a/f");
    await s.touches(root, { a: "mc", b: "mc", ".": "" }, () => root.ok("rename", "a/f", "b/g"));
    const after = await root.see("b/g");
    s.expect("same inode", before.ino === after.ino);
    s.expect("ctime is set", after.ctime > before.ctime);
    s.expect("mtime stays", after.mtime === before.mtime);
    await root.no("ENOENT", "access", "a/f", 0);
    s.expect("content", await root.content("b/g"), "text");
  });

  posix("rename of a directory to another parent changes both link counts and its ..", async (s) => {
    const root = await s.user("root");
    await root.mkdir("a");
    await root.mkdir("b");
    await root.mkdir("a/d");
    await root.ok("rename", "a/d", "b/d");
    s.expect("links of the old parent", (await root.see("a")).nlink, 2);
    s.expect("links of the new parent", (await root.see("b")).nlink, 3);
    s.expect("..", (await root.stat("b/d/..")).ino === (await root.stat("b")).ino);
    await root.mkdir("a/e");
    await root.ok("rename", "a/e", "b/d");
    s.expect("links after replacing", (await root.see("b")).nlink, 3);
    s.expect("links after replacing", (await root.see("a")).nlink, 2);
  });

  posix("rename to another name of the same file does nothing", async (s) => {
    const root = await s.user("root");
    await root.file("f");
    await root.ok("link", "f", "g");
    await s.touches(root, { f: "", ".": "" }, () => root.ok("rename", "f", "g"));
    s.expect("links", (await root.see("f")).nlink, 2);
    await root.ok("rename", "f", "f");
    await root.no("EEXIST", "renameat2", AT.FDCWD, "f", AT.FDCWD, "g", RENAME.NOREPLACE);
    await root.no("EEXIST", "renameat2", AT.FDCWD, "f", AT.FDCWD, "f", RENAME.NOREPLACE);
    await root.ok("renameat2", AT.FDCWD, "f", AT.FDCWD, "g", RENAME.EXCHANGE);
    await root.list(".");
  });

  posix("a directory does not move into itself, nor over what is above it", async (s) => {
    const root = await s.user("root");
    await root.mkdir("a");
    await root.mkdir("a/b");
    await root.mkdir("a/b/c");
    for (const target of ["a/x", "a/b/x", "a/b/c/x", "a/b/c"]) await root.no("EINVAL", "rename", "a", target);
    await root.no("ENOTEMPTY", "rename", "a/b/c", "a/b");
    await root.no("ENOTEMPTY", "rename", "a/b/c", "a");
    await root.does("renameat2", AT.FDCWD, "a", AT.FDCWD, "a/b", RENAME.EXCHANGE);
    await root.does("renameat2", AT.FDCWD, "a/b", AT.FDCWD, "a", RENAME.EXCHANGE);
    await root.ok("rename", "a", "a/");
  });

  posix("names that cannot be renamed: dots, slashes behind files, missing parents", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.file("f");
    for (const name of [".", "..", "d/.", "d/.."]) {
      await root.does("rename", name, "x");
      await root.does("rename", "d", name);
    }
    await root.no("ENOTDIR", "rename", "f/", "x");
    await root.no("ENOTDIR", "rename", "f", "x/");
    await root.no("ENOENT", "rename", "x", "y");
    await root.no("ENOENT", "rename", "f", "x/y");
    await root.no("ENOTDIR", "rename", "f", "f/y");
    await root.no("ENOENT", "rename", "", "y");
    await root.no("ENOENT", "rename", "f", "");
    await root.ok("rename", "d/", "e/");
    await root.no("EINVAL", "renameat2", AT.FDCWD, "f", AT.FDCWD, "g", RENAME.NOREPLACE | RENAME.EXCHANGE);
    await root.no("EINVAL", "renameat2", AT.FDCWD, "f", AT.FDCWD, "g", 64);
    await root.no("ENOENT", "renameat2", AT.FDCWD, "f", AT.FDCWD, "x", RENAME.EXCHANGE);
  });

  posix("rename needs write permission in both directories, and on a directory that moves", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.mkdir("a", 0o755);
    await root.mkdir("b");
    await root.ok("chmod", "b", 0o777);
    await root.file("a/f");
    await ann.no("EACCES", "rename", "a/f", "b/f");
    await ann.file("b/g");
    await ann.no("EACCES", "rename", "b/g", "a/g");
    await ann.mkdir("b/mine", 0o555);
    await ann.mkdir("b/target");
    await ann.does("rename", "b/mine", "b/target/mine");
    await ann.ok("rename", "b/mine", "b/renamed");
    await root.mkdir("b/roots", 0o755);
    await ann.does("rename", "b/roots", "b/target/roots");
    await ann.ok("rename", "b/roots", "b/roots2");
  });

  posix("in a sticky directory rename needs to own what moves and what is replaced", async (s) => {
    const { root, ann, bob } = await s.users("root", "ann", "bob");
    await root.mkdir("t");
    await root.ok("chmod", "t", 0o1777);
    await ann.mkdir("mine");
    await ann.ok("chmod", "mine", 0o777);
    await ann.file("t/ann");
    await bob.file("t/bob");
    await bob.no("EPERM", "rename", "t/ann", "mine/x");
    await bob.no("EPERM", "rename", "t/bob", "t/ann");
    await bob.no("EPERM", "renameat2", AT.FDCWD, "t/bob", AT.FDCWD, "t/ann", RENAME.EXCHANGE);
    await bob.ok("rename", "t/bob", "mine/bob");
    await root.ok("chown", "t", bob.uid, bob.gid);
    await bob.ok("rename", "t/ann", "t/other");
  });

  posix("an open file and an open directory follow their rename", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await root.file("d/f", 0o644, "text");
    const directory = await root.open("d", O.RDONLY | O.DIRECTORY);
    const file = await root.open("d/f", O.RDWR);
    await root.ok("rename", "d", "e");
    await root.ok("rename", "e/f", "e/g");
    await root.pwrite(file, "TEXT", 0);
    s.expect("content", await root.content("e/g"), "TEXT");
    await root.ok("faccessat", directory, "g", 0, 0);
    await root.no("ENOENT", "faccessat", directory, "f", 0, 0);
  });

  posix("replacing sets the replaced file's ctime and takes one link", async (s) => {
    const root = await s.user("root");
    await root.file("a");
    await root.file("b");
    await root.ok("link", "b", "other");
    await s.touches(root, { other: "c", ".": "mc" }, () => root.ok("rename", "a", "b"));
    s.expect("links", (await root.see("other")).nlink, 1);
  });

  posix("exchange swaps two trees at once, with times as ext4 sets them", async (s) => {
    const root = await s.user("root");
    await root.mkdir("x");
    await root.mkdir("y");
    await root.mkdir("x/d");
    await root.file("x/d/in-d");
    await root.file("y/f", 0o644, "file");
    await s.touches(root, { x: "mc", y: "mc", ".": "" }, () =>
      root.ok("renameat2", AT.FDCWD, "x/d", AT.FDCWD, "y/f", RENAME.EXCHANGE),
    );
    s.expect("content", await root.content("x/d"), "file");
    await root.list("y/f");
    s.expect("links of x", (await root.see("x")).nlink, 2);
    s.expect("links of y", (await root.see("y")).nlink, 3);
  });
}
