import { storageError } from "../../base/index.js";
import type { InodeNumber } from "../../meta/index.js";
import { directoryOf, inodeOf } from "./inodes.js";
import { nameKey } from "./names.js";
import type { InodeRecord } from "./records.js";
import type { Tables } from "./tables.js";

/** What a name in a directory stands for; `.` and `..` are understood. */
export function lookup(tables: Tables, parent: InodeNumber, name: Uint8Array): InodeRecord {
  const directory = directoryOf(tables, parent);
  const key = nameKey(name);
  if (key === ".") return directory;
  if (key === "..") return inodeOf(tables, directory.parent);
  const dentry = tables.dentries.get(directory.ino, key);
  if (dentry === undefined) throw storageError("not_found");
  return inodeOf(tables, dentry.ino);
}
