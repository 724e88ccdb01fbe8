import { describe, expect, test } from "vitest";
import { Prng, toLatin1, toUtf8 } from "../../../../src/base/index.js";
import { differsFrom } from "../../../../src/client/core/early-check.js";
import { type Prediction, predict } from "../../../../src/client/core/early-predictions.js";
import { MetadataCache } from "../../../../src/client/core/metadata-cache.js";
import { NumberRanges } from "../../../../src/client/core/number-ranges.js";
import type { Outcome } from "../../../../src/mds/core/command.js";
import { withInline } from "../../../../src/mds/core/inline-contents.js";
import {
  type InodeNumber,
  type MetadataMutation,
  MODE_DIRECTORY,
  MODE_FIFO,
  MODE_FILE,
  MODE_SYMLINK,
  type MutationId,
  ROOT_INODE,
  type SessionId,
} from "../../../../src/meta/index.js";
import { CoreWorld, codeOf } from "../../mds/core/core-world.js";

const NO_ID: MutationId = { sequence: 0, answeredBelow: 0, unanswered: [] };
const NAMES = ["a", "b", "c", "d", "e", "f"].map(toUtf8);
const ODD_NAMES = [new Uint8Array(0), toUtf8("."), toUtf8(".."), toUtf8("x/y"), new Uint8Array(256).fill(97)];
const TYPES = [MODE_FILE, MODE_FILE, MODE_FILE, MODE_DIRECTORY, MODE_SYMLINK, MODE_FIFO];
const MODES = [0o644, 0o755, 0o2775, 0o4755, 0o6711, 0o1777];

/** A client that has been told nothing but that it is alone, and the state machine that it foretells. */
class Foreteller {
  readonly world = new CoreWorld();
  readonly cache = new MetadataCache();
  readonly session: SessionId;
  foretold = 0;
  readonly #numbers = new NumberRanges();
  readonly #prng: Prng;
  #stampMs = 1_800_000_000_000;
  #sequence = 1;

  constructor(seed: number) {
    this.#prng = new Prng(seed);
    this.session = this.world.session();
    const asked = this.cache.ask();
    this.cache.keepAttributes(asked, this.world.stat(ROOT_INODE));
    this.cache.keepSole(asked, [ROOT_INODE]);
    this.cache.answered();
    const { outcome } = this.#carryOut({ type: "reserveNumbers", body: { id: NO_ID, count: 500 } });
    if (outcome.type !== "reply" || outcome.reply.type !== "numbers") throw new Error("numbers are reserved");
    this.#numbers.add(outcome.reply.body);
  }

  /** One mutation; undefined if it is not foretold, and so not carried out. */
  step(mutation: MetadataMutation): Prediction | undefined {
    this.#stampMs += this.#prng.between(0, 5) + this.#prng.float();
    const { cache } = this;
    const view = {
      isSole: (ino: InodeNumber) => cache.isSole(ino),
      attributes: (ino: InodeNumber) => cache.attributes(ino),
      entry: (directory: InodeNumber, name: Uint8Array) => cache.entry(directory, name, 0),
    };
    const prediction = predict(view, mutation, this.#numbers.next, this.#stampMs);
    if (prediction === undefined) return undefined;
    this.foretold++;
    if (prediction.created !== undefined) this.#numbers.use();
    cache.foretell(prediction, 0);
    const { outcome } = this.#carryOut(prediction.make({ ...NO_ID, stampMs: this.#stampMs }));
    cache.confirm(prediction);
    this.#compare(prediction, outcome);
    return prediction;
  }

  draw(): MetadataMutation {
    const prng = this.#prng;
    const directories = [...this.#inodes(MODE_DIRECTORY)];
    const parent = prng.pick([ROOT_INODE, ...directories]);
    const name = prng.chance(0.05) ? prng.pick(ODD_NAMES) : prng.pick(NAMES);
    const roll = prng.float();
    if (roll < 0.5) return this.#drawCreate(parent, name);
    if (roll < 0.75) {
      return { type: "remove", body: { id: NO_ID, parent, name, directory: prng.chance(0.3) } };
    }
    return this.#drawSetAttributes();
  }

  *#inodes(type: number): Generator<InodeNumber> {
    for (const { ino, mode } of this.world.tables.inodes.values()) if ((mode & 0o170000) === type) yield ino;
  }

  #maybe<T>(items: readonly T[]): T | undefined {
    return this.#prng.chance(0.5) ? this.#prng.pick(items) : undefined;
  }

