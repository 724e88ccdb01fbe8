import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { fromUtf8, toUtf8 } from "../../../../src/base/index.js";
import {
  ACL_GROUP,
  ACL_MASK,
  ACL_NO_ID,
  ACL_OTHERS,
  ACL_OWNER,
  ACL_OWNING_GROUP,
  ACL_USER,
  type AclEntry,
  aclWithMode,
  buildAcl,
  inheritedAcl,
  modeOfAcl,
  parseAcl,
} from "../../../../src/mds/core/posix-acl.js";
import {
  type InodeNumber,
  MODE_DIRECTORY,
  MODE_FILE,
  MODE_SYMLINK,
  ROOT_INODE,
  type SessionId,
} from "../../../../src/meta/index.js";
import { CoreWorld, codeOf, createBody, openedOf } from "./core-world.js";

const ACCESS = "system.posix_acl_access";
const DEFAULT = "system.posix_acl_default";

/** `u::rwx,u:7:r--,g::r-x,m::rwx,o::---` as entries. */
function acl(text: string): AclEntry[] {
  const named: Record<string, number> = { u: ACL_USER, g: ACL_GROUP };
  const plain: Record<string, number> = {
    u: ACL_OWNER,
    g: ACL_OWNING_GROUP,
    m: ACL_MASK,
    o: ACL_OTHERS,
  };
  return text.split(",").map((line) => {
    const [kind = "", id = "", letters = ""] = line.split(":");
    const tag = (id === "" ? plain : named)[kind] ?? 0;
    const permissions = [..."rwx"].reduce((sum, letter, i) => sum | (letters[i] === letter ? 4 >> i : 0), 0);
    return { tag, permissions, id: id === "" ? ACL_NO_ID : Number(id) };
  });
}
const value = (text: string): Uint8Array => buildAcl(acl(text));

describe("the value of an ACL attribute", () => {
  test("is what the kernel writes: version 2, then tag, permissions and id of each entry, little-endian", () => {
    const bytes = value("u::rw-,u:1000:r--,g::r--,m::r--,o::---");
    const hex = Buffer.from(bytes).toString("hex");
    assert.equal(
      hex,
      "02000000" +
        "01000600ffffffff" +
        "02000400e8030000" +
        "04000400ffffffff" +
        "10000400ffffffff" +
        "20000000ffffffff",
    );
    assert.deepEqual(parseAcl(bytes), acl("u::rw-,u:1000:r--,g::r--,m::r--,o::---"));
    assert.deepEqual(parseAcl(new Uint8Array([2, 0, 0, 0])), []);
  });

  test("of another version is not understood", () => {
    const bytes = value("u::rw-,g::r--,o::---");
    bytes[0] = 1;
    assert.throws(() => parseAcl(bytes), { code: "unsupported" });
  });

  test("must have every class in order, a mask where somebody is named, and whole entries", () => {
    const wrong = [
      "u::rw-,g::r--",
      "g::r--,u::rw-,o::---",
      "u::rw-,u::rw-,g::r--,o::---",
      "u::rw-,u:7:r--,g::r--,o::---",
      "u::rw-,g::r--,g:7:r--,o::---",
      "u::rw-,g::r--,o::---,m::r--",
      "u::rw-,g:7:r--,g::r--,m::r--,o::---",
    ];
    for (const text of wrong) assert.throws(() => parseAcl(value(text)), { code: "invalid" }, text);
    const right = value("u::rw-,g::r--,o::---");
    for (let length = 0; length < right.length; length++) {
      if (length === 4) continue;
      assert.throws(() => parseAcl(right.slice(0, length)), { code: "invalid" });
    }
    const unnamed = value("u::rw-,u:7:r--,g::r--,m::r--,o::---");
    unnamed.fill(0xff, 16, 20);
    assert.throws(() => parseAcl(unnamed), { code: "invalid" });
    const tooMuch = value("u::rw-,g::r--,o::---");
    tooMuch[6] = 8;
    assert.throws(() => parseAcl(tooMuch), { code: "invalid" });
  });
});

