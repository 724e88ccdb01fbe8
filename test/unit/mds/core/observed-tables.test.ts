import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { Prng, toLatin1, toUtf8 } from "../../../../src/base/index.js";
import type { Change } from "../../../../src/mds/core/command.js";
import { observedTables } from "../../../../src/mds/core/observed-tables.js";
import { apply } from "../../../../src/mds/core/state-machine.js";
import {
  type InodeNumber,
  type InvalidItem,
  ROOT_INODE,
  type SessionId,
} from "../../../../src/meta/index.js";
import { CoreWorld } from "./core-world.js";

const NAMES = ["a", "b", "c"].map(toUtf8);

/** Commands applied to observed tables, and what was noted. */
class Observed {
  readonly world = new CoreWorld();
  readonly ann = this.world.session();
  readonly bob = this.world.session();
  noted: InvalidItem[] = [];
  readonly #tables = observedTables(this.world.tables, (item) => this.noted.push(item));

  apply(change: Change): void {
    this.noted = [];
    this.world.stampMs += 1000;
    apply(this.#tables, { stampMs: this.world.stampMs, change });
  }

  /** Everything that a client may be told of names and inodes, as text by what would have to be noted. */
  picture(): Map<string, string> {
    const { inodes, dentries, xattrs } = this.world.tables.dump();
    const picture = new Map<string, string>();
    // Nobody keeps the version of the data but together with a lease.
    for (const [[ino], value] of inodes ?? [])
      picture.set(
        `inode ${ino}`,
        JSON.stringify(value, (key, part) => (key === "dataVersion" ? undefined : part)),
      );
    for (const [[ino, name], value] of dentries ?? []) picture.set(`${ino}/${name}`, JSON.stringify(value));
    for (const [[ino], value] of xattrs ?? [])
      picture.set(`inode ${ino}`, `${picture.get(`inode ${ino}`)} ${JSON.stringify(value)}`);
    return picture;
  }

  notes(): Set<string> {
    return new Set(
      this.noted.map(({ kind, ino, name }) =>
        kind === "entry" ? `${ino}/${toLatin1(name)}` : `inode ${ino}`,
      ),
    );
  }
}

function draw(prng: Prng, { world, ann, bob }: Observed): Change {
  const who = prng.pick([ann, bob]);
  const name = prng.pick(NAMES);
  const ino = prng.between(2, 8) as InodeNumber;
  const none = new Uint8Array(0);
  const file = {
    uid: 0,
    gid: 0,
    rdev: 0,
    target: none,
    mustBeNew: false,
    mode: 0o100644,
    parent: ROOT_INODE,
  };
  const mtime = { seconds: prng.below(100), nanos: 0 };
  const draws: (() => Change)[] = [
    () =>
      world.next(who, "create", { ...file, name, ...(prng.chance(0.5) ? { open: "write" as const } : {}) }),
    () => world.next(who, "link", { ino, parent: ROOT_INODE, name }),
    () => world.next(who, "remove", { parent: ROOT_INODE, name, directory: false }),
    () =>
      world.next(who, "rename", {
        fromParent: ROOT_INODE,
        fromName: name,
        toParent: ROOT_INODE,
        toName: prng.pick(NAMES),
        mode: prng.pick(["replace", "exchange"]),
      }),
    () => world.next(who, "setAttributes", { ino, mode: 0o600, atimeNow: false, mtimeNow: true }),
    () => world.next(who, "setXattr", { ino, name: toUtf8("user.x"), value: prng.bytes(2), mode: "any" }),
    () => world.next(who, "removeXattr", { ino, name: toUtf8("user.x") }),
    () => world.next(who, "truncate", { ino, sizeBytes: prng.below(1000) }),
    () => world.next(who, "setStorage", { ino, tier: prng.below(4) }),
    () => world.next(who, "open", { ino, access: prng.pick(["read", "write"]) }),
    () => world.next(who, "close", { ino, access: prng.pick(["read", "write"]) }),
    () => {
      const leaseSequence = world.tables.opens.get(ino, who)?.leaseSequence ?? 0;
      return world.next(who, "reportFile", { ino, leaseSequence, sizeBytes: prng.below(2000), mtime });
    },
  ];
  return prng.pick(draws)();
}

describe("observed tables", () => {
  test("no change of a name or an inode goes unnoticed", () => {
    let changes = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const prng = new Prng(seed);
      const observed = new Observed();
      for (let i = 0; i < 150; i++) {
        const before = observed.picture();
        observed.apply(draw(prng, observed));
        const after = observed.picture();
        const notes = observed.notes();
        for (const key of new Set([...before.keys(), ...after.keys()])) {
          if (before.get(key) === after.get(key)) continue;
          // Nobody was told anything of an inode that did not exist.
          if (key.startsWith("inode") && !before.has(key)) continue;
          changes++;
          assert(notes.has(key), `${key} changed unnoticed`);
        }
      }
    }
    assert(changes > 500, `a test that changes nothing tests nothing: ${changes}`);
  });

  test("who gets a file for itself changes it for all others", () => {
    const observed = new Observed();
    const { world, ann } = observed;
    const { ino } = world.create(observed.bob, "f").attributes;
    observed.apply(opening(world, ann, ino));
    assert.equal(world.tables.opens.get(ino, ann)?.lease, "exclusive");
    assert.deepEqual([...observed.notes()], [`inode ${ino}`]);
  });
});

const opening = (world: CoreWorld, session: SessionId, ino: InodeNumber): Change =>
  world.next(session, "open", { ino, access: "write" });