  #drawCreate(parent: InodeNumber, name: Uint8Array): MetadataMutation {
    const prng = this.#prng;
    const type = prng.pick(TYPES);
    const open = type === MODE_FILE ? this.#maybe(["read", "write", "exclusive"] as const) : undefined;
    const target = type === MODE_SYMLINK ? toUtf8("somewhere") : new Uint8Array(0);
    const mode = type | prng.pick(MODES);
    const owner = { uid: prng.between(0, 3), gid: prng.between(0, 3), rdev: 0 };
    const umask = this.#maybe([0o22, 0o777]);
    return {
      type: "create",
      body: { id: NO_ID, parent, name, mode, ...owner, target, open, umask, mustBeNew: prng.chance(0.5) },
    };
  }

  #drawSetAttributes(): MetadataMutation {
    const prng = this.#prng;
    const ino = prng.pick([...this.world.tables.inodes.values()].map((inode) => inode.ino));
    const accessed = prng.chance(0.2) ? true : undefined;
    if (prng.chance(0.1))
      return { type: "setAttributes", body: { id: NO_ID, ino, atimeNow: false, mtimeNow: false, accessed } };
    const time = { seconds: prng.between(-5, 5), nanos: prng.between(0, 999_999_999) };
    const body = {
      id: NO_ID,
      ino,
      mode: this.#maybe(MODES),
      uid: this.#maybe([7]),
      gid: this.#maybe([8]),
      atime: this.#maybe([time]),
      mtime: this.#maybe([time]),
      atimeNow: prng.chance(0.3),
      mtimeNow: prng.chance(0.3),
      killPrivileges: this.#maybe([true] as const),
    };
    return { type: "setAttributes", body };
  }

  #carryOut(mutation: MetadataMutation): { outcome: Outcome } {
    const sequence = this.#sequence++;
    const id = { ...mutation.body.id, sequence, answeredBelow: sequence };
    const numbered = { ...mutation, body: { ...mutation.body, id } } as MetadataMutation;
    return this.world.apply({ type: "mutate", body: { sessionId: this.session, mutation: numbered } });
  }

  #compare({ reply, inodes, gone, names }: Prediction, outcome: Outcome): void {
    const { tables } = this.world;
    expect(codeOf(outcome)).toBe("ok");
    if (outcome.type !== "reply") return;
    const told = withInline(tables, this.session, outcome.reply);
    expect(told).toEqual(reply);
    expect(differsFrom(reply, told)).toBeUndefined();
    for (const attributes of inodes) {
      expect(this.world.stat(attributes.ino)).toEqual(attributes);
      expect(this.cache.attributes(attributes.ino)).toEqual(attributes);
    }
    for (const ino of gone) {
      expect(tables.inodes.get(ino)?.linkCount ?? 0).toBe(0);
      expect(this.cache.attributes(ino)).toBeUndefined();
    }
    for (const { directory, name, ino } of names) {
      expect(tables.dentries.get(directory, toLatin1(name))?.ino ?? null).toBe(ino);
    }
  }
}

describe("what is answered early", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("is what the state machine makes of it (seed %i)", (seed) => {
    const foreteller = new Foreteller(seed);
    for (let i = 0; i < 400; i++) foreteller.step(foreteller.draw());
    expect(foreteller.foretold).toBeGreaterThan(90);
  });

  test("is nothing that others know, nor anything in a directory that may have a default ACL", () => {
    const foreteller = new Foreteller(1);
    const { cache } = foreteller;
    const make = (parent: InodeNumber): MetadataMutation => ({
      type: "create",
      body: {
        id: NO_ID,
        parent,
        name: toUtf8("new"),
        mode: MODE_FILE | 0o644,
        uid: 0,
        gid: 0,
        rdev: 0,
        target: new Uint8Array(0),
        mustBeNew: true,
      },
    });
    const asked = cache.ask();
    cache.keepAttributes(asked, { ...foreteller.world.stat(ROOT_INODE), noXattrs: false });
    expect(foreteller.step(make(ROOT_INODE))).toBeUndefined();
    cache.keepAttributes(asked, foreteller.world.stat(ROOT_INODE));
    expect(cache.invalidate([{ kind: "sole", ino: ROOT_INODE, name: new Uint8Array(0) }])).toBe(true);
    expect(cache.attributes(ROOT_INODE)).toBeDefined();
    expect(foreteller.step(make(ROOT_INODE))).toBeUndefined();
    // An answer from before that does not make it so again.
    cache.keepSole(asked, [ROOT_INODE]);
    expect(foreteller.step(make(ROOT_INODE))).toBeUndefined();
  });
});
