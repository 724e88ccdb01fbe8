import { storageError } from "../../base/index.js";
import { isDirectory, isSymlink, type ResolvePath, ROOT_INODE } from "../../meta/index.js";
import { inodeOf } from "./inodes.js";
import { lookup } from "./lookup.js";
import type { InodeRecord } from "./records.js";
import type { Tables } from "./tables.js";

/** Of a path as asked for; with symbolic links it may become longer. As PATH_MAX of Linux, without the NUL. */
export const PATH_BYTES_MAX = 4095;
/** Symbolic links on one way, as on Linux. */
const LINKS_MAX = 40;

/** Walks from the root. A slash at the end, as everywhere in POSIX, demands a directory and follows a last link. */
export function resolvePath(
  tables: Tables,
  { path, followLast }: Pick<ResolvePath, "path" | "followLast">,
): InodeRecord {
  if (path.length > PATH_BYTES_MAX) throw storageError("name_too_long");
  // A stack: the next component is the last of the list.
  const ahead = componentsOf(path).reverse();
  let mustBeDirectory = path.at(-1) === SLASH;
  let here = inodeOf(tables, ROOT_INODE);
  let linkCount = 0;
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    const next = lookup(tables, here.ino, name);
    const isFollowed = isSymlink(next.mode) && (ahead.length > 0 || followLast || mustBeDirectory);
    if (!isFollowed) {
      here = next;
      continue;
    }
    linkCount += 1;
    if (linkCount > LINKS_MAX) throw storageError("symlink_loop");
    if (ahead.length === 0 && next.target.at(-1) === SLASH) mustBeDirectory = true;
    ahead.push(...componentsOf(next.target).reverse());
    if (next.target[0] === SLASH) here = inodeOf(tables, ROOT_INODE);
  }
  if (mustBeDirectory && !isDirectory(here.mode)) throw storageError("not_directory");
  return here;
}

function componentsOf(path: Uint8Array): Uint8Array[] {
  const components: Uint8Array[] = [];
  let begin = 0;
  for (let i = 0; i <= path.length; i++) {
    if (i < path.length && path[i] !== SLASH) continue;
    if (i > begin) components.push(path.subarray(begin, i));
    begin = i + 1;
  }
  return components;
}

const SLASH = 0x2f;
