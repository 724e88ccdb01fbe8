import type { Access } from "../../meta/index.js";

/** Flags of open(2) as Linux numbers them on every architecture that matters here (x86-64, arm64). */
export const O_ACCMODE = 0o3;
export const O_RDONLY = 0o0;
export const O_WRONLY = 0o1;
export const O_RDWR = 0o2;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_DSYNC = 0o10000;
const O_SYNC_BIT = 0o4000000;
/** O_SYNC includes O_DSYNC. */
export const O_SYNC = O_SYNC_BIT | O_DSYNC;
/** O_DIRECT differs between the two. */
const O_DIRECT_X86 = 0o40000;
const O_DIRECT_ARM = 0o200000;

/** What open flags ask of a file handle. */
export interface OpenMode {
  readonly access: Access;
  readonly truncates: boolean;
  readonly isDirect: boolean;
}

/** `isArm`: the kernel numbers O_DIRECT as arm64 does. */
export function openModeOf(flags: number, isArm = false): OpenMode {
  return {
    access: (flags & O_ACCMODE) === O_RDONLY ? "read" : "write",
    truncates: (flags & O_TRUNC) !== 0,
    isDirect: (flags & (isArm ? O_DIRECT_ARM : O_DIRECT_X86)) !== 0,
  };
}

/** Whether a write under these flags (they may change while the file is open) goes to the end of the file. */
export const isAppending = (flags: number): boolean => (flags & O_APPEND) !== 0;

/** Whether a write must be durable before it is answered. Every sync brings size and times along. */
export const isSynchronous = (flags: number): boolean => (flags & O_DSYNC) !== 0;
