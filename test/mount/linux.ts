/** Numbers of the Linux interface on x86-64 and arm64's common part, as the cases use them. */

export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DSYNC: 0o10000,
  DIRECT: 0o40000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
  NOATIME: 0o1000000,
  SYNC: 0o4010000,
  PATH: 0o10000000,
  TMPFILE: 0o20200000,
} as const;

export const AT = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  REMOVEDIR: 0x200,
  EACCESS: 0x200,
  SYMLINK_FOLLOW: 0x400,
  EMPTY_PATH: 0x1000,
} as const;

export const S = {
  IFMT: 0o170000,
  IFSOCK: 0o140000,
  IFLNK: 0o120000,
  IFREG: 0o100000,
  IFBLK: 0o60000,
  IFDIR: 0o40000,
  IFCHR: 0o20000,
  IFIFO: 0o10000,
  ISUID: 0o4000,
  ISGID: 0o2000,
  ISVTX: 0o1000,
} as const;

export const SEEK = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const;
export const RENAME = { NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 } as const;
export const FALLOC = {
  KEEP_SIZE: 1,
  PUNCH_HOLE: 2,
  COLLAPSE_RANGE: 8,
  ZERO_RANGE: 16,
  INSERT_RANGE: 32,
} as const;
export const XATTR = { CREATE: 1, REPLACE: 2 } as const;
export const LOCK = { SH: 1, EX: 2, NB: 4, UN: 8 } as const;
export const F = {
  GETFL: 3,
  SETFL: 4,
  GETLK: 5,
  SETLK: 6,
  SETLKW: 7,
  OFD_GETLK: 36,
  OFD_SETLK: 37,
  OFD_SETLKW: 38,
} as const;
export const L = { RDLCK: 0, WRLCK: 1, UNLCK: 2 } as const;
export const UTIME = { NOW: 0x3fffffff, OMIT: 0x3ffffffe } as const;
export const R_OK = 4;
export const W_OK = 2;
export const X_OK = 1;
export const F_OK = 0;
export const PROT = { NONE: 0, READ: 1, WRITE: 2 } as const;
export const MAP = { SHARED: 1, PRIVATE: 2 } as const;
export const MS = { ASYNC: 1, INVALIDATE: 2, SYNC: 4 } as const;
export const PATH_MAX = 4096;
export const NAME_MAX = 255;

/** What stat(2) tells; times in nanoseconds since 1970. */
export interface Stat {
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly ino: bigint;
  readonly size: number;
  readonly blocks: number;
  readonly rdev: string;
  readonly atime: bigint;
  readonly mtime: bigint;
  readonly ctime: bigint;
}

export const STATX_SIZE = 256;
export const STATX_BASIC = 0x7ff;

/** `struct statx`. */
export function decodeStatx(bytes: Buffer): Stat {
  const time = (offset: number): bigint =>
    bytes.readBigInt64LE(offset) * 1_000_000_000n + BigInt(bytes.readUInt32LE(offset + 8));
  return {
    nlink: bytes.readUInt32LE(16),
    uid: bytes.readUInt32LE(20),
    gid: bytes.readUInt32LE(24),
    mode: bytes.readUInt16LE(28),
    ino: bytes.readBigUInt64LE(32),
    size: Number(bytes.readBigUInt64LE(40)),
    blocks: Number(bytes.readBigUInt64LE(48)),
    atime: time(64),
    ctime: time(96),
    mtime: time(112),
    rdev: `${bytes.readUInt32LE(128)}:${bytes.readUInt32LE(132)}`,
  };
}

/** `struct timespec[2]`; a number is seconds, an array seconds and nanoseconds. */
export type Timespec = number | readonly [seconds: number, nanoseconds: number];

export function timespecs(...times: readonly Timespec[]): Uint8Array {
  const bytes = Buffer.alloc(16 * times.length);
  times.forEach((time, index) => {
    const [seconds, nanoseconds] = typeof time === "number" ? [time, 0] : time;
    bytes.writeBigInt64LE(BigInt(seconds), 16 * index);
    bytes.writeBigInt64LE(BigInt(nanoseconds), 16 * index + 8);
  });
  return bytes;
}

export const NOW: Timespec = [0, UTIME.NOW];
export const OMIT: Timespec = [0, UTIME.OMIT];

/** `struct flock`. */
export function flockStruct(type: number, start: number, length: number, whence: number = SEEK.SET): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeInt16LE(type, 0);
  bytes.writeInt16LE(whence, 2);
  bytes.writeBigInt64LE(BigInt(start), 8);
  bytes.writeBigInt64LE(BigInt(length), 16);
  return bytes;
}

/** What F_GETLK answered, without the process. */
export function lockOf(bytes: Buffer): { type: number; start: number; length: number; pid: number } {
  return {
    type: bytes.readInt16LE(0),
    start: Number(bytes.readBigInt64LE(8)),
    length: Number(bytes.readBigInt64LE(16)),
    pid: bytes.readInt32LE(24),
  };
}

/** `struct sockaddr_un`. */
export function unixAddress(path: string): Buffer {
  const bytes = Buffer.alloc(110);
  bytes.writeUInt16LE(1, 0);
  bytes.write(path, 2);
  return bytes;
}

export interface RawEntry {
  readonly name: Buffer;
  readonly ino: bigint;
  /** Where the next entry begins: what telldir(3) says. */
  readonly next: bigint;
  readonly type: number;
}

/** What getdents64(2) filled in. */
export function decodeEntries(bytes: Buffer): RawEntry[] {
  const entries: RawEntry[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt16LE(at + 16);
    const end = bytes.indexOf(0, at + 19);
    entries.push({
      ino: bytes.readBigUInt64LE(at),
      next: bytes.readBigInt64LE(at + 8),
      type: bytes.readUInt8(at + 18),
      name: Buffer.from(bytes.subarray(at + 19, end)),
    });
    at += length;
  }
  return entries;
}

export function makeDevice(major: number, minor: number): number {
  return ((major & 0xfff) << 8) | (minor & 0xff) | ((minor & ~0xff) << 12);
}
