import { constants, type Stats } from "node:fs";
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, rmdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Prng } from "../../../../src/base/index.js";
import { ErrnoAnswer } from "../../../../src/mount/core/errno-answer.js";
import type { FileSystemRequest, FuseHandler } from "../../../../src/mount/fuse-handler.js";
import { DirectoryPage } from "../../../../src/mount/fuse-wire/directory-page.js";
import { ERRNO_NUMBERS, type WireErrno } from "../../../../src/mount/fuse-wire/errno.js";
import {
  type FuseReply,
  OK,
  type WireAttributes,
  type WireEntry,
} from "../../../../src/mount/fuse-wire/replies.js";
import type { ForgetItem, RequestOf } from "../../../../src/mount/fuse-wire/requests.js";
import type { DiskFaults, OperationKind } from "./faults.js";
import { UnsyncedFile, UnsyncedNames } from "./unsynced.js";

const ROOT = 1;
const KINDS: Partial<Readonly<Record<FileSystemRequest["type"], OperationKind>>> = {
  read: "read",
  readDirectory: "read",
  lookup: "read",
  write: "write",
  fsync: "sync",
  fsyncDirectory: "sync",
  syncFilesystem: "sync",
  create: "names",
  makeDirectory: "names",
  unlink: "names",
  removeDirectory: "names",
  rename: "names",
};
const CHANGING: ReadonlySet<FileSystemRequest["type"]> = new Set([
  "write",
  "create",
  "makeDirectory",
  "unlink",
  "removeDirectory",
  "rename",
  "setAttributes",
]);
const NEEDS_SPACE: ReadonlySet<FileSystemRequest["type"]> = new Set(["write", "create", "makeDirectory"]);

interface Node {
  readonly id: number;
  parent: Node | undefined;
  name: string;
  readonly handles: Set<FileHandle>;
  readonly unsynced: UnsyncedFile;
}

/**
 * A directory of a real file system, shown as a disk that may fail: the faults can be changed at any time, and
 * what was not synced can be lost. Nothing of it is fast.
 */
export class FaultyFileSystem implements FuseHandler {
  faults: DiskFaults = {};
  readonly #directory: string;
  readonly #graves: string;
  readonly #prng: Prng;
  /** By id: the inode number of the directory below, but for the root. */
  readonly #nodes = new Map<number, Node>();
  readonly #handles = new Map<number, { readonly file: FileHandle; readonly node: Node }>();
  readonly #names = new UnsyncedNames();
  #lastNumber = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** Shows what is in `directory`; `graves` keeps what was removed and may come back with the power. */
  constructor(directory: string, graves: string, prng: Prng) {
    this.#directory = directory;
    this.#graves = graves;
    this.#prng = prng;
    this.#nodes.set(ROOT, newNode(ROOT, undefined, ""));
  }

  async handle(request: FileSystemRequest, signal: AbortSignal): Promise<FuseReply> {
    await this.#suffer(request, signal);
    try {
      // One after the other: what was there before a write must be known.
      return await this.#inTurn(() => this.#serve(request));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "";
      if (error instanceof ErrnoAnswer) throw error;
      if (code in ERRNO_NUMBERS)
        throw new ErrnoAnswer(code as WireErrno, "the file system below said so", error);
      throw error;
    }
  }

  /** Numbers of nodes are those of files: nothing is to be forgotten. */
  forget(_items: readonly ForgetItem[]): void {}

