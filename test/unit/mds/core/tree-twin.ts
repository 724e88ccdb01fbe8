import type { FailureCode } from "../../../../src/base/index.js";
import type { InodeNumber, Rename } from "../../../../src/meta/index.js";

export type Kind = "file" | "directory" | "symlink";
type Code = FailureCode | "ok";

export interface TwinNode {
  readonly ino: InodeNumber;
  readonly kind: Kind;
  readonly entries: Map<string, TwinNode>;
  size: number;
  openCount: number;
}

/**
 * A file system as dumb as can be: nodes that refer to nodes. Links are counted and parents found by walking the whole
 * tree each time.
 */
export class TreeTwin {
  readonly root: TwinNode;

  constructor(rootIno: InodeNumber) {
    this.root = { ino: rootIno, kind: "directory", entries: new Map(), size: 0, openCount: 0 };
  }

  create(parent: TwinNode, name: string, kind: Kind, ino: () => InodeNumber, size = 0): Code {
    const refused = this.#refusesEntries(parent);
    if (refused !== undefined) return refused;
    if (parent.entries.has(name)) return "exists";
    parent.entries.set(name, { ino: ino(), kind, entries: new Map(), size, openCount: 0 });
    return "ok";
  }

  link(node: TwinNode, parent: TwinNode, name: string): Code {
    const refused = this.#refusesEntries(parent) ?? (this.isGone(node) ? "not_found" : undefined);
    if (refused !== undefined) return refused;
    if (parent.entries.has(name)) return "exists";
    if (node.kind === "directory") return "not_permitted";
    if (this.linkCount(node) === 0) return "not_found";
    parent.entries.set(name, node);
    return "ok";
  }

  remove(parent: TwinNode, name: string, directory: boolean): Code {
    const refused = this.#refusesEntries(parent);
    if (refused !== undefined) return refused;
    const node = parent.entries.get(name);
    if (node === undefined) return "not_found";
    if (node.kind === "directory" && !directory) return "is_directory";
    if (node.kind !== "directory" && directory) return "not_directory";
    if (node.entries.size > 0) return "not_empty";
    parent.entries.delete(name);
    return "ok";
  }

  rename(from: TwinNode, fromName: string, to: TwinNode, toName: string, mode: Rename["mode"]): Code {
    const refused = this.#refusesEntries(from) ?? this.#refusesEntries(to);
    if (refused !== undefined) return refused;
    const source = from.entries.get(fromName);
    const target = to.entries.get(toName);
    if (source === undefined) return "not_found";
    if (this.#contains(source, to)) return "invalid";
    if (mode === "exchange") {
      if (target === undefined) return "not_found";
      if (this.#contains(target, from)) return "invalid";
      from.entries.set(fromName, target);
      to.entries.set(toName, source);
      return "ok";
    }
    if (target !== undefined && mode === "no_replace") return "exists";
    if (target === source) return "ok";
    if (target !== undefined) {
      if (source.kind === "directory" && target.kind !== "directory") return "not_directory";
      if (source.kind !== "directory" && target.kind === "directory") return "is_directory";
      if (target.entries.size > 0) return "not_empty";
    }
    from.entries.delete(fromName);
    to.entries.set(toName, source);
    return "ok";
  }

  /** Every name there is, with what it stands for and where. */
  *names(): Generator<{ readonly parent: TwinNode; readonly name: string; readonly node: TwinNode }> {
    const directories = [this.root];
    for (let parent = directories.pop(); parent !== undefined; parent = directories.pop()) {
      for (const [name, node] of parent.entries) {
        yield { parent, name, node };
        if (node.kind === "directory") directories.push(node);
      }
    }
  }

  linkCount(node: TwinNode): number {
    if (node.kind === "directory") {
      return 2 + [...node.entries.values()].filter(({ kind }) => kind === "directory").length;
    }
    return [...this.names()].filter((entry) => entry.node === node).length;
  }

  /** It has no name and is not open. */
  isGone(node: TwinNode): boolean {
    if (node === this.root || node.openCount > 0) return false;
    return ![...this.names()].some((entry) => entry.node === node);
  }

  #refusesEntries(parent: TwinNode): Code | undefined {
    if (this.isGone(parent)) return "not_found";
    return parent.kind === "directory" ? undefined : "not_directory";
  }

  #contains(node: TwinNode, other: TwinNode): boolean {
    if (node === other) return true;
    return [...node.entries.values()].some((child) => this.#contains(child, other));
  }
}