describe("an ACL and a mode", () => {
  test("the group bits stand for the mask where there is one", () => {
    assert.equal(modeOfAcl(acl("u::rwx,g::r-x,o::--x")), 0o751);
    assert.equal(modeOfAcl(acl("u::rwx,u:7:rwx,g::r-x,m::rw-,o::--x")), 0o761);
    assert.deepEqual(
      aclWithMode(acl("u::rwx,u:7:rwx,g::r-x,m::rw-,o::--x"), 0o640),
      acl("u::rw-,u:7:rwx,g::r-x,m::r--,o::---"),
    );
    assert.deepEqual(aclWithMode(acl("u::rwx,g::r-x,o::--x"), 0o640), acl("u::rw-,g::r--,o::---"));
  });

  test("a default list and the wanted mode leave what both grant", () => {
    const defaults = acl("u::rwx,u:7:rw-,g::r-x,m::rwx,o::r-x");
    const { access, mode } = inheritedAcl(defaults, MODE_FILE | 0o2664);
    assert.equal(mode, MODE_FILE | 0o2664);
    assert.deepEqual(access, acl("u::rw-,u:7:rw-,g::r-x,m::rw-,o::r--"));
    const plain = inheritedAcl(acl("u::rwx,g::r-x,o::---"), MODE_FILE | 0o666);
    assert.equal(plain.mode, MODE_FILE | 0o640);
    assert.deepEqual(plain.access, acl("u::rw-,g::r--,o::---"));
  });
});

let world: CoreWorld;
let me: SessionId;
beforeEach(() => {
  world = new CoreWorld();
  me = world.session();
});

const set = (ino: InodeNumber, name: string, bytes: Uint8Array, killSetgid = false): string =>
  codeOf(world.mutate(me, "setXattr", { ino, name: toUtf8(name), value: bytes, mode: "any", killSetgid }));
const remove = (ino: InodeNumber, name: string): string =>
  codeOf(world.mutate(me, "removeXattr", { ino, name: toUtf8(name) }));
const names = (ino: InodeNumber): string[] => (world.tables.inodes.get(ino)?.xattrNames ?? []).map(fromUtf8);
const list = (ino: InodeNumber, name: string): readonly AclEntry[] => {
  const bytes = world.tables.xattrs.get(ino, name);
  assert.ok(bytes, `${name} is there`);
  return parseAcl(bytes);
};
const chmod = (ino: InodeNumber, mode: number): void => {
  world.mutate(me, "setAttributes", { ino, mode, atimeNow: false, mtimeNow: false });
};
const make = (name: string, mode: number, parent: InodeNumber = ROOT_INODE, umask = 0): InodeNumber =>
  openedOf(world.mutate(me, "create", createBody(name, { parent, mode, umask, mustBeNew: true }))).attributes
    .ino;
const modeOf = (ino: InodeNumber): number => world.stat(ino).mode & 0o7777;

describe("an access ACL", () => {
  test("sets the mode, and chmod changes the list", () => {
    const ino = make("f", MODE_FILE | 0o4600);
    assert.equal(set(ino, ACCESS, value("u::rwx,u:7:rwx,g::r-x,m::rw-,o::--x")), "ok");
    assert.equal(modeOf(ino), 0o4761);
    chmod(ino, 0o640);
    assert.deepEqual(list(ino, ACCESS), acl("u::rw-,u:7:rwx,g::r-x,m::r--,o::---"));
    assert.equal(modeOf(ino), 0o640);
  });

  test("that says no more than a mode is kept as the mode", () => {
    const ino = make("f", MODE_FILE | 0o600);
    set(ino, ACCESS, value("u::rwx,u:7:rwx,g::r-x,m::rw-,o::--x"));
    assert.equal(set(ino, ACCESS, value("u::rw-,g::r--,o::r--")), "ok");
    assert.deepEqual([names(ino), modeOf(ino)], [[], 0o644]);
  });

  test("is removed without a change of the mode, also if there is none, and an empty one removes it", () => {
    const ino = make("f", MODE_FILE | 0o600);
    assert.equal(remove(ino, ACCESS), "ok");
    for (const end of [() => remove(ino, ACCESS), () => set(ino, ACCESS, new Uint8Array([2, 0, 0, 0]))]) {
      set(ino, ACCESS, value("u::rwx,u:7:rwx,g::r-x,m::rw-,o::--x"));
      assert.equal(end(), "ok");
      assert.deepEqual([names(ino), modeOf(ino)], [[], 0o761]);
    }
  });

  test("takes set-group-ID away where the kernel says so", () => {
    const ino = make("f", MODE_FILE | 0o2755);
    set(ino, ACCESS, value("u::rwx,g::r-x,o::r-x"));
    assert.equal(modeOf(ino), 0o2755);
    set(ino, ACCESS, value("u::rwx,g::r-x,o::r-x"), true);
    assert.equal(modeOf(ino), 0o755);
  });

  test("that is malformed changes nothing", () => {
    const ino = make("f", MODE_FILE | 0o600);
    set(ino, ACCESS, value("u::rwx,u:7:rwx,g::r-x,m::rw-,o::--x"));
    const before = world.tables.inodes.get(ino);
    assert.equal(set(ino, ACCESS, value("u::rw-,u:7:r--,g::r--,o::---")), "invalid");
    assert.equal(set(ino, ACCESS, new Uint8Array(3)), "invalid");
    assert.deepEqual(world.tables.inodes.get(ino), before);
  });

  test("of a symbolic link is not supported, nor is any other attribute of `system`", () => {
    const body = createBody("l", { mode: MODE_SYMLINK, target: toUtf8("t") });
    const link = openedOf(world.mutate(me, "create", body)).attributes.ino;
    assert.equal(set(link, ACCESS, value("u::rw-,g::r--,o::r--")), "unsupported");
    assert.equal(set(ROOT_INODE, "system.other", new Uint8Array(1)), "unsupported");
    assert.equal(set(ROOT_INODE, "other", new Uint8Array(1)), "unsupported");
    assert.equal(set(ROOT_INODE, "user.", new Uint8Array(1)), "invalid");
  });
});

