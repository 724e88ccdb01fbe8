import { concatBytes, toUtf8 } from "../../base/index.js";
import type { FileSystem } from "../../client/index.js";
import { type Attributes, isDirectory } from "../../meta/index.js";
import { about } from "./path-failure.js";
import { Slots } from "./slots.js";

/** Something in the cluster's file system. */
export interface TreeEntry {
  /** As it was reached, in bytes: names need not be text. */
  readonly path: Uint8Array;
  readonly attributes: Attributes;
}

/** Visits under way at the same time. */
const VISITS_MAX = 32;
const SLASH = toUtf8("/");

/**
 * Visits the path and everything below, many things at the same time. A directory's visit has ended before those of its
 * entries begin. Symbolic links are not followed, except in the path itself. The first failure ends the walk.
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
    if (!isDirectory(directory.attributes.mode)) return;
    for await (const entry of fs.inodes.list(directory.attributes.ino, true)) {
      if (failure !== undefined) return;
      if (entry.attributes === undefined) continue;
      const child = { path: childPath(directory.path, entry.name), attributes: entry.attributes };
      if (isDirectory(child.attributes.mode)) await descend(child);
      else await start(child);
    }
  };
  const attributes = await about(path, fs.stat(path));
  try {
    await descend({ path: toUtf8(path), attributes });
  } finally {
    await Promise.all(running);
  }
  if (failure !== undefined) throw failure;
}

export function childPath(directory: Uint8Array, name: Uint8Array): Uint8Array {
  const isClosed = directory.at(-1) === SLASH[0];
  return concatBytes(directory, isClosed ? new Uint8Array(0) : SLASH, name);
}
