import type { BigIntStats } from "node:fs";
import { type FileHandle as LocalFile, lstat, open, readdir, readlink } from "node:fs/promises";
import { type FailureCode, failureOf, storageError } from "../../base/index.js";
import type { FileHandle, FileSystem, NewInode, OpenedHandle } from "../../client/index.js";
import { type InodeNumber, isDirectory, MODE_DIRECTORY, MODE_FILE, MODE_SYMLINK } from "../../meta/index.js";
import { errorLine } from "../error-line.js";
import { ownership, permissions, times, toBytes } from "./local-attributes.js";
import { about, shownPath } from "./path-failure.js";
import { isZeros, PIECE_BYTES, type Transfer } from "./transfer.js";
import { childPath } from "./walk-tree.js";

export interface UploadOptions {
  /** Take directories, with all they contain. */
  readonly isRecursive: boolean;
  /** Each file is safe from the loss of power before it counts as copied. */
  readonly isSynced: boolean;
}

/** Where something goes: a name in a directory of the cluster. */
interface Place {
  readonly parent: InodeNumber;
  readonly name: Uint8Array;
}

/**
 * Copies local files and trees into the cluster, with modes, owners, times, symbolic and hard links. Repeating it gives
 * the same result: what is there is written over, and nothing is removed.
 */
export class Upload {
  readonly #fs: FileSystem;
  readonly #transfer: Transfer;
  readonly #options: UploadOptions;
  /** `DEVICE:INODE` of a local file with several names -> its copy. */
  readonly #linked = new Map<string, Promise<InodeNumber>>();

  constructor(fs: FileSystem, transfer: Transfer, options: UploadOptions) {
    this.#fs = fs;
    this.#transfer = transfer;
    this.#options = options;
  }

  /** Begins to copy; what is still under way is known to the transfer. */
  async put(source: string | Uint8Array, place: Place): Promise<void> {
    const found = await lstat(Buffer.from(source), { bigint: true });
    if (found.isDirectory() && !this.#options.isRecursive) {
      throw storageError("is_directory", `${shownPath(source)} is a directory; -r copies it`);
    }
    this.#transfer.follow((await this.#begin(toBytes(source), found, place)).ended);
  }

