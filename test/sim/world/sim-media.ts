import { type Prng, storageError } from "../../../src/base/index.js";
import type { DiskSpace } from "../../../src/io/index.js";
import type { SimFile, Survival } from "./sim-file.js";
import type { SimStore } from "./sim-store.js";

/** A directory: its names in memory and on the medium. */
export class SimDirectory {
  readonly type = "directory";
  children = new Map<string, SimNode>();
  durableChildren = new Map<string, SimNode>();
}

export type SimNode = SimFile | SimDirectory | SimStore;

/** A name that appeared, changed or (without node) went away. */
interface NameChange {
  readonly directory: SimDirectory;
  readonly name: string;
  readonly node: SimNode | undefined;
}

/** Name changes that happen together: one, or the two of a rename. */
export type NameOperation = readonly NameChange[];

/**
 * The medium of a host: a tree of files, directories and ordered stores, with room for a number of bytes. It
 * outlives every process and every boot.
 *
 * Fault model of names: creating, renaming and removing survive the process at once. Loss of power keeps, in each
 * directory, the operations up to a random moment and undoes the later ones; a rename across two directories is
 * kept or undone in both. `syncDirectory` makes durable what was done in that directory, and what it depends on.
 */
export class SimMedia {
  readonly root = new SimDirectory();
  capacityBytes: number;
  /** Name operations that are not durable, oldest first. */
  #operations = new Set<NameOperation>();

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
  }

  find(path: string): SimNode | undefined {
    let node: SimNode | undefined = this.root;
    for (const name of namesOf(path)) {
      if (node?.type !== "directory") return undefined;
      node = node.children.get(name);
    }
    return node;
  }

  findDirectory(path: string, what: string): SimDirectory {
    const node = this.find(path);
    if (node === undefined) throw storageError("not_found", `${what} ${path}: ENOENT`);
    if (node.type !== "directory") throw storageError("io_error", `${what} ${path}: ENOTDIR`);
    return node;
  }

  findFile(path: string, what: string): SimFile {
    const node = this.find(path);
    if (node === undefined) throw storageError("not_found", `${what} ${path}: ENOENT`);
    if (node.type !== "file") throw storageError("io_error", `${what} ${path}: EISDIR`);
    return node;
  }

  /** The directory that holds the name, and the name. */
  placeOf(path: string, what: string): { directory: SimDirectory; name: string } {
    const names = namesOf(path);
    const name = names.pop();
    if (name === undefined) throw storageError("io_error", `${what} ${path}: EBUSY`);
    return { directory: this.findDirectory(`/${names.join("/")}`, what), name };
  }

  change(operation: NameOperation): void {
    for (const { directory, name, node } of operation) setOrDelete(directory.children, name, node);
    this.#operations.add(operation);
  }

  /** What a sync of that directory has to make durable, oldest first. */
  operationsOf(directory: SimDirectory): readonly NameOperation[] {
    const directories = new Set([directory]);
    const found: NameOperation[] = [];
    for (const operation of [...this.#operations].reverse()) {
      if (!operation.some((change) => directories.has(change.directory))) continue;
      for (const change of operation) directories.add(change.directory);
      found.push(operation);
    }
    return found.reverse();
  }

  makeDurable(operations: readonly NameOperation[]): void {
    for (const operation of operations) {
      // Another sync of the directory may have been faster.
      if (this.#operations.delete(operation)) keep(operation);
    }
  }

  /** Makes missing directories, durable at once. */
  makeDirectory(path: string): void {
    let directory = this.root;
    for (const name of namesOf(path)) {
      const child = directory.children.get(name) ?? new SimDirectory();
      if (child.type !== "directory") throw storageError("io_error", `mkdir ${path}: ENOTDIR`);
      if (!directory.children.has(name)) {
        this.change([{ directory, name, node: child }]);
        this.makeDurable(this.operationsOf(directory));
      }
      directory = child;
    }
  }

  /** Fails when there is no room for that many more bytes. */
  reserve(bytes: number, what: string): void {
    if (bytes > 0 && bytes > this.space().freeBytes) throw storageError("no_space", `${what}: ENOSPC`);
  }

  space(): DiskSpace {
    const totalBytes = this.capacityBytes;
    if (totalBytes === Number.POSITIVE_INFINITY) return { totalBytes: 2 ** 50, freeBytes: 2 ** 49 };
    return { totalBytes, freeBytes: Math.max(0, totalBytes - usedBytes(this.root)) };
  }

  /** Another disk, empty, is put in its place. Nothing may have it open. */
  wipe(): void {
    this.root.children = new Map();
    this.root.durableChildren = new Map();
    this.#operations.clear();
  }

  losePower(prng: Prng): void {
    const survival: Survival = prng.pick(["all", "none", "some", "some"]);
    const cut = new Set<SimDirectory>();
    for (const operation of this.#operations) {
      const isKept =
        survival === "all" ||
        (survival === "some" && !operation.some(({ directory }) => cut.has(directory)) && prng.chance(0.7));
      if (isKept) keep(operation);
      else for (const { directory } of operation) cut.add(directory);
    }
    this.#operations.clear();
    loseBelow(this.root, survival, prng);
  }

  /** Flips one bit of a file or of a value of a store, behind everybody's back; false when it is empty. */
  rot(path: string, prng: Prng): boolean {
    const node = this.find(path);
    return node !== undefined && node.type !== "directory" && node.rot(prng);
  }

  /** Undoes the rot of a file where it was not written since. */
  mend(path: string): void {
    const node = this.find(path);
    if (node?.type === "file") node.mend();
  }

  /** The paths of all files and stores below a directory, sorted. */
  paths(below = "/"): string[] {
    const node = this.find(below);
    if (node?.type !== "directory") return node === undefined ? [] : [below];
    const prefix = below === "/" ? "" : below;
    return [...node.children.keys()].sort().flatMap((name) => this.paths(`${prefix}/${name}`));
  }
}

function keep(operation: NameOperation): void {
  for (const { directory, name, node } of operation) setOrDelete(directory.durableChildren, name, node);
}

function loseBelow(directory: SimDirectory, survival: Survival, prng: Prng): void {
  directory.children = new Map(directory.durableChildren);
  for (const child of directory.children.values()) {
    if (child.type === "directory") loseBelow(child, survival, prng);
    else child.losePower(survival, prng);
  }
}

function usedBytes(directory: SimDirectory): number {
  let total = 0;
  for (const child of directory.children.values()) {
    if (child.type === "directory") total += usedBytes(child);
    else total += child.type === "file" ? child.allocatedBytes : child.sizeBytes;
  }
  return total;
}

function setOrDelete(names: Map<string, SimNode>, name: string, node: SimNode | undefined): void {
  if (node === undefined) names.delete(name);
  else names.set(name, node);
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "" && name !== ".");
}