  /** What was not synced is gone, or not. Nobody may use it meanwhile; everything open is closed. */
  async losePower(): Promise<void> {
    await this.#inTurn(async () => {
      for (const { file } of this.#handles.values()) await file.close().catch(() => undefined);
      this.#handles.clear();
      await this.#names.losePower(this.#prng);
      for (const path of await filesUnder(this.#directory)) {
        const unsynced = this.#nodes.get((await lstat(path)).ino)?.unsynced;
        if (unsynced?.isDirty !== true) continue;
        const file = await open(path, "r+");
        await unsynced.losePower(file, this.#prng);
        await file.close();
      }
      const root = newNode(ROOT, undefined, "");
      this.#nodes.clear();
      this.#nodes.set(ROOT, root);
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async #suffer({ type }: FileSystemRequest, signal: AbortSignal): Promise<void> {
    const { eio = {}, delayMs = 0, isReadOnly = false, isFull = false } = this.faults;
    while (this.faults.hangs === true) {
      await pause(20);
      if (signal.aborted) throw new ErrnoAnswer("EINTR", "who waited was killed");
    }
    if (delayMs > 0) await pause(delayMs);
    if (isReadOnly && CHANGING.has(type)) throw new ErrnoAnswer("EROFS", "a fault");
    if (isFull && NEEDS_SPACE.has(type)) throw new ErrnoAnswer("ENOSPC", "a fault");
    const kind = KINDS[type];
    if (kind !== undefined && this.#prng.chance(eio[kind] ?? 0)) throw new ErrnoAnswer("EIO", "a fault");
  }

  async #serve(request: FileSystemRequest): Promise<FuseReply> {
    if (this.faults.lies === true && KINDS[request.type] === "sync") return OK;
    switch (request.type) {
      case "lookup":
        return {
          type: "entry",
          entry: await this.#entry(this.#node(request.header.nodeId), text(request.name)),
        };
      case "getAttributes":
        return this.#attributes(this.#node(request.header.nodeId));
      case "setAttributes":
        return this.#setAttributes(request);
      case "create":
        return this.#create(request);
      case "makeDirectory":
        return this.#makeDirectory(request);
      case "unlink":
      case "removeDirectory":
        return this.#remove(request);
      case "rename":
        return this.#rename(request);
      case "open":
        return this.#open(this.#node(request.header.nodeId), request.flags);
      case "read":
        return this.#read(request);
      case "write":
        return this.#write(request);
      case "flush":
        return OK;
      case "release":
        return this.#release(request.handle);
      case "fsync":
        this.#opened(request.handle).node.unsynced.synced();
        await this.#names.synced();
        return OK;
      case "fsyncDirectory":
        await this.#names.synced();
        return OK;
      case "syncFilesystem":
        for (const { unsynced } of this.#nodes.values()) unsynced.synced();
        await this.#names.synced();
        return OK;
      case "openDirectory":
        return { type: "opened", handle: 0, flags: 0 };
      case "readDirectory":
        return this.#list(request);
      case "releaseDirectory":
        return OK;
      case "statFilesystem":
        return this.#space();
      default:
        throw new ErrnoAnswer("ENOSYS", "no chunk server needs it");
    }
  }

  async #setAttributes({ header, sizeBytes, mode }: RequestOf<"setAttributes">): Promise<FuseReply> {
    const node = this.#node(header.nodeId);
    if (sizeBytes !== undefined || mode !== undefined) {
      await this.#withFile(node, async (file) => {
        if (mode !== undefined) await file.chmod(mode & 0o7777);
        if (sizeBytes === undefined) return;
        await node.unsynced.changing(file, sizeBytes, Number.POSITIVE_INFINITY);
        await file.truncate(sizeBytes);
      });
    }
    return this.#attributes(node);
  }

  async #create(request: RequestOf<"create">): Promise<FuseReply> {
    const parent = this.#node(request.header.nodeId);
    const name = text(request.name);
    const path = join(this.#path(parent), name);
    const file = await open(
      path,
      constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
      request.mode & 0o777,
    );
    this.#names.changed(() => rm(path, { force: true }));
    const entry = await this.#entry(parent, name);
    return { type: "created", entry, handle: this.#keep(file, this.#node(entry.nodeId)), flags: 0 };
  }

  async #makeDirectory(request: RequestOf<"makeDirectory">): Promise<FuseReply> {
    const parent = this.#node(request.header.nodeId);
    const path = join(this.#path(parent), text(request.name));
    await mkdir(path, request.mode & 0o777);
    this.#names.changed(() => rm(path, { recursive: true, force: true }));
    return { type: "entry", entry: await this.#entry(parent, text(request.name)) };
  }

  async #remove(request: RequestOf<"unlink" | "removeDirectory">): Promise<FuseReply> {
    const path = join(this.#path(this.#node(request.header.nodeId)), text(request.name));
    // Whether it is empty is for rmdir(2) to say.
    if (request.type === "removeDirectory") {
      await rmdir(path);
      this.#names.changed(() => mkdir(path));
    } else await this.#bury(path);
    return OK;
  }

  async #rename(request: RequestOf<"rename">): Promise<FuseReply> {
    if (request.flags !== 0) throw new ErrnoAnswer("EINVAL", "plain renames only");
    const from = join(this.#path(this.#node(request.header.nodeId)), text(request.name));
    const parent = this.#node(request.newParent);
    const to = join(this.#path(parent), text(request.newName));
    const { ino } = await lstat(from);
    const replaced = await lstat(to).catch(() => undefined);
    if (replaced !== undefined && !replaced.isDirectory()) await this.#bury(to);
    await rename(from, to);
    this.#names.changed(() => rename(to, from));
    const node = this.#nodes.get(ino);
    if (node !== undefined) Object.assign(node, { parent, name: text(request.newName) });
    return OK;
  }

  /** Out of sight, and gone for good with the next sync. */
  async #bury(path: string): Promise<void> {
    const grave = join(this.#graves, String(++this.#lastNumber));
    const { ino } = await lstat(path);
    await rename(path, grave);
    this.#names.changed(
      () => rename(grave, path),
      async () => {
        await rm(grave, { force: true });
        this.#nodes.delete(ino);
      },
    );
  }

  async #open(node: Node, flags: number): Promise<FuseReply> {
    const file = await open(this.#path(node), constants.O_RDWR);
    if ((flags & constants.O_TRUNC) !== 0) {
      await node.unsynced.changing(file, 0, Number.POSITIVE_INFINITY);
      await file.truncate(0);
    }
    return { type: "opened", handle: this.#keep(file, node), flags: 0 };
  }

  async #read({ handle, offset, sizeBytes }: RequestOf<"read">): Promise<FuseReply> {
    const { file } = this.#opened(handle);
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(sizeBytes), 0, sizeBytes, offset);
    return { type: "data", parts: [buffer.subarray(0, bytesRead)] };
  }

  async #write({ handle, offset, data }: RequestOf<"write">): Promise<FuseReply> {
    const { file, node } = this.#opened(handle);
    await node.unsynced.changing(file, offset, data.length);
    for (let done = 0; done < data.length; ) {
      done += (await file.write(data, done, data.length - done, offset + done)).bytesWritten;
    }
    return { type: "written", sizeBytes: data.length };
  }

  async #release(handle: number): Promise<FuseReply> {
    const { file, node } = this.#opened(handle);
    this.#handles.delete(handle);
    node.handles.delete(file);
    await file.close();
    return OK;
  }