  /** Resolves when there was room to begin; `ended` when all is copied. */
  async #begin(
    source: Uint8Array,
    found: BigIntStats,
    place: Place,
  ): Promise<{ readonly ended: Promise<void> }> {
    if (found.isDirectory()) return await this.#directory(source, found, place);
    return await this.#transfer.files.begin(async () => {
      await about(source, this.#leaf(source, found, place));
      this.#transfer.fileDone();
    });
  }

  async #directory(
    source: Uint8Array,
    found: BigIntStats,
    place: Place,
  ): Promise<{ readonly ended: Promise<void> }> {
    const ino = await about(source, this.#makeDirectory(found, place));
    const children: Promise<void>[] = [];
    for (const name of await readdir(Buffer.from(source), { encoding: "buffer" })) {
      const path = childPath(source, name);
      try {
        const child = await lstat(Buffer.from(path), { bigint: true });
        children.push((await this.#begin(path, child, { parent: ino, name: toBytes(name) })).ended);
      } catch (error) {
        this.#transfer.complain(errorLine(error));
      }
    }
    // Its times are those of the original only after its entries were made.
    const finish = async (): Promise<void> => {
      await Promise.all(children);
      await about(source, this.#fs.inodes.setAttributes(ino, { ...known(found), ...times(found) }));
    };
    return { ended: finish().catch((error: unknown) => this.#transfer.complain(errorLine(error))) };
  }

  async #makeDirectory(found: BigIntStats, place: Place): Promise<InodeNumber> {
    const inode = { ...place, ...ownership(found), mode: MODE_DIRECTORY | permissions(found) };
    try {
      return (await this.#fs.inodes.create(inode)).ino;
    } catch (error) {
      if (failureOf(error)?.code !== "exists") throw error;
    }
    const existing = await this.#fs.inodes.lookup(place.parent, place.name);
    if (!isDirectory(existing.mode))
      throw storageError("refused", "something else is in its place; remove it first");
    return existing.ino;
  }

  async #leaf(source: Uint8Array, found: BigIntStats, place: Place): Promise<void> {
    if (found.isSymbolicLink()) return await this.#symlink(source, found, place);
    if (!found.isFile()) throw storageError("unsupported", "a special file; it was not copied");
    if (found.nlink === 1n) {
      await this.#file(source, found, place);
      return;
    }
    const key = `${found.dev}:${found.ino}`;
    const earlier = this.#linked.get(key);
    if (earlier !== undefined) return await this.#link(await earlier, place);
    const first = this.#file(source, found, place);
    this.#linked.set(key, first);
    await first;
  }

  async #file(source: Uint8Array, found: BigIntStats, place: Place): Promise<InodeNumber> {
    const local = await open(Buffer.from(source), "r");
    try {
      const inode: NewInode = {
        ...place,
        ...ownership(found),
        mode: MODE_FILE | permissions(found),
        mustBeNew: false,
      };
      const make = (): Promise<OpenedHandle> => this.#fs.inodes.createAndOpen(inode, "write");
      const { handle, attributes, created } = await this.#replacing(place, "symlink_loop", make);
      try {
        if (!created && attributes.sizeBytes > 0) await handle.truncate(0);
        await this.#contents(local, Number(found.size), handle);
        if (this.#options.isSynced) await handle.sync();
      } finally {
        await handle.close();
      }
      await this.#fs.inodes.setAttributes(handle.ino, { ...(created ? {} : known(found)), ...times(found) });
      return handle.ino;
    } finally {
      await local.close();
    }
  }

  /** Reads until the end of the file, wherever it is by then. Zeros are not written: they are there already. */
  async #contents(local: LocalFile, sizeBytes: number, handle: FileHandle): Promise<void> {
    const transfer = this.#transfer;
    let end = 0;
    let writtenEnd = 0;
    const pieces = async function* (): AsyncGenerator<() => Promise<void>> {
      for (;;) {
        const piece = Buffer.allocUnsafe(Math.max(1, Math.min(PIECE_BYTES, sizeBytes - end)));
        const { bytesRead: length } = await local.read(piece, 0, piece.length, end);
        if (length === 0) return;
        const offset = end;
        end += length;
        const bytes = piece.subarray(0, length);
        if (isZeros(bytes)) {
          transfer.copied(length);
          continue;
        }
        writtenEnd = end;
        yield async () => {
          await handle.write(bytes, offset);
          transfer.copied(length);
        };
      }
    };
    await transfer.inPieces(pieces());
    if (writtenEnd < end) await handle.truncate(end);
  }

  async #symlink(source: Uint8Array, found: BigIntStats, place: Place): Promise<void> {
    const target = toBytes(await readlink(Buffer.from(source), { encoding: "buffer" }));
    const inode = { ...place, ...ownership(found), mode: MODE_SYMLINK | 0o777, target };
    const { ino } = await this.#replacing(place, "exists", () => this.#fs.inodes.create(inode));
    await this.#fs.inodes.setAttributes(ino, times(found));
  }

  async #link(ino: InodeNumber, place: Place): Promise<void> {
    const { parent, name } = place;
    await this.#replacing(place, "exists", () => this.#fs.inodes.link(ino, parent, name));
  }

  /** Makes something; what is in its place is removed first, unless it is a directory. */
  async #replacing<T>({ parent, name }: Place, obstacle: FailureCode, make: () => Promise<T>): Promise<T> {
    try {
      return await make();
    } catch (error) {
      const code = failureOf(error)?.code;
      if (code !== obstacle && code !== "is_directory") throw error;
    }
    const existing = await this.#fs.inodes.lookup(parent, name);
    if (isDirectory(existing.mode))
      throw storageError("refused", "a directory is in its place; remove it first");
    await this.#fs.inodes.remove(parent, name, false);
    return await make();
  }
}

/** What a copy that was there already takes over from the original. */
function known(found: BigIntStats): { mode: number; uid: number; gid: number } {
  return { ...ownership(found), mode: permissions(found) };
}
