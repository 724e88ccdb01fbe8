import { FAILURES, type Failure } from "../../base/index.js";
import type { WireErrno } from "../fuse-wire/errno.js";

/**
 * What a program on the mount is told of a failure: what `FAILURES` says, but for what no program can make sense of.
 * A lost lease or session is an I/O error of this file, and what could be tried again has been.
 */
export function mountErrno({ code }: Pick<Failure, "code">): WireErrno {
  const { errno, retry } = FAILURES[code];
  if (code === "lock_conflict") return errno;
  if (code === "lease_lost" || code === "session_lost" || code === "malformed") return "EIO";
  return errno === "EAGAIN" && retry !== "never" ? "EIO" : errno;
}
