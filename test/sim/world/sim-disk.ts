import { type Prng, storageError } from "../../../src/base/index.js";
import type { Disk, DiskFile, DiskSpace, Kv } from "../../../src/io/index.js";
import type { DiskCall, DiskOperations } from "./disk-operations.js";
import { SimDiskFile } from "./sim-disk-file.js";
import { SimFile } from "./sim-file.js";
import { SimKv } from "./sim-kv.js";
import type { NameOperation } from "./sim-media.js";
import { SimStore } from "./sim-store.js";

/**
 * The disk as one life of a process sees it; what it keeps is in `SimMedia`.
 *
 * Fault model: every call takes its time, calls that are not waited for overtake each other, and a rule may make
 * any label fail, hang, or be the moment of death (`DiskFaults`). A failed call may have done a part of its work. What
 * was under way when the process died happened wholly, partly or not at all; the caller never hears of it. What a
 * loss of power leaves is told in `SimFile`, `SimStore` and `SimMedia`.
 */
export class SimDisk implements Disk {
  readonly #operations: DiskOperations;
  readonly #bootId: string;

  constructor(operations: DiskOperations, bootId: string) {
    this.#operations = operations;
    this.#bootId = bootId;
  }

  open(path: string, mode: "read" | "read-write" | "create", label: string): Promise<DiskFile> {
    const { media } = this.#operations;
    return this.#name(`open ${path}`, label, () => {
      if (mode === "create" && media.find(path) === undefined) {
        const { directory, name } = media.placeOf(path, "open");
        media.change([{ directory, name, node: new SimFile() }]);
      }
      return new SimDiskFile(this.#operations, media.findFile(path, "open"), path, mode !== "read");
    });
  }

  readFile(path: string, label: string): Promise<Uint8Array> {
    const { media } = this.#operations;
    const complete = (): Uint8Array => {
      const file = media.findFile(path, "read");
      const bytes = new Uint8Array(file.sizeBytes);
      file.read(bytes, 0);
      return bytes;
    };
    return this.#operations.call({ operation: "read", what: `read ${path}`, labels: [label], complete });
  }

  replaceFile(path: string, bytes: Uint8Array, label: string, _mode?: number): Promise<void> {
    const { media } = this.#operations;
    const content = Uint8Array.from(bytes);
    const complete = (): void => {
      const { directory } = media.placeOf(path, "replace");
      this.#putDurable(path, content);
      media.makeDurable(media.operationsOf(directory));
    };
    const call: DiskCall<void> = {
      operation: "sync",
      what: `replace ${path}`,
      labels: [label],
      bytes: bytes.length,
      complete,
      breakOff: (prng) => this.#breakOffReplace(path, content, prng),
    };
    return this.#operations.call(call);
  }

  makeDirectory(path: string, label: string): Promise<void> {
    return this.#name(`mkdir ${path}`, label, () => this.#operations.media.makeDirectory(path));
  }

  list(path: string, label: string): Promise<string[]> {
    const { media } = this.#operations;
    const complete = (): string[] => {
      const node = media.find(path);
      // A store is a directory of files of its own making.
      if (node instanceof SimStore) return ["CURRENT"];
      return [...media.findDirectory(path, "list").children.keys()].sort();
    };
    return this.#operations.call({ operation: "read", what: `list ${path}`, labels: [label], complete });
  }

  remove(path: string, label: string): Promise<void> {
    const { media } = this.#operations;
    return this.#name(`remove ${path}`, label, () => {
      const node = media.find(path);
      if (node === undefined) return;
      const isFull = node.type === "store" || (node.type === "directory" && node.children.size > 0);
      if (isFull) throw storageError("io_error", `remove ${path}: ENOTEMPTY`);
      media.change([{ ...media.placeOf(path, "remove"), node: undefined }]);
    });
  }

  rename(from: string, to: string, label: string): Promise<void> {
    const { media } = this.#operations;
    return this.#name(`rename ${from} to ${to}`, label, () => {
      const node = media.find(from);
      if (node === undefined) throw storageError("not_found", `rename ${from}: ENOENT`);
      if (node === media.find(to)) return;
      const operation: NameOperation = [
        { ...media.placeOf(from, "rename"), node: undefined },
        { ...media.placeOf(to, "rename"), node },
      ];
      const replaced = media.find(to);
      if (replaced !== undefined && (replaced.type !== "file" || node.type !== "file")) {
        throw storageError("io_error", `rename ${from} to ${to}: ENOTEMPTY`);
      }
      media.change(operation);
    });
  }

  syncDirectory(path: string, label: string): Promise<void> {
    const { media } = this.#operations;
    const what = `sync ${path}`;
    let pending: readonly NameOperation[] = [];
    const node = media.find(path);
    if (node?.type === "directory") pending = media.operationsOf(node);
    const complete = (): void => {
      media.findDirectory(path, "sync");
      media.makeDurable(pending);
    };
    return this.#operations.call({ operation: "sync", what, labels: [label], complete });
  }

  space(path: string, label: string): Promise<DiskSpace> {
    const { media } = this.#operations;
    const complete = (): DiskSpace => {
      if (media.find(path) === undefined) throw storageError("not_found", `statfs ${path}: ENOENT`);
      return media.space();
    };
    return this.#operations.call({ operation: "read", what: `statfs ${path}`, labels: [label], complete });
  }

  openKv(path: string, label: string): Promise<Kv> {
    const { media, process } = this.#operations;
    return this.#name(`open store ${path}`, label, () => {
      const store = this.#obtainStore(path);
      if (store.owner?.isAlive) throw storageError("io_error", `open store ${path}: LEVEL_LOCKED`);
      store.owner = process;
      media.makeDurable(media.operationsOf(media.placeOf(path, "open").directory));
      return new SimKv(this.#operations, store, path);
    });
  }

  bootId(): string {
    return this.#bootId;
  }

  #name<T>(what: string, label: string, complete: () => T): Promise<T> {
    return this.#operations.call({ operation: "name", what, labels: [label], complete });
  }

  #obtainStore(path: string): SimStore {
    const { media } = this.#operations;
    const found = media.find(path);
    if (found instanceof SimStore) return found;
    if (found?.type === "file" || (found?.type === "directory" && found.children.size > 0)) {
      throw storageError("io_error", `open store ${path}: not a store`);
    }
    const store = new SimStore();
    const parent = path.slice(0, path.lastIndexOf("/"));
    media.makeDirectory(parent);
    media.change([{ ...media.placeOf(path, "open"), node: store }]);
    return store;
  }

  #putDurable(path: string, content: Uint8Array): void {
    const { media, process } = this.#operations;
    media.reserve(content.length, `replace ${path}`);
    const place = media.placeOf(path, "replace");
    media.change([{ ...place, node: SimFile.durable(content, process.prng) }]);
  }

  /** A temporary file with a part of the content, or the new file under a name that is not durable. */
  #breakOffReplace(path: string, content: Uint8Array, prng: Prng): void {
    if (prng.chance(0.5)) {
      this.#putDurable(path, content);
      return;
    }
    const { media } = this.#operations;
    const file = new SimFile();
    file.write(content.subarray(0, prng.between(0, content.length)), 0, prng);
    media.change([{ ...media.placeOf(`${path}.tmp`, "replace"), node: file }]);
  }
}
