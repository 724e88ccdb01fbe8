/**
 * Everything that can go wrong in normal operation, and what it means to a gRPC peer, to a POSIX
 * caller and to the retry loop. The list is closed: a new code does not compile without its row.
 */

type Retry =
  /** The answer would be the same. */
  | "never"
  /** Ask another server (another MDS, another replica). */
  | "elsewhere"
  /** Ask for the new state of the world (chunk map, session), then try again. */
  | "refresh"
  /** The same request may succeed after a pause. */
  | "later";

interface Verdict {
  readonly grpc: GrpcStatus;
  readonly errno: Errno;
  readonly retry: Retry;
}

export type GrpcStatus =
  | "CANCELLED"
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

export type Errno =
  | "EPERM"
  | "ENOENT"
  | "EINTR"
  | "EIO"
  | "ENXIO"
  | "EAGAIN"
  | "EACCES"
  | "EBUSY"
  | "EEXIST"
  | "EXDEV"
  | "ENOTDIR"
  | "EISDIR"
  | "EINVAL"
  | "EFBIG"
  | "ENOSPC"
  | "EROFS"
  | "EMLINK"
  | "ERANGE"
  | "ENAMETOOLONG"
  | "ENOTEMPTY"
  | "ELOOP"
  | "ENODATA"
  | "EPROTO"
  | "EOPNOTSUPP"
  | "ETIMEDOUT"
  | "ESTALE"
  | "EDQUOT"
  | "E2BIG"
  | "ENOTCONN"
  | "EDEADLK"
  | "ENOLCK";

