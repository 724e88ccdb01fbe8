import { type FailureCode, StorageError, storageError } from "../../base/index.js";

const CODE_OF_ERRNO: Readonly<Record<string, FailureCode>> = {
  ENOSPC: "no_space",
  EDQUOT: "no_space",
  ENOENT: "not_found",
  EEXIST: "exists",
  EROFS: "read_only",
};

/** The failure that a failed system call means: `what` was tried, on the path it names. */
export function storageErrorOf(error: unknown, what: string): StorageError {
  if (error instanceof StorageError) return error;
  const errno = errnoOf(error);
  return storageError(CODE_OF_ERRNO[errno] ?? "io_error", `${what}: ${errno}`, error);
}

/** The symbolic errno (`ENOENT`), or the message of whatever else was thrown. */
export function errnoOf(error: unknown): string {
  if (error instanceof Error && "code" in error && typeof error.code === "string") return error.code;
  return error instanceof Error ? error.message : String(error);
}
