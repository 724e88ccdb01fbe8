import type { InodeNumber } from "./ids.js";

/** A POSIX time. `nanos` is 0 to 999,999,999, also before 1970. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

/** Of milliseconds since 1970. */
export const timestampOf = (ms: number): Timestamp => {
  const whole = Math.floor(ms);
  const seconds = Math.floor(whole / 1000);
  // Nanoseconds of the fraction too, as far as the clock gives them.
  return { seconds, nanos: Math.min(999_999_999, Math.round((ms - seconds * 1000) * 1e6)) };
};

/** Whether both are the same moment. */
export const isSameTime = (a: Timestamp, b: Timestamp): boolean =>
  a.seconds === b.seconds && a.nanos === b.nanos;

/** Whether `a` is after `b`. */
export const isLaterTime = (a: Timestamp, b: Timestamp): boolean =>
  a.seconds > b.seconds || (a.seconds === b.seconds && a.nanos > b.nanos);

/** An access time older than a day is renewed by any read. */
const STALE_SECONDS = 24 * 60 * 60;

/**
 * Whether a read at `now` renews the access time, by the rule of Linux's `relatime`: only if it is not later than the
 * last change, or a day old.
 */
export function renewsAtime(
  { atime, mtime, ctime }: Pick<Attributes, "atime" | "mtime" | "ctime">,
  now: Timestamp,
): boolean {
  if (!isLaterTime(atime, mtime) || !isLaterTime(atime, ctime)) return true;
  return now.seconds - atime.seconds >= STALE_SECONDS;
}

/** Bits of `mode`, from <sys/stat.h>. */
export const MODE_TYPE = 0o170000;
export const MODE_SOCKET = 0o140000;
export const MODE_SYMLINK = 0o120000;
export const MODE_FILE = 0o100000;
export const MODE_BLOCK_DEVICE = 0o060000;
export const MODE_DIRECTORY = 0o040000;
export const MODE_CHARACTER_DEVICE = 0o020000;
export const MODE_FIFO = 0o010000;
export const MODE_SETUID = 0o4000;
export const MODE_SETGID = 0o2000;
export const MODE_STICKY = 0o1000;
export const MODE_PERMISSIONS = 0o7777;

export const isDirectory = (mode: number): boolean => (mode & MODE_TYPE) === MODE_DIRECTORY;
export const isFile = (mode: number): boolean => (mode & MODE_TYPE) === MODE_FILE;
export const isSymlink = (mode: number): boolean => (mode & MODE_TYPE) === MODE_SYMLINK;

/** Limits of POSIX and Linux. */
export const NAME_BYTES_MAX = 255;
export const SYMLINK_BYTES_MAX = 4095;
export const XATTR_NAME_BYTES_MAX = 255;
export const XATTR_VALUE_BYTES_MAX = 65536;
export const LINK_COUNT_MAX = 65000;
/** 2^53 would be the end of exact numbers; one bit is left for sums. */
export const FILE_BYTES_MAX = 2 ** 52;

/** How the data of a file are kept. A new file takes those of its directory. */
export interface StorageAttributes {
  /** Wanted number of replicas, 1 to 64. */
  readonly replicas: number;
  /** Below that many, writers wait. */
  readonly replicasMinimum: number;
  readonly failureDomain: FailureDomain;
  /** 0 to 3. */
  readonly tier: number;
  /** Size of the file's chunks; fixed once it has data. */
  readonly chunkBytes: number;
  /** Whether clients may keep its blocks in their SSD cache. */
  readonly clientSsdCache: boolean;
  /** One writer at a time, whoever asks second is refused. */
  readonly exclusive: boolean;
}

/** No two replicas of a chunk lie in the same one. */
export type FailureDomain = "disk" | "host" | "rack" | "row" | "room";
export const FAILURE_DOMAINS: readonly FailureDomain[] = ["disk", "host", "rack", "row", "room"];

/** Everything `stat` tells, and a little more. */
export interface Attributes {
  readonly ino: InodeNumber;
  /** Changes if the inode number were ever used again: (ino, generation) is unique for ever. */
  readonly generation: number;
  /** Type and permissions. */
  readonly mode: number;
  readonly linkCount: number;
  readonly uid: number;
  readonly gid: number;
  /** Of device files. */
  readonly rdev: number;
  /** Of a directory: the number of its entries. */
  readonly sizeBytes: number;
  /** Bytes of chunks that are allocated (thin: not those never written). */
  readonly allocatedBytes: number;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
  readonly birthTime: Timestamp;
  readonly storage: StorageAttributes;
  /** Grows with every change of anything here. */
  readonly changeCount: number;
  /**
   * Of files: grows whenever somebody who may have changed the data stopped doing so: closed the file, died, truncated.
   * Who finds it as it was, under a lease that allows to cache, knows the data as they were. Absent: 0.
   */
  readonly dataVersion?: number | undefined;
  /** It has no extended attributes, neither an access control list. Absent or false: unknown. */
  readonly noXattrs?: boolean | undefined;
}

/** A directory entry, with attributes where asked for. */
export interface DirectoryEntry {
  readonly name: Uint8Array;
  readonly ino: InodeNumber;
  /** Type bits only. */
  readonly mode: number;
  readonly attributes?: Attributes | undefined;
}

/** The mode without privileges: set-user-ID, and set-group-ID where the group may execute (elsewhere it means something else). */
export function modeWithoutPrivileges(mode: number): number {
  if (isDirectory(mode)) return mode;
  const cleared = (mode & GROUP_EXECUTE) === 0 ? MODE_SETUID : MODE_SETUID | MODE_SETGID;
  return mode & ~cleared;
}

const GROUP_EXECUTE = 0o010;
