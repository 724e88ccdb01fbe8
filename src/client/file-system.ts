import { failureOf, fromUtf8, storageError, toUtf8 } from "../base/index.js";
import {
  type Access,
  type Attributes,
  type DirectoryEntry,
  type FilesystemStatistics,
  type InodeNumber,
  isDirectory,
  isFile,
  MODE_DIRECTORY,
  MODE_FILE,
  MODE_PERMISSIONS,
  MODE_SYMLINK,
  type Rename,
  ROOT_INODE,
  type SetXattr,
} from "../meta/index.js";
import { componentsOf, joinPath, type Path, splitPath } from "./core/paths.js";
import type { FileHandle, HandleOptions } from "./file-handle.js";
import type { AttributeChange, InodeOperations, OpenedHandle, StorageChange } from "./inode-operations.js";
import { readStream, writeAll } from "./streams.js";
import type { WaitOptions } from "./waiting.js";

export interface CreateOptions extends WaitOptions {
  /** Permission bits; default 0666 for files, 0777 for directories (there is no umask here). */
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

export interface OpenOptions extends CreateOptions, HandleOptions {
  /** Default `read`. */
  readonly access?: Access | undefined;
  /** Makes the file if there is none; needs write access. */
  readonly create?: boolean | undefined;
  /** With `create`: fails with `exists` if there is one. */
  readonly mustBeNew?: boolean | undefined;
  /** Empties the file. */
  readonly truncate?: boolean | undefined;
}

export interface WriteFileOptions extends CreateOptions {
  /** Resolves only when the contents survive the loss of power everywhere. */
  readonly sync?: boolean | undefined;
}

/** Removals under way at once while a tree is removed. */
const REMOVALS_MAX = 16;

/** The file system by path. Symbolic links are followed except where a method says otherwise. */
export class FileSystem {
  /** The same by inode number. */
  readonly inodes: InodeOperations;

  constructor(inodes: InodeOperations) {
    this.inodes = inodes;
  }

  stat(path: Path, options?: WaitOptions): Promise<Attributes> {
    return this.inodes.resolvePath(joinPath(componentsOf(path)), true, options);
  }

  /** Of a symbolic link itself. */
  lstat(path: Path, options?: WaitOptions): Promise<Attributes> {
    return this.inodes.resolvePath(joinPath(componentsOf(path)), false, options);
  }

  async exists(path: Path, options?: WaitOptions): Promise<boolean> {
    try {
      await this.stat(path, options);
      return true;
    } catch (error) {
      const code = failureOf(error)?.code;
      if (code === "not_found" || code === "not_directory") return false;
      throw error;
    }
  }

  async open(path: Path, options: OpenOptions = {}): Promise<FileHandle> {
    const { access = "read", create = false, truncate = false } = options;
    if ((create || truncate) && access === "read")
      throw storageError("invalid", "creating and emptying need access for writing");
    const { handle, attributes } = create
      ? await this.#createOrOpen(path, access, options)
      : await this.#openExisting(path, access, options);
    if (!truncate || attributes.sizeBytes === 0) return handle;
    try {
      await handle.truncate(0, options);
      return handle;
    } catch (error) {
      await handle.close().catch(() => undefined);
      throw error;
    }
  }

  async readFile(path: Path, options?: WaitOptions): Promise<Uint8Array> {
    const handle = await this.open(path, options);
    try {
      const parts: Uint8Array[] = [];
      let length = 0;
      for await (const part of readStream(handle, options)) {
        parts.push(part);
        length += part.length;
      }
      const [only] = parts;
      if (parts.length === 1 && only !== undefined) return only;
      const result = new Uint8Array(length);
      let offset = 0;
      for (const part of parts) {
        result.set(part, offset);
        offset += part.length;
      }
      return result;
    } finally {
      await handle.close();
    }
  }

  /** Makes the file, or replaces its contents. */
  async writeFile(
    path: Path,
    contents: string | Uint8Array | AsyncIterable<Uint8Array>,
    options: WriteFileOptions = {},
  ): Promise<void> {
    const handle = await this.open(path, { ...options, access: "write", create: true, truncate: true });
    try {
      if (typeof contents === "string") await handle.write(toUtf8(contents), 0, options);
      else await writeAll(handle, contents instanceof Uint8Array ? [contents] : contents, options);
      if (options.sync === true) await handle.sync(options);
    } catch (error) {
      await handle.close().catch(() => undefined);
      throw error;
    }
    await handle.close();
  }

  mkdir(path: Path, options: CreateOptions = {}): Promise<Attributes> {
    return this.#make(path, MODE_DIRECTORY, options.mode ?? 0o777, options);
  }

