import { O } from "../linux.js";
import type { Scene } from "../scene.js";
import { posix } from "../stage.js";
import type { User } from "../user.js";

const ACCESS = "system.posix_acl_access";
const DEFAULT = "system.posix_acl_default";
const TAGS = { user: 0x02, group: 0x08, mask: 0x10, other: 0x20 } as const;
const OWNER = 0x01;
const OWNING_GROUP = 0x04;
const NO_ID = 0xffff_ffff;

/** `user::rwx,user:60001:r--,group::r-x,mask::rwx,other::---` in the kernel's form. */
function acl(text: string): Uint8Array {
  const entries = text.split(",").map((entry) => {
    const [kind = "", id = "", letters = ""] = entry.split(":");
    const named = TAGS[kind as keyof typeof TAGS];
    const tag = id === "" && kind === "user" ? OWNER : id === "" && kind === "group" ? OWNING_GROUP : named;
    const bits = (/r/.test(letters) ? 4 : 0) | (/w/.test(letters) ? 2 : 0) | (/x/.test(letters) ? 1 : 0);
    return { tag, bits, id: id === "" ? NO_ID : Number(id) };
  });
  const bytes = Buffer.alloc(4 + 8 * entries.length);
  bytes.writeUInt32LE(2, 0);
  entries.forEach(({ tag, bits, id }, index) => {
    bytes.writeUInt16LE(tag, 4 + 8 * index);
    bytes.writeUInt16LE(bits, 6 + 8 * index);
    bytes.writeUInt32LE(id, 8 + 8 * index);
  });
  return new Uint8Array(bytes);
}

async function setAcl(user: User, path: string, kind: string, text: string): Promise<void> {
  const bytes = acl(text);
  await user.ok("setxattr", path, kind, bytes, bytes.length, 0);
}

/** Notes mode and both lists, for the comparison with the reference. */
async function seeAcl(s: Scene, user: User, path: string): Promise<void> {
  await user.see(path);
  for (const kind of [ACCESS, DEFAULT]) {
    const { value, errno, out } = await user.quietly("getxattr", path, kind, { out: 1000 }, 1000);
    s.note(`${kind} of ${path}`, errno ?? out[0]?.subarray(0, value).toString("hex") ?? "");
  }
}

async function who(s: Scene, path: string): Promise<void> {
  const users = await s.users("ann", "bob", "eve");
  for (const [name, user] of Object.entries(users)) {
    for (const wanted of [4, 2, 1])
      s.note(`${name} ${wanted} ${path}`, (await user.quietly("access", path, wanted)).errno ?? "may");
  }
}

