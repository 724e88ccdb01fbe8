import { constants } from "node:fs";
import {
  chmod,
  type FileHandle as LocalFile,
  lchown,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  symlink,
  unlink,
  utimes,
} from "node:fs/promises";
import { storageError } from "../../base/index.js";
import type { FileHandle, FileSystem } from "../../client/index.js";
import { type Attributes, isDirectory, isFile, isSymlink, MODE_PERMISSIONS } from "../../meta/index.js";
import { errorLine } from "../error-line.js";
import { secondsOf, toBytes } from "./local-attributes.js";
import { about, shownPath } from "./path-failure.js";
import { isZeros, PIECE_BYTES, type Transfer } from "./transfer.js";
import { childPath } from "./walk-tree.js";

const SLASH = 0x2f;

/**
 * Copies files and trees of the cluster to this machine, with modes, times, symbolic and hard links; owners if we are
 * root. Repeating it gives the same result: what is there is written over, and nothing is removed.
 */
export class Download {
  readonly #fs: FileSystem;
  readonly #transfer: Transfer;
  readonly #isRecursive: boolean;
  readonly #isRoot = process.getuid?.() === 0;
  /** Inode of a file with several names -> where its copy is. */
  readonly #linked = new Map<number, Promise<Buffer>>();

  constructor(fs: FileSystem, transfer: Transfer, isRecursive: boolean) {
    this.#fs = fs;
    this.#transfer = transfer;
    this.#isRecursive = isRecursive;
  }

  /** Begins to copy; what is still under way is known to the transfer. */
  async get(source: string, found: Attributes, target: string): Promise<void> {
    if (isDirectory(found.mode) && !this.#isRecursive) {
      throw storageError("is_directory", `${source} is a directory; -r copies it`);
    }
    this.#transfer.follow((await this.#begin(found, toBytes(target))).ended);
  }

  /** Resolves when there was room to begin; `ended` when all is copied. */
  async #begin(found: Attributes, target: Uint8Array): Promise<{ readonly ended: Promise<void> }> {
    if (isDirectory(found.mode)) return await this.#directory(found, target);
    return await this.#transfer.files.begin(async () => {
      await about(target, this.#leaf(found, target));
      this.#transfer.fileDone();
    });
  }

  async #directory(found: Attributes, target: Uint8Array): Promise<{ readonly ended: Promise<void> }> {
    const path = Buffer.from(target);
    // Until everything is in it we need to write to it, whatever its mode will be.
    await mkdir(path, { mode: 0o700 }).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST" || !(await lstat(path)).isDirectory()) throw error;
      await chmod(path, 0o700);
    });
    const children: Promise<void>[] = [];
    for await (const { name, attributes } of this.#fs.inodes.list(found.ino, true)) {
      if (attributes === undefined) continue;
      if (name.includes(SLASH)) throw storageError("malformed", `${shownPath(target)}: a name with a slash`);
      children.push((await this.#begin(attributes, childPath(target, name))).ended);
    }
    const finish = async (): Promise<void> => {
      await Promise.all(children);
      await this.#imitate(path, found);
    };
    return { ended: finish().catch((error: unknown) => this.#transfer.complain(errorLine(error))) };
  }

  async #leaf(found: Attributes, target: Uint8Array): Promise<void> {
    const path = Buffer.from(target);
    if (isSymlink(found.mode)) return await this.#symlink(found, path);
    if (!isFile(found.mode)) throw storageError("unsupported", "a special file; it was not copied");
    const earlier = found.linkCount > 1 ? this.#linked.get(found.ino) : undefined;
    if (earlier !== undefined) return await replacing(path, async () => link(await earlier, path));
    const copy = this.#file(found, path);
    if (found.linkCount > 1) this.#linked.set(found.ino, copy);
    await copy;
  }

  async #file(found: Attributes, path: Buffer): Promise<Buffer> {
    // A link that is there must not lead us elsewhere.
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
    const create = (): Promise<LocalFile> => open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
    const local = await create().catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "ELOOP") throw error;
      await unlink(path);
      return await create();
    });
    try {
      const handle = await this.#fs.inodes.open(found.ino, "read");
      try {
        await this.#contents(handle, local);
      } finally {
        await handle.close();
      }
    } finally {
      await local.close();
    }
    await this.#imitate(path, found);
    return path;
  }

  /** Zeros are not written: the file is as sparse here as there. */
  async #contents(handle: FileHandle, local: LocalFile): Promise<void> {
    const transfer = this.#transfer;
    const sizeBytes = await handle.size();
    const pieces = async function* (): AsyncGenerator<() => Promise<void>> {
      for (let offset = 0; offset < sizeBytes; offset += PIECE_BYTES) {
        yield async () => {
          const bytes = await handle.read(offset, Math.min(PIECE_BYTES, sizeBytes - offset));
          if (!isZeros(bytes)) await writeWhole(local, bytes, offset);
          transfer.copied(bytes.length);
        };
      }
    };
    await transfer.inPieces(pieces());
    await local.truncate(sizeBytes);
  }

  async #symlink(found: Attributes, path: Buffer): Promise<void> {
    const target = await this.#fs.inodes.readSymlink(found.ino);
    await replacing(path, () => symlink(Buffer.from(target), path));
    if (this.#isRoot) await lchown(path, found.uid, found.gid);
    await lutimes(path, secondsOf(found.atime), secondsOf(found.mtime));
  }

  async #imitate(path: Buffer, found: Attributes): Promise<void> {
    // A change of owner takes set-user-id bits away: the mode comes after it.
    if (this.#isRoot) await lchown(path, found.uid, found.gid);
    await chmod(path, found.mode & MODE_PERMISSIONS);
    await utimes(path, secondsOf(found.atime), secondsOf(found.mtime));
  }
}

async function writeWhole(local: LocalFile, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await local.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}

/** Makes something; what is in its place is removed first, unless it is a directory. */
async function replacing(path: Buffer, make: () => Promise<void>): Promise<void> {
  try {
    await make();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    await unlink(path);
    await make();
  }
}
