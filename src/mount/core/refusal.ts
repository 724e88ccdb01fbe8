import { failureOf } from "../../base/index.js";
import type { FuseReply } from "../fuse-wire/replies.js";
import { ErrnoAnswer } from "./errno-answer.js";
import { mountErrno } from "./mount-errno.js";

/** How who asked is told of what went wrong; undefined: it is a bug. */
export function refusalOf(error: unknown): FuseReply | undefined {
  if (error instanceof ErrnoAnswer) return { type: "error", errno: error.errno };
  const failure = failureOf(error);
  return failure && { type: "error", errno: mountErrno(failure) };
}