export function aclCases(): void {
  posix("an access ACL gives and takes rights of named users and groups, under the mask", async (s) => {
    const root = await s.user("root");
    await root.file("f", 0o640);
    const lists = [
      "user::rw-,user:60001:rw-,group::r--,mask::rw-,other::---",
      "user::rw-,user:60001:rw-,group::r--,mask::r--,other::---",
      "user::rw-,user:60001:---,group::r--,mask::rwx,other::r--",
      "user::rw-,group::---,group:60100:r-x,mask::r-x,other::---",
      "user::rw-,user:60002:-w-,group::---,group:60100:r--,mask::rw-,other::r--",
      "user::rwx,group::r-x,other::--x",
    ];
    for (const text of lists) {
      s.note("list", text);
      await s.touches(root, { f: "c" }, () => setAcl(root, "f", ACCESS, text));
      await seeAcl(s, root, "f");
      await who(s, "f");
    }
    await root.ok("removexattr", "f", ACCESS);
    await seeAcl(s, root, "f");
  });

  posix("chmod changes the mask of a list, and the group bits show it", async (s) => {
    const root = await s.user("root");
    await root.file("f", 0o600);
    await setAcl(root, "f", ACCESS, "user::rw-,user:60001:rwx,group::r--,mask::rwx,other::---");
    for (const mode of [0o600, 0o640, 0o677, 0o4710]) {
      await root.ok("chmod", "f", mode);
      await seeAcl(s, root, "f");
      await who(s, "f");
    }
  });

  posix("a default ACL is inherited by files and directories, and the umask is ignored", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.mkdir("d");
    await root.ok("chmod", "d", 0o777);
    await setAcl(
      root,
      "d",
      DEFAULT,
      "user::rwx,user:60001:rw-,group::r-x,group:60100:rwx,mask::rwx,other::r--",
    );
    await seeAcl(s, root, "d");
    await ann.ok("umask", 0o077);
    for (const mode of [0o666, 0o600, 0o777]) {
      await ann.close(await ann.open("d/f", O.CREAT | O.EXCL | O.WRONLY, mode));
      await seeAcl(s, ann, "d/f");
      await ann.ok("unlink", "d/f");
    }
    await ann.ok("mkdir", "d/e", 0o777);
    await seeAcl(s, ann, "d/e");
    await ann.ok("mkdir", "d/e/g", 0o750);
    await seeAcl(s, ann, "d/e/g");
    await ann.ok("mkfifo", "d/p", 0o666);
    await seeAcl(s, ann, "d/p");
    await ann.ok("symlink", "x", "d/l");
    await ann.see("d/l");
  });

  posix("a default ACL without named entries changes the mode of what is made", async (s) => {
    const root = await s.user("root");
    await root.mkdir("d");
    await setAcl(root, "d", DEFAULT, "user::rwx,group::---,other::---");
    await root.ok("umask", 0);
    await root.close(await root.open("d/f", O.CREAT | O.WRONLY, 0o666));
    await root.ok("mkdir", "d/e", 0o777);
    await seeAcl(s, root, "d/f");
    await seeAcl(s, root, "d/e");
    await root.ok("removexattr", "d", DEFAULT);
    await root.close(await root.open("d/g", O.CREAT | O.WRONLY, 0o666));
    await seeAcl(s, root, "d/g");
  });

  posix("lists that are wrong are refused, and only the owner sets them", async (s) => {
    const { root, ann, bob } = await s.users("root", "ann", "bob");
    await ann.file("f", 0o666);
    await ann.mkdir("d");
    const wrong = [
      "user::rw-,user:60001:rw-,group::r--,other::---",
      "user::rw-,group::r--",
      "group::r--,user::rw-,other::---",
    ];
    for (const text of wrong) {
      const bytes = acl(text);
      await ann.no("EINVAL", "setxattr", "f", ACCESS, bytes, bytes.length, 0);
    }
    const right = acl("user::rw-,user:60002:rw-,group::r--,mask::rwx,other::---");
    await ann.no("EACCES", "setxattr", "f", DEFAULT, right, right.length, 0);
    await bob.no("EPERM", "setxattr", "f", ACCESS, right, right.length, 0);
    await bob.no("EPERM", "setxattr", "d", DEFAULT, right, right.length, 0);
    await ann.ok("setxattr", "f", ACCESS, right, right.length, 0);
    await bob.no("EPERM", "removexattr", "f", ACCESS);
    await root.ok("symlink", "f", "l");
    await root.no("EOPNOTSUPP", "lsetxattr", "l", ACCESS, right, right.length, 0);
    await root.no("EOPNOTSUPP", "setxattr", "f", ACCESS, Uint8Array.of(9, 0, 0, 0), 4, 0);
    await ann.does("setxattr", "f", ACCESS, right, 0, 0);
    await seeAcl(s, ann, "f");
  });

  posix("a named user may search and write a directory of others", async (s) => {
    const { root, ann, bob, eve } = await s.users("root", "ann", "bob", "eve");
    await root.mkdir("d", 0o700);
    await setAcl(
      root,
      "d",
      ACCESS,
      "user::rwx,user:60001:rwx,user:60002:--x,group::---,mask::rwx,other::---",
    );
    await ann.file("d/f", 0o644, "text");
    s.expect("bob reads by name", await bob.content("d/f"), "text");
    await bob.no("EACCES", "open", "d", O.RDONLY, 0);
    await bob.no("EACCES", "unlink", "d/f");
    await eve.no("EACCES", "access", "d/f", 0);
    await ann.list("d");
    await ann.ok("unlink", "d/f");
  });

  posix("setting an ACL by who is not in the group clears setgid", async (s) => {
    const { root, ann } = await s.users("root", "ann");
    await root.file("f", 0o644);
    await root.ok("chown", "f", ann.uid, 60999);
    await root.ok("chmod", "f", 0o2755);
    await setAcl(ann, "f", ACCESS, "user::rwx,user:60002:r--,group::r-x,mask::r-x,other::r--");
    await seeAcl(s, root, "f");
  });
}