describe("a default ACL", () => {
  const defaults = "u::rwx,u:7:rw-,g::r-x,m::rwx,o::r-x";

  test("is for directories only, and leaves their mode alone", () => {
    const directory = make("d", MODE_DIRECTORY | 0o700);
    assert.equal(set(directory, DEFAULT, value(defaults)), "ok");
    assert.equal(modeOf(directory), 0o700);
    const file = make("f", MODE_FILE | 0o600);
    assert.equal(set(file, DEFAULT, value(defaults)), "access_denied");
    assert.equal(set(file, DEFAULT, new Uint8Array([2, 0, 0, 0])), "ok");
    assert.equal(remove(file, DEFAULT), "ok");
  });

  test("gives a new file its access ACL and its mode, whatever the umask", () => {
    const directory = make("d", MODE_DIRECTORY | 0o700);
    set(directory, DEFAULT, value(defaults));
    const file = make("f", MODE_FILE | 0o664, directory, 0o077);
    assert.equal(modeOf(file), 0o664);
    assert.deepEqual(list(file, ACCESS), acl("u::rw-,u:7:rw-,g::r-x,m::rw-,o::r--"));
    assert.deepEqual(names(file), [ACCESS]);
  });

  test("is handed down to new directories", () => {
    const directory = make("d", MODE_DIRECTORY | 0o700);
    set(directory, DEFAULT, value(defaults));
    const inner = make("e", MODE_DIRECTORY | 0o777, directory);
    assert.deepEqual(list(inner, DEFAULT), acl(defaults));
    assert.deepEqual(list(inner, ACCESS), acl("u::rwx,u:7:rw-,g::r-x,m::rwx,o::r-x"));
    assert.equal(modeOf(inner), 0o775);
    assert.deepEqual(list(make("g", MODE_DIRECTORY | 0o777, inner), DEFAULT), acl(defaults));
  });

  test("that says no more than a mode gives new files no ACL", () => {
    const directory = make("d", MODE_DIRECTORY | 0o700);
    set(directory, DEFAULT, value("u::rwx,g::r-x,o::---"));
    const file = make("f", MODE_FILE | 0o666, directory, 0o777);
    assert.deepEqual([names(file), modeOf(file)], [[], 0o640]);
  });

  test("is no matter of symbolic links; without one the umask counts", () => {
    const directory = make("d", MODE_DIRECTORY | 0o700);
    set(directory, DEFAULT, value(defaults));
    const target = toUtf8("t");
    const body = createBody("l", { parent: directory, mode: MODE_SYMLINK, umask: 0o777, target });
    assert.equal(openedOf(world.mutate(me, "create", body)).attributes.mode, MODE_SYMLINK | 0o777);
    assert.equal(modeOf(make("f", MODE_FILE | 0o4666, ROOT_INODE, 0o4027)), 0o4640);
    assert.equal(modeOf(make("e", MODE_DIRECTORY | 0o777, ROOT_INODE, 0o022)), 0o755);
  });

  test("goes with its directory", () => {
    const directory = make("d", MODE_DIRECTORY | 0o700);
    set(directory, DEFAULT, value(defaults));
    world.mutate(me, "remove", { parent: ROOT_INODE, name: toUtf8("d"), directory: true });
    assert.deepEqual(world.tables.xattrs.entries(), []);
  });
});
