/** Bits of <linux/fuse.h>, under names that say which field they belong to. */

/** What file systems and kernels can do: `fuse_init_in.flags`, and from bit 32 on `flags2`. */
export const INIT_FLAGS = {
  asyncRead: 0,
  posixLocks: 1,
  atomicTruncate: 3,
  exportSupport: 4,
  bigWrites: 5,
  dontMask: 6,
  flockLocks: 10,
  ioctlDirectory: 11,
  autoInvalidateData: 12,
  readdirplus: 13,
  readdirplusAuto: 14,
  asyncDirectIo: 15,
  writebackCache: 16,
  noOpen: 17,
  parallelDirectoryOperations: 18,
  handleKillPrivilege: 19,
  posixAcl: 20,
  abortError: 21,
  maxPages: 22,
  cacheSymlinks: 23,
  noOpendir: 24,
  explicitInvalidateData: 25,
  handleKillPrivilege2: 28,
  setxattrExtended: 29,
  initExtended: 30,
  createSupplementaryGroup: 34,
  expireOnly: 35,
  directIoAllowMmap: 36,
} as const;

export type InitFlag = keyof typeof INIT_FLAGS;

/** `fuse_setattr_in.valid`: which fields count. */
export const SETATTR_VALID = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  atime: 1 << 4,
  mtime: 1 << 5,
  handle: 1 << 6,
  atimeNow: 1 << 7,
  mtimeNow: 1 << 8,
  lockOwner: 1 << 9,
  ctime: 1 << 10,
  killSuidgid: 1 << 11,
} as const;

/** `fuse_open_out.open_flags`: what an open file is to the kernel. */
export const OPEN_REPLY = {
  /** Bypass the page cache. */
  directIo: 1 << 0,
  /** Keep what is in the page cache from before. */
  keepCache: 1 << 1,
  nonSeekable: 1 << 2,
  /** The listing of this directory may be cached. */
  cacheDirectory: 1 << 3,
  stream: 1 << 4,
  /** No FLUSH request when it is closed. */
  noFlush: 1 << 5,
  parallelDirectWrites: 1 << 6,
} as const;

/** `fuse_open_in.open_flags` and `fuse_create_in.open_flags`. */
export const OPEN_KILL_SUIDGID = 1 << 0;
/** `fuse_getattr_in.getattr_flags`. */
export const GETATTR_HANDLE = 1 << 0;
/** `fuse_release_in.release_flags`. */
export const RELEASE_FLUSH = 1 << 0;
export const RELEASE_FLOCK_UNLOCK = 1 << 1;
/** `fuse_lk_in.lk_flags`. */
export const LOCK_FLOCK = 1 << 0;
/** `fuse_write_in.write_flags`. */
export const WRITE_FROM_CACHE = 1 << 0;
export const WRITE_LOCK_OWNER = 1 << 1;
export const WRITE_KILL_SUIDGID = 1 << 2;
/** `fuse_read_in.read_flags`. */
export const READ_LOCK_OWNER = 1 << 1;
/** `fuse_fsync_in.fsync_flags`. */
export const FSYNC_DATA_ONLY = 1 << 0;
/** `fuse_setxattr_in.setxattr_flags`. */
export const SETXATTR_ACL_KILL_SGID = 1 << 0;

/** `fuse_ext_header.type` of the groups of whoever creates. */
export const EXTENSION_GROUPS = 32;

/** `F_RDLCK`, `F_WRLCK`, `F_UNLCK` of <fcntl.h> on Linux. */
export const LOCK_TYPES = { read: 0, write: 1, unlock: 2 } as const;

/** `RENAME_NOREPLACE` and so on of `renameat2`. */
export const RENAME_FLAGS = { noReplace: 1, exchange: 2, whiteout: 4 } as const;

/** Modes of `fallocate`. */
export const FALLOCATE_MODES = {
  keepSize: 0x01,
  punchHole: 0x02,
  collapseRange: 0x08,
  zeroRange: 0x10,
  insertRange: 0x20,
  unshareRange: 0x40,
} as const;

/** `whence` of `lseek`; the kernel does the others itself. */
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;

/** Flags of `setxattr`. */
export const XATTR_CREATE = 1;
export const XATTR_REPLACE = 2;

/** Flags of `open` as Linux has them on x86-64; `O_DIRECT` and `O_DIRECTORY` are others on arm64. */
export const OPEN_FLAGS = {
  accessMask: 0o3,
  readOnly: 0o0,
  writeOnly: 0o1,
  readWrite: 0o2,
  create: 0o100,
  exclusive: 0o200,
  truncate: 0o1000,
  append: 0o2000,
  nonBlock: 0o4000,
  dataSync: 0o10000,
  noAccessTime: 0o1000000,
  sync: 0o4010000,
} as const;
