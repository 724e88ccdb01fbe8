import {
  type Attributes,
  isDirectory,
  isSymlink,
  MODE_BLOCK_DEVICE,
  MODE_CHARACTER_DEVICE,
  MODE_DIRECTORY,
  MODE_FIFO,
  MODE_FILE,
  MODE_PERMISSIONS,
  MODE_SETGID,
  MODE_SETUID,
  MODE_SOCKET,
  MODE_STICKY,
  MODE_SYMLINK,
  MODE_TYPE,
  type Timestamp,
} from "../../meta/index.js";
import { formatTable, formatTime } from "../output.js";
import { shownPath } from "./path-failure.js";

/** Something to list. */
export interface NamedEntry {
  readonly name: string | Uint8Array;
  readonly attributes: Attributes;
  /** Of a symbolic link. */
  readonly target?: Uint8Array | undefined;
}

const LETTERS: Readonly<Record<number, string>> = {
  [MODE_FILE]: "-",
  [MODE_DIRECTORY]: "d",
  [MODE_SYMLINK]: "l",
  [MODE_FIFO]: "p",
  [MODE_SOCKET]: "s",
  [MODE_BLOCK_DEVICE]: "b",
  [MODE_CHARACTER_DEVICE]: "c",
};

/** `-rwsr-xr-x`, as ls writes it. */
export function formatMode(mode: number): string {
  const triple = (shift: number, special: number, letter: string): string => {
    const bits = mode >> shift;
    const isSpecial = (mode & special) !== 0;
    const runs = (bits & 1) !== 0;
    const last = isSpecial ? (runs ? letter : letter.toUpperCase()) : runs ? "x" : "-";
    return `${bits & 4 ? "r" : "-"}${bits & 2 ? "w" : "-"}${last}`;
  };
  const type = LETTERS[mode & MODE_TYPE] ?? "?";
  return type + triple(6, MODE_SETUID, "s") + triple(3, MODE_SETGID, "s") + triple(0, MODE_STICKY, "t");
}

/** As `ls -l` prints them. */
export function longLines(entries: readonly NamedEntry[]): string[] {
  const right = { alignRight: true, title: "" };
  const columns = [{ title: "" }, right, right, right, right, { title: "" }, { title: "" }];
  const rows = entries.map(({ name, attributes, target }) => [
    formatMode(attributes.mode),
    String(attributes.linkCount),
    String(attributes.uid),
    String(attributes.gid),
    String(attributes.sizeBytes),
    formatTime(wallMsOf(attributes.mtime)),
    target === undefined ? shownPath(name) : `${shownPath(name)} -> ${shownPath(target)}`,
  ]);
  return formatTable(columns, rows).slice(1);
}

/** An entry for a program to read. */
export function entryJson({ name, attributes, target }: NamedEntry): Record<string, unknown> {
  const { ino, mode, linkCount, uid, gid, sizeBytes, allocatedBytes, atime, mtime, ctime, storage } =
    attributes;
  return {
    name: shownPath(name),
    type: typeName(mode),
    ino,
    mode: (mode & MODE_PERMISSIONS).toString(8).padStart(4, "0"),
    linkCount,
    uid,
    gid,
    sizeBytes,
    allocatedBytes,
    atime: isoTime(atime),
    mtime: isoTime(mtime),
    ctime: isoTime(ctime),
    storage,
    ...(target === undefined ? {} : { target: shownPath(target) }),
  };
}

/** `directory`, `file`, `symlink`, `special`. */
export function typeName(mode: number): string {
  if (isDirectory(mode)) return "directory";
  if (isSymlink(mode)) return "symlink";
  return (mode & MODE_TYPE) === MODE_FILE ? "file" : "special";
}

/** `2024-05-17T07:30:01.000000005Z`: nothing of the nanoseconds is lost. */
export function isoTime({ seconds, nanos }: Timestamp): string {
  return new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, `.${String(nanos).padStart(9, "0")}Z`);
}

function wallMsOf({ seconds, nanos }: Timestamp): number {
  return seconds * 1000 + Math.floor(nanos / 1e6);
}
