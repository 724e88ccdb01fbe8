import { readFile, realpath, stat, statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { storageError } from "../../base/index.js";
import type { Place } from "./advise.js";

/** Where the directory is, or would be if it were made: its nearest parent that exists says so. Throws if it is a file. */
export async function placeOf(written: string): Promise<Place> {
  const directory = resolve(written);
  const existing = await nearest(directory);
  const at = await stat(existing);
  if (!at.isDirectory()) throw storageError("not_directory", `${existing} is not a directory; name one`);
  const { bsize, blocks, bavail } = await statfs(existing);
  return {
    directory,
    device: String(at.dev),
    totalBytes: bsize * blocks,
    freeBytes: bsize * bavail,
    isRotating: await isRotating(at.dev),
    isRoot: at.dev === (await stat("/")).dev,
  };
}

async function nearest(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return nearest(dirname(path));
    throw storageError(
      "invalid",
      `${path} cannot be looked at: ${code}; name another directory or file`,
      error,
    );
  }
}

/** As the kernel knows it of the disk, or of the disk that the partition is on. */
async function isRotating(dev: number): Promise<boolean | undefined> {
  const [major, minor] = [(dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00)];
  const base = `/sys/dev/block/${major}:${minor}`;
  for (const path of [`${base}/queue/rotational`, `${base}/../queue/rotational`]) {
    try {
      return (await readFile(path, "utf8")).trim() === "1";
    } catch {
      // Not a disk, or a partition: its disk is one further up.
    }
  }
  return undefined;
}