/** The one place that says what a failure means to everybody. */
export const FAILURES = {
  // The way to the answer failed.
  not_leader: { grpc: "UNAVAILABLE", errno: "EAGAIN", retry: "elsewhere" },
  unavailable: { grpc: "UNAVAILABLE", errno: "EAGAIN", retry: "elsewhere" },
  timed_out: { grpc: "DEADLINE_EXCEEDED", errno: "ETIMEDOUT", retry: "elsewhere" },
  cancelled: { grpc: "CANCELLED", errno: "EINTR", retry: "never" },
  closed: { grpc: "CANCELLED", errno: "ENOTCONN", retry: "never" },
  busy: { grpc: "RESOURCE_EXHAUSTED", errno: "EAGAIN", retry: "later" },
  session_lost: { grpc: "FAILED_PRECONDITION", errno: "ESTALE", retry: "refresh" },
  lease_lost: { grpc: "FAILED_PRECONDITION", errno: "ESTALE", retry: "refresh" },
  stale_map: { grpc: "ABORTED", errno: "EAGAIN", retry: "refresh" },
  ticket_refused: { grpc: "PERMISSION_DENIED", errno: "EACCES", retry: "refresh" },
  // Storage.
  chunk_corrupt: { grpc: "DATA_LOSS", errno: "EIO", retry: "elsewhere" },
  io_error: { grpc: "DATA_LOSS", errno: "EIO", retry: "elsewhere" },
  no_space: { grpc: "RESOURCE_EXHAUSTED", errno: "ENOSPC", retry: "later" },
  quota_exceeded: { grpc: "RESOURCE_EXHAUSTED", errno: "EDQUOT", retry: "never" },
  too_few_replicas: { grpc: "UNAVAILABLE", errno: "EAGAIN", retry: "later" },
  log_corrupt: { grpc: "DATA_LOSS", errno: "EIO", retry: "never" },
  // POSIX answers.
  not_found: { grpc: "NOT_FOUND", errno: "ENOENT", retry: "never" },
  exists: { grpc: "ALREADY_EXISTS", errno: "EEXIST", retry: "never" },
  not_directory: { grpc: "FAILED_PRECONDITION", errno: "ENOTDIR", retry: "never" },
  is_directory: { grpc: "FAILED_PRECONDITION", errno: "EISDIR", retry: "never" },
  not_empty: { grpc: "FAILED_PRECONDITION", errno: "ENOTEMPTY", retry: "never" },
  name_too_long: { grpc: "INVALID_ARGUMENT", errno: "ENAMETOOLONG", retry: "never" },
  too_many_links: { grpc: "FAILED_PRECONDITION", errno: "EMLINK", retry: "never" },
  symlink_loop: { grpc: "FAILED_PRECONDITION", errno: "ELOOP", retry: "never" },
  cross_device: { grpc: "INVALID_ARGUMENT", errno: "EXDEV", retry: "never" },
  file_too_large: { grpc: "OUT_OF_RANGE", errno: "EFBIG", retry: "never" },
  no_such_attribute: { grpc: "NOT_FOUND", errno: "ENODATA", retry: "never" },
  out_of_range: { grpc: "OUT_OF_RANGE", errno: "ERANGE", retry: "never" },
  attribute_too_large: { grpc: "INVALID_ARGUMENT", errno: "E2BIG", retry: "never" },
  not_permitted: { grpc: "PERMISSION_DENIED", errno: "EPERM", retry: "never" },
  access_denied: { grpc: "PERMISSION_DENIED", errno: "EACCES", retry: "never" },
  read_only: { grpc: "FAILED_PRECONDITION", errno: "EROFS", retry: "never" },
  lease_conflict: { grpc: "FAILED_PRECONDITION", errno: "EBUSY", retry: "later" },
  lock_conflict: { grpc: "FAILED_PRECONDITION", errno: "EAGAIN", retry: "later" },
  deadlock: { grpc: "FAILED_PRECONDITION", errno: "EDEADLK", retry: "never" },
  too_many_locks: { grpc: "RESOURCE_EXHAUSTED", errno: "ENOLCK", retry: "never" },
  // Requests that are wrong in themselves.
  invalid: { grpc: "INVALID_ARGUMENT", errno: "EINVAL", retry: "never" },
  unsupported: { grpc: "UNIMPLEMENTED", errno: "EOPNOTSUPP", retry: "never" },
  malformed: { grpc: "INVALID_ARGUMENT", errno: "EPROTO", retry: "never" },
  conflict: { grpc: "ABORTED", errno: "EAGAIN", retry: "never" },
  refused: { grpc: "FAILED_PRECONDITION", errno: "EPERM", retry: "never" },
  // Identity.
  unauthenticated: { grpc: "UNAUTHENTICATED", errno: "EACCES", retry: "never" },
  unauthorized: { grpc: "PERMISSION_DENIED", errno: "EACCES", retry: "never" },
  wrong_cluster: { grpc: "FAILED_PRECONDITION", errno: "EACCES", retry: "never" },
  rate_limited: { grpc: "RESOURCE_EXHAUSTED", errno: "EAGAIN", retry: "later" },
} as const satisfies Record<string, Verdict>;

export type FailureCode = keyof typeof FAILURES;

/** A value: it crosses the wire as it is. */
export interface Failure {
  readonly code: FailureCode;
  /** One line for a person: what happened and what to do. Never keys, never user bytes. */
  readonly detail: string;
  /** With `not_leader`: the client address of the MDS that leads, if known. */
  readonly leaderHint?: string | undefined;
}

/** An operating failure on its way to whoever can act on it. `cause` stays on this machine. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly failure: Failure;

  constructor(failure: Failure, cause?: unknown) {
    super(failure.detail === "" ? failure.code : `${failure.code}: ${failure.detail}`, { cause });
    this.failure = failure;
  }

  get code(): FailureCode {
    return this.failure.code;
  }
}

/** Shorthand of `new StorageError`. */
export function storageError(code: FailureCode, detail = "", cause?: unknown): StorageError {
  return new StorageError({ code, detail }, cause);
}

export function isFailureCode(text: string): text is FailureCode {
  return Object.hasOwn(FAILURES, text);
}

/** The failure inside whatever was thrown, or undefined if it is a bug rather than a failure. */
export function failureOf(error: unknown): Failure | undefined {
  return error instanceof StorageError ? error.failure : undefined;
}
