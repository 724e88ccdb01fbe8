import { storageError } from "../../base/index.js";
import {
  type InodeNumber,
  isDirectory,
  LINK_COUNT_MAX,
  MODE_TYPE,
  type Rename,
  ROOT_INODE,
} from "../../meta/index.js";
import type { Outcome } from "./command.js";
import type { Context } from "./context.js";
import { changeInode, directoryOf, inodeOf } from "./inodes.js";
import { entryKey } from "./names.js";
import { checkEmpty, dropName } from "./namespace-link.js";
import type { DentryRecord, InodeRecord } from "./records.js";
import { OK } from "./replies.js";
import type { Tables } from "./tables.js";

/** How deep a directory may lie so that it can be moved elsewhere: bounds the work of one command. */
export const DIRECTORY_DEPTH_MAX = 16384;

/** A name with what it stands for. */
interface Place {
  readonly parent: InodeNumber;
  readonly name: string;
}

/** Moves a name, replacing what is there, refusing to, or exchanging the two: all at once, for every observer. */
export function rename(context: Context, body: Rename): Outcome {
  const { tables } = context;
  const from: Place = {
    parent: directoryOf(tables, body.fromParent).ino,
    name: entryKey(body.fromName, "invalid"),
  };
  const to: Place = {
    parent: directoryOf(tables, body.toParent).ino,
    name: entryKey(body.toName, "invalid"),
  };
  const source = entryAt(tables, from);
  if (source === undefined) throw storageError("not_found");
  const target = entryAt(tables, to);
  if (isDirectory(source.mode)) checkOutside(tables, source, to.parent);
  if (body.mode === "exchange") return exchange(context, from, source, to, target);
  if (target !== undefined && body.mode === "no_replace") throw storageError("exists");
  if (target?.ino === source.ino) return OK;
  if (target !== undefined) checkReplaceable(source, target);
  checkRoom(tables, from, to, source, target);
  move(context, from, source, to, target);
  return OK;
}

function move(
  context: Context,
  from: Place,
  source: InodeRecord,
  to: Place,
  target: InodeRecord | undefined,
): void {
  const { tables } = context;
  tables.dentries.delete(from.parent, from.name);
  tables.dentries.put(dentryOf(source), to.parent, to.name);
  const isMovedDirectory = isDirectory(source.mode) ? 1 : 0;
  const isReplaced = target === undefined ? 0 : 1;
  const isReplacedDirectory = target !== undefined && isDirectory(target.mode) ? 1 : 0;
  adjust(context, from.parent, -1, -isMovedDirectory);
  adjust(context, to.parent, 1 - isReplaced, isMovedDirectory - isReplacedDirectory);
  changeInode(context, source, { parent: to.parent }, "attributes");
  if (target !== undefined) dropName(context, target);
}

function exchange(
  context: Context,
  from: Place,
  source: InodeRecord,
  to: Place,
  target: InodeRecord | undefined,
): Outcome {
  const { tables } = context;
  if (target === undefined) throw storageError("not_found");
  if (isDirectory(target.mode)) checkOutside(tables, target, from.parent);
  if (target.ino === source.ino) return OK;
  const gain = (isDirectory(source.mode) ? 1 : 0) - (isDirectory(target.mode) ? 1 : 0);
  if (from.parent !== to.parent) {
    checkLinks(inodeOf(tables, to.parent), gain);
    checkLinks(inodeOf(tables, from.parent), -gain);
  }
  tables.dentries.put(dentryOf(target), from.parent, from.name);
  tables.dentries.put(dentryOf(source), to.parent, to.name);
  adjust(context, from.parent, 0, -gain);
  adjust(context, to.parent, 0, gain);
  changeInode(context, source, { parent: to.parent }, "attributes");
  changeInode(context, target, { parent: from.parent }, "attributes");
  return OK;
}

function checkReplaceable(source: InodeRecord, target: InodeRecord): void {
  if (isDirectory(source.mode) && !isDirectory(target.mode)) throw storageError("not_directory");
  if (!isDirectory(source.mode) && isDirectory(target.mode)) throw storageError("is_directory");
  if (isDirectory(target.mode)) checkEmpty(target);
}

/** A directory that moves to another parent gives that one a link more, unless it takes another's place. */
function checkRoom(
  tables: Tables,
  from: Place,
  to: Place,
  source: InodeRecord,
  target: InodeRecord | undefined,
): void {
  if (from.parent === to.parent || !isDirectory(source.mode) || target !== undefined) return;
  checkLinks(inodeOf(tables, to.parent), 1);
}

function checkLinks(directory: InodeRecord, gain: number): void {
  if (gain > 0 && directory.linkCount + gain > LINK_COUNT_MAX) throw storageError("too_many_links");
}

/** A directory may not come to lie inside of itself. */
function checkOutside(tables: Tables, directory: InodeRecord, place: InodeNumber): void {
  let ino = place;
  for (let depth = 0; depth < DIRECTORY_DEPTH_MAX; depth++) {
    if (ino === directory.ino) throw storageError("invalid", "a directory cannot move into itself");
    if (ino === ROOT_INODE) return;
    ino = inodeOf(tables, ino).parent;
  }
  throw storageError("invalid", "the directory lies too deep");
}

function adjust(context: Context, ino: InodeNumber, entries: number, links: number): void {
  const directory = inodeOf(context.tables, ino);
  const change = { entryCount: directory.entryCount + entries, linkCount: directory.linkCount + links };
  changeInode(context, directory, change, "contents");
}

function entryAt(tables: Tables, { parent, name }: Place): InodeRecord | undefined {
  const dentry = tables.dentries.get(parent, name);
  return dentry === undefined ? undefined : inodeOf(tables, dentry.ino);
}

const dentryOf = ({ ino, mode }: InodeRecord): DentryRecord => ({ ino, mode: mode & MODE_TYPE });
