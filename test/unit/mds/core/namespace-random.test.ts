import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { Prng, toUtf8 } from "../../../../src/base/index.js";
import {
  type InodeNumber,
  MODE_DIRECTORY,
  MODE_FILE,
  MODE_SYMLINK,
  ROOT_INODE,
  type SessionId,
} from "../../../../src/meta/index.js";
import { CoreWorld, codeOf, createBody } from "./core-world.js";
import { type Kind, TreeTwin, type TwinNode } from "./tree-twin.js";

const NAMES = ["a", "b", "c", "d", "e"];
const MODES: Readonly<Record<Kind, number>> = {
  file: MODE_FILE | 0o644,
  directory: MODE_DIRECTORY | 0o755,
  symlink: MODE_SYMLINK | 0o777,
};

/** The state machine and the twin side by side, doing the same random things. */
class Pair {
  readonly world = new CoreWorld();
  readonly twin = new TreeTwin(ROOT_INODE);
  readonly #random: Prng;
  readonly #me: SessionId;
  /** Everything that ever was, dead or alive. */
  readonly #nodes: TwinNode[];

  constructor(seed: number) {
    this.#random = new Prng(seed);
    this.#me = this.world.session();
    this.#nodes = [this.twin.root];
  }

  step(): void {
    const steps = [
      () => this.#create(),
      () => this.#create(),
      () => this.#link(),
      () => this.#remove(),
      () => this.#rename(),
      () => this.#rename(),
      () => this.#truncate(),
      () => this.#open(),
      () => this.#close(),
    ];
    this.#random.pick(steps)();
  }

  /** Same names, kinds, links, sizes and parents; and no inode or name that the twin does not have. */
  compare(): void {
    const { tables } = this.world;
    const names = [...this.twin.names()];
    for (const { parent, name, node } of names) {
      assert.equal(tables.dentries.get(parent.ino, name)?.ino, node.ino);
      if (node.kind === "directory") assert.equal(this.world.lookup(node.ino, "..").ino, parent.ino);
    }
    assert.equal(tables.dentries.entries().length, names.length);
    const alive = this.#nodes.filter((node) => !this.twin.isGone(node));
    for (const node of alive) this.#compareNode(node);
    assert.equal(tables.inodes.entries().length, alive.length);
    assert.equal(tables.totals.get()?.inodeCount, alive.length);
    const files = alive.filter(({ kind }) => kind === "file");
    assert.equal(tables.totals.get()?.fileCount, files.length);
    assert.equal(
      tables.totals.get()?.sizeBytes,
      files.reduce((sum, { size }) => sum + size, 0),
    );
  }

  #compareNode(node: TwinNode): void {
    const { mode, linkCount, sizeBytes } = this.world.stat(node.ino);
    assert.equal(mode, MODES[node.kind]);
    assert.equal(linkCount, this.twin.linkCount(node));
    assert.equal(sizeBytes, node.kind === "directory" ? node.entries.size : node.size);
  }

  #create(): void {
    const kind = this.#random.pick<Kind>(["file", "directory", "directory", "symlink"]);
    const parent = this.#node("directory");
    const name = this.#random.pick(NAMES);
    const target = kind === "symlink" ? toUtf8("somewhere") : new Uint8Array(0);
    const body = { parent: parent.ino, mode: MODES[kind], mustBeNew: true, target };
    const outcome = this.world.mutate(this.#me, "create", createBody(name, body));
    const newIno = (): InodeNumber =>
      outcome.type === "reply" && outcome.reply.type === "opened"
        ? outcome.reply.body.attributes.ino
        : (0 as InodeNumber);
    const code = this.twin.create(parent, name, kind, newIno, target.length);
    assert.equal(codeOf(outcome), code);
    const node = parent.entries.get(name);
    if (code === "ok" && node !== undefined) this.#nodes.push(node);
  }

  #link(): void {
    const node = this.#node("file");
    const parent = this.#node("directory");
    const name = this.#random.pick(NAMES);
    const body = { ino: node.ino, parent: parent.ino, name: toUtf8(name) };
    assert.equal(codeOf(this.world.mutate(this.#me, "link", body)), this.twin.link(node, parent, name));
  }

  #remove(): void {
    const parent = this.#node("directory");
    const name = this.#random.pick(NAMES);
    const directory = this.#random.chance(0.5);
    const body = { parent: parent.ino, name: toUtf8(name), directory };
    const expected = this.twin.remove(parent, name, directory);
    assert.equal(codeOf(this.world.mutate(this.#me, "remove", body)), expected);
  }

  #rename(): void {
    const [from, to] = [this.#node("directory"), this.#node("directory")];
    const [fromName, toName] = [this.#random.pick(NAMES), this.#random.pick(NAMES)];
    const mode = this.#random.pick(["replace", "replace", "no_replace", "exchange"] as const);
    const names = { fromName: toUtf8(fromName), toName: toUtf8(toName) };
    const body = { fromParent: from.ino, toParent: to.ino, ...names, mode };
    const expected = this.twin.rename(from, fromName, to, toName, mode);
    assert.equal(codeOf(this.world.mutate(this.#me, "rename", body)), expected);
  }

  #truncate(): void {
    const node = this.#node("file");
    if (node.kind !== "file") return;
    const sizeBytes = this.#random.below(1e6);
    const code = codeOf(this.world.mutate(this.#me, "truncate", { ino: node.ino, sizeBytes }));
    assert.equal(code, this.twin.isGone(node) ? "not_found" : "ok");
    node.size = sizeBytes;
  }

  #open(): void {
    const node = this.#node("file");
    if (node.kind !== "file") return;
    const code = codeOf(this.world.mutate(this.#me, "open", { ino: node.ino, access: "write" }));
    assert.equal(code, this.twin.isGone(node) ? "not_found" : "ok");
    if (code === "ok") node.openCount += 1;
  }

  #close(): void {
    const open = this.#nodes.filter(({ openCount }) => openCount > 0);
    if (open.length === 0) return;
    const node = this.#random.pick(open);
    assert.equal(codeOf(this.world.mutate(this.#me, "close", { ino: node.ino, access: "write" })), "ok");
    node.openCount -= 1;
  }

  /** Mostly of that kind and young, now and then anything. */
  #node(kind: Kind): TwinNode {
    const candidates = this.#nodes.filter((node) => node.kind === kind);
    if (candidates.length === 0 || this.#random.chance(0.05)) return this.#random.pick(this.#nodes);
    return this.#random.chance(0.7)
      ? this.#random.pick(candidates.slice(-12))
      : this.#random.pick(candidates);
  }
}

describe("random operations on names", () => {
  test.each([1, 2, 3, 4, 5, 6])(
    "give the same tree and the same failures as a dumb twin (seed %i)",
    (seed) => {
      const pair = new Pair(seed);
      for (let i = 0; i < 1500; i++) {
        pair.step();
        if (i % 25 === 0) pair.compare();
      }
      pair.compare();
    },
  );
});
