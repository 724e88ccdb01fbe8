import type { Access } from "../../meta/index.js";
import { OPEN_FLAGS } from "../fuse-wire/flags.js";

/** What the flags of open(2) ask of a file handle. */
export interface OpenMode {
  readonly access: Access;
  readonly truncates: boolean;
  /** O_DIRECT: past the page cache. */
  readonly isDirect: boolean;
}

/** `directFlag`: the bit of O_DIRECT, which differs between processors. */
export function openModeOf(flags: number, directFlag = DIRECT_FLAG_X86): OpenMode {
  return {
    access: (flags & OPEN_FLAGS.accessMask) === OPEN_FLAGS.readOnly ? "read" : "write",
    truncates: (flags & OPEN_FLAGS.truncate) !== 0,
    isDirect: (flags & directFlag) !== 0,
  };
}

/** O_DIRECT of x86-64; arm64 has `0o200000`. */
const DIRECT_FLAG_X86 = 0o40000;

/** Whether a write under these flags (they may change while the file is open) goes to the end of the file. */
export const isAppending = (flags: number): boolean => (flags & OPEN_FLAGS.append) !== 0;

/** Whether a write must be durable before it is answered: O_SYNC includes O_DSYNC, and size and times always go along. */
export const isSynchronous = (flags: number): boolean => (flags & OPEN_FLAGS.dataSync) !== 0;
