import { type Errno, FAILURES, type Failure } from "../../base/index.js";

/** Numbers of Linux (the same on x86-64 and arm64). */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENOTTY: 25,
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
} as const satisfies Record<Errno, number> & Record<string, number>;

/**
 * What a program on the mount is told of a failure. It is what `FAILURES` says, but for what a program cannot make
 * sense of: a lost lease or session is an I/O error of this file, and whatever could be tried again has been.
 */
export function errnoOf({ code }: Pick<Failure, "code">): number {
  const { errno } = FAILURES[code];
  if (code === "lease_lost" || code === "session_lost" || code === "malformed") return ERRNO.EIO;
  if (errno === "EAGAIN") return code === "conflict" ? ERRNO.EAGAIN : ERRNO.EIO;
  return ERRNO[errno];
}