  async #list({ header, offset, sizeBytes, withAttributes }: RequestOf<"readDirectory">): Promise<FuseReply> {
    const directory = this.#node(header.nodeId);
    const page = new DirectoryPage(sizeBytes, withAttributes);
    const entries = await readdir(this.#path(directory), { withFileTypes: true });
    for (const [index, found] of entries.entries()) {
      if (index < offset) continue;
      const mode = found.isDirectory() ? constants.S_IFDIR : constants.S_IFREG;
      const name = Buffer.from(found.name);
      if (!page.add({ name, ino: index + 2, mode, offset: index + 1 })) break;
    }
    return page.reply();
  }

  async #space(): Promise<FuseReply> {
    const { bsize, blocks, bfree, bavail, files, ffree } = await statfs(this.#directory);
    const isFull = this.faults.isFull === true;
    return {
      type: "filesystem",
      blockCount: blocks,
      freeBlockCount: isFull ? 0 : bfree,
      availableBlockCount: isFull ? 0 : bavail,
      fileCount: files,
      freeFileCount: ffree,
      blockBytes: bsize,
      nameBytesMax: 255,
    };
  }

  #keep(file: FileHandle, node: Node): number {
    node.handles.add(file);
    this.#handles.set(++this.#lastNumber, { file, node });
    return this.#lastNumber;
  }

  #opened(handle: number): { readonly file: FileHandle; readonly node: Node } {
    const found = this.#handles.get(handle);
    if (found === undefined) throw new ErrnoAnswer("EBADF", "not open");
    return found;
  }

  #node(id: number): Node {
    const found = this.#nodes.get(id);
    if (found === undefined) throw new ErrnoAnswer("ESTALE", "gone");
    return found;
  }

  #path({ parent, name }: Node): string {
    return parent === undefined ? this.#directory : join(this.#path(parent), name);
  }

  async #withFile<T>(node: Node, work: (file: FileHandle) => Promise<T>): Promise<T> {
    const [opened] = node.handles;
    if (opened !== undefined) return await work(opened);
    const file = await open(this.#path(node), constants.O_RDWR);
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  }

  async #entry(parent: Node, name: string): Promise<WireEntry> {
    const stats = await lstat(join(this.#path(parent), name));
    const node = this.#nodes.get(stats.ino) ?? newNode(stats.ino, parent, name);
    Object.assign(node, { parent, name });
    this.#nodes.set(stats.ino, node);
    // Numbers are used again: the time it was made tells files apart.
    const generation = Math.floor(stats.birthtimeMs) % 2 ** 31;
    const attributes = attributesOf(node.id, stats);
    return { nodeId: node.id, generation, entryValidMs: 1000, attributesValidMs: 1000, attributes };
  }

  async #attributes(node: Node): Promise<FuseReply> {
    const [opened] = node.handles;
    const stats = await (opened === undefined ? lstat(this.#path(node)) : opened.stat());
    return { type: "attributes", attributes: attributesOf(node.id, stats), attributesValidMs: 1000 };
  }
}

const newNode = (id: number, parent: Node | undefined, name: string): Node => ({
  id,
  parent,
  name,
  handles: new Set(),
  unsynced: new UnsyncedFile(),
});

function attributesOf(ino: number, stats: Stats): WireAttributes {
  const time = (ms: number) => ({ seconds: Math.floor(ms / 1000), nanos: Math.floor(ms % 1000) * 1_000_000 });
  return {
    ino,
    sizeBytes: stats.size,
    blockCount: stats.blocks,
    atime: time(stats.atimeMs),
    mtime: time(stats.mtimeMs),
    ctime: time(stats.ctimeMs),
    mode: stats.mode,
    linkCount: stats.nlink,
    uid: stats.uid,
    gid: stats.gid,
    rdev: 0,
    blockBytes: 4096,
  };
}

async function filesUnder(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

const text = (name: Uint8Array): string => Buffer.from(name).toString();

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