  /** With all missing parents; a directory that is there already is no failure. */
  async mkdirp(path: Path, options: CreateOptions = {}): Promise<Attributes> {
    const components = componentsOf(path);
    if (components.length === 0) return await this.inodes.getAttributes(ROOT_INODE, options);
    try {
      return await this.mkdir(path, options);
    } catch (error) {
      const code = failureOf(error)?.code;
      if (code === "exists") {
        const found = await this.stat(path, options);
        if (isDirectory(found.mode)) return found;
      }
      if (code !== "not_found" || components.length === 1) throw error;
    }
    await this.mkdirp(joinPath(components.slice(0, -1)), options);
    return await this.mkdirp(path, options);
  }

  /** The entries in byte order of their names, fetched as they are consumed. */
  async *readdir(
    path: Path,
    options: WaitOptions & { readonly withAttributes?: boolean | undefined } = {},
  ): AsyncGenerator<DirectoryEntry, void, undefined> {
    const { ino } = await this.stat(path, options);
    yield* this.inodes.list(ino, options.withAttributes ?? false, options);
  }

  async rename(
    from: Path,
    to: Path,
    options: WaitOptions & { readonly mode?: Rename["mode"] | undefined } = {},
  ): Promise<void> {
    const [source, target] = await Promise.all([this.#parent(from, options), this.#parent(to, options)]);
    await this.inodes.rename(
      {
        fromParent: source.parent,
        fromName: source.name,
        toParent: target.parent,
        toName: target.name,
        mode: options.mode ?? "replace",
      },
      options,
    );
  }

  async unlink(path: Path, options?: WaitOptions): Promise<void> {
    const { parent, name } = await this.#parent(path, options);
    await this.inodes.remove(parent, name, false, options);
  }

  async rmdir(path: Path, options?: WaitOptions): Promise<void> {
    const { parent, name } = await this.#parent(path, options);
    await this.inodes.remove(parent, name, true, options);
  }

  async symlink(target: string | Uint8Array, path: Path, options: CreateOptions = {}): Promise<Attributes> {
    const { parent, name } = await this.#parent(path, options);
    const { uid, gid } = options;
    const bytes = typeof target === "string" ? toUtf8(target) : target;
    return await this.inodes.create(
      { parent, name, mode: MODE_SYMLINK | 0o777, uid, gid, target: bytes },
      options,
    );
  }

  /** Where a symbolic link points to, as bytes. */
  async readlink(path: Path, options?: WaitOptions): Promise<Uint8Array> {
    const { ino } = await this.lstat(path, options);
    return await this.inodes.readSymlink(ino, options);
  }

  /** One more name for a file; a symbolic link is not followed. */
  async link(existing: Path, path: Path, options?: WaitOptions): Promise<Attributes> {
    const [{ ino }, { parent, name }] = await Promise.all([
      this.lstat(existing, options),
      this.#parent(path, options),
    ]);
    return await this.inodes.link(ino, parent, name, options);
  }

  chmod(path: Path, mode: number, options?: WaitOptions): Promise<Attributes> {
    return this.#change(path, { mode: mode & MODE_PERMISSIONS }, options);
  }

  chown(path: Path, uid: number, gid: number, options?: WaitOptions): Promise<Attributes> {
    return this.#change(path, { uid, gid }, options);
  }

  /** Sets times; with `atimeNow`, `mtimeNow` to those of the cluster. */
  utimes(
    path: Path,
    times: Pick<AttributeChange, "atime" | "mtime" | "atimeNow" | "mtimeNow">,
    options?: WaitOptions,
  ): Promise<Attributes> {
    return this.#change(path, times, options);
  }

  async truncate(path: Path, sizeBytes: number, options?: WaitOptions): Promise<void> {
    const { ino } = await this.stat(path, options);
    await this.inodes.truncate(ino, sizeBytes, options);
  }

  async getXattr(path: Path, name: string, options?: WaitOptions): Promise<Uint8Array> {
    return await this.inodes.getXattr((await this.stat(path, options)).ino, toUtf8(name), options);
  }

  async setXattr(
    path: Path,
    name: string,
    value: Uint8Array,
    options: WaitOptions & { readonly mode?: SetXattr["mode"] | undefined } = {},
  ): Promise<void> {
    const { ino } = await this.stat(path, options);
    await this.inodes.setXattr(ino, toUtf8(name), value, options.mode ?? "any", options);
  }

  async removeXattr(path: Path, name: string, options?: WaitOptions): Promise<void> {
    await this.inodes.removeXattr((await this.stat(path, options)).ino, toUtf8(name), options);
  }

  async listXattrs(path: Path, options?: WaitOptions): Promise<string[]> {
    const names = await this.inodes.listXattrs((await this.stat(path, options)).ino, options);
    return names.map(fromUtf8);
  }

  statfs(options?: WaitOptions): Promise<FilesystemStatistics> {
    return this.inodes.statFilesystem(options);
  }

  /** Changes how the data of a file, or of what will be made in a directory, are kept. */
  async setStorage(path: Path, change: StorageChange, options?: WaitOptions): Promise<Attributes> {
    return await this.inodes.setStorage((await this.stat(path, options)).ino, change, options);
  }

  /** Ends all leases that other clients hold on the file. */
  async revoke(path: Path, options?: WaitOptions): Promise<void> {
    // Its holder is not asked for the size: it may hang, which is why somebody revokes it.
    const { ino } = await this.inodes.resolveInode(joinPath(componentsOf(path)), options);
    await this.inodes.revoke(ino, options);
  }

  /** Removes whatever is there, directories with all they contain; links are not followed. A missing path is fine. */
  async removeTree(path: Path, options?: WaitOptions): Promise<void> {
    const { parent, name } = await this.#parent(path, options);
    try {
      const found = await this.inodes.lookup(parent, name, options);
      await this.#removeEntry(parent, { name, ino: found.ino, mode: found.mode }, options);
    } catch (error) {
      if (failureOf(error)?.code !== "not_found") throw error;
    }
  }

  async #removeEntry(
    parent: InodeNumber,
    entry: DirectoryEntry,
    options: WaitOptions | undefined,
  ): Promise<void> {
    const isFolder = isDirectory(entry.mode);
    for (;;) {
      if (isFolder) await this.#emptyDirectory(entry.ino, options);
      try {
        await this.inodes.remove(parent, entry.name, isFolder, options);
        return;
      } catch (error) {
        const code = failureOf(error)?.code;
        if (code === "not_found") return;
        // Somebody put something into it meanwhile.
        if (code !== "not_empty") throw error;
      }
    }
  }

  async #emptyDirectory(ino: InodeNumber, options: WaitOptions | undefined): Promise<void> {
    const running = new Set<Promise<void>>();
    let failure: unknown;
    for await (const entry of this.inodes.list(ino, false, options)) {
      const removal = this.#removeEntry(ino, { ...entry, name: Uint8Array.from(entry.name) }, options)
        .catch((error: unknown) => {
          failure ??= error;
        })
        .finally(() => running.delete(removal));
      running.add(removal);
      // Whole directories one by one: the depth of a tree must not multiply what is under way.
      if (running.size >= REMOVALS_MAX || isDirectory(entry.mode)) await Promise.race(running);
      if (isDirectory(entry.mode)) await removal;
      if (failure !== undefined) break;
    }
    await Promise.all(running);
    if (failure !== undefined) throw failure;
  }

