import type { WireErrno } from "../fuse-wire/errno.js";

/** An answer that is an error number for its own reasons, not a failure of storage. */
export class ErrnoAnswer extends Error {
  override readonly name = "ErrnoAnswer";
  readonly errno: WireErrno;

  constructor(errno: WireErrno, reason: string, cause?: unknown) {
    super(`${errno}: ${reason}`, { cause });
    this.errno = errno;
  }
}
