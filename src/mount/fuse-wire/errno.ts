import type { Errno } from "../../base/index.js";

/** Names that no failure of ours has, but answers to the kernel do. */
export type WireErrno =
  | Errno
  | "ENOMEM"
  | "ENODEV"
  | "ENOTTY"
  | "ENOSYS"
  | "EBADF"
  | "ETXTBSY"
  | "EDEADLK"
  | "ENOLCK";

/** Linux numbers of x86, arm and riscv (asm-generic). */
export const ERRNO_NUMBERS: Readonly<Record<WireErrno, number>> = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENOTTY: 25,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EPROTO: 71,
  EOPNOTSUPP: 95,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ESTALE: 116,
  EDQUOT: 122,
};
