import { concatBytes, toUtf8 } from "../../base/index.js";
import { componentsOf, type FileSystem, joinPath } from "../../client/index.js";
import { type InodeNumber, isDirectory } from "../../meta/index.js";
import { about } from "./path-failure.js";
import { Slots } from "./slots.js";

/** Something in the cluster's file system. */
export interface TreeEntry {
  /** As it was reached, in bytes: names need not be text. */
  readonly path: Uint8Array;
  readonly ino: InodeNumber;
  /** With its type. */
  readonly mode: number;
}

/** Visits under way at the same time. */
const VISITS_MAX = 32;
const SLASH = toUtf8("/");

/**
 * Visits the path and everything below, many things at the same time. A directory's visit has ended before those of its
 * entries begin. Symbolic links are not followed, except in the path itself. The first failure ends the walk. No client
 * that writes a file is asked for anything.
 */
export async function walkTree(
  fs: FileSystem,
  path: string,
  visit: (entry: TreeEntry) => Promise<void>,
): Promise<void> {
  let failure: unknown;
  const slots = new Slots(VISITS_MAX, (error) => {
    failure ??= error;
  });
  const running = new Set<Promise<void>>();
  const start = async (entry: TreeEntry): Promise<void> => {
    const { ended } = await slots.begin(() => visit(entry));
    running.add(ended);
    void ended.then(() => running.delete(ended));
  };
  const descend = async (directory: TreeEntry): Promise<void> => {
    await visit(directory);
    if (!isDirectory(directory.mode)) return;
    for await (const entry of fs.inodes.list(directory.ino, false)) {
      if (failure !== undefined) return;
      const child = { path: childPath(directory.path, entry.name), ino: entry.ino, mode: entry.mode };
      if (isDirectory(child.mode)) await descend(child);
      else await start(child);
    }
  };
  const { ino, mode } = await about(path, fs.inodes.resolveInode(joinPath(componentsOf(path))));
  try {
    await descend({ path: toUtf8(path), ino, mode });
  } finally {
    await Promise.all(running);
  }
  if (failure !== undefined) throw failure;
}

export function childPath(directory: Uint8Array, name: Uint8Array): Uint8Array {
  const isClosed = directory.at(-1) === SLASH[0];
  return concatBytes(directory, isClosed ? new Uint8Array(0) : SLASH, name);
}