  async #openExisting(path: Path, access: Access, options: WaitOptions): Promise<OpenedHandle> {
    const found = await this.stat(path, options);
    if (isDirectory(found.mode)) throw storageError("is_directory");
    if (!isFile(found.mode)) throw storageError("invalid", "only regular files have contents");
    const handle = await this.inodes.open(found.ino, access, options);
    return { handle, attributes: handle.openedAttributes, created: false };
  }

  async #createOrOpen(path: Path, access: Access, options: OpenOptions): Promise<OpenedHandle> {
    const { parent, name } = await this.#parent(path, options);
    const { uid, gid, mustBeNew = false } = options;
    const mode = MODE_FILE | (options.mode ?? 0o666);
    try {
      return await this.inodes.createAndOpen({ parent, name, mode, uid, gid, mustBeNew }, access, options);
    } catch (error) {
      // The name is a symbolic link: what it points to is meant.
      if (failureOf(error)?.code !== "symlink_loop" || mustBeNew) throw error;
      return await this.#openExisting(path, access, options);
    }
  }

  async #make(path: Path, type: number, permissions: number, options: CreateOptions): Promise<Attributes> {
    const { directory, name } = splitMakeable(path);
    const { ino: parent } = await this.#directory(directory, options);
    const { uid, gid } = options;
    return await this.inodes.create({ parent, name, mode: type | permissions, uid, gid }, options);
  }

  async #change(path: Path, change: AttributeChange, options: WaitOptions | undefined): Promise<Attributes> {
    const { ino } = await this.stat(path, options);
    return await this.inodes.setAttributes(ino, change, options);
  }

  async #parent(
    path: Path,
    options: WaitOptions | undefined,
  ): Promise<{ readonly parent: InodeNumber; readonly name: Uint8Array }> {
    const { directory, name } = splitPath(path);
    return { parent: (await this.#directory(directory, options)).ino, name };
  }

  async #directory(path: Uint8Array, options: WaitOptions | undefined): Promise<Pick<Attributes, "ino">> {
    if (path.length === 1) return { ino: ROOT_INODE };
    const found = await this.inodes.resolvePath(path, true, options);
    if (!isDirectory(found.mode)) throw storageError("not_directory");
    return found;
  }
}

/** As `splitPath`; the root is always there. */
function splitMakeable(path: Path): ReturnType<typeof splitPath> {
  if (componentsOf(path).length === 0) throw storageError("exists", "the root directory");
  return splitPath(path);
}
