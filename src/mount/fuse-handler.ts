import type { FuseReply } from "./fuse-wire/replies.js";
import type { ForgetItem, FuseRequest, RequestType } from "./fuse-wire/requests.js";

/** Requests that the connection answers on its own. */
type OwnRequest = "init" | "interrupt" | "forget" | "destroy" | "notifyReply" | "unknown";

/** A request that a file system answers. */
export type FileSystemRequest = Extract<FuseRequest, { readonly type: Exclude<RequestType, OwnRequest> }>;

/** What a connection needs of the file system behind it. */
export interface FuseHandler {
  /** The answer, if it is known and nobody has to be waited for; else undefined, and nothing has been done. */
  answerAtOnce?(request: FileSystemRequest): FuseReply | undefined;
  /**
   * Answers a request. Many are under way at once, in any order. A `StorageError` becomes its errno (the table of
   * base/failure). `signal` is aborted when the process that waits was interrupted, or the connection is gone; the
   * handler then gives up if it can, with `cancelled` (EINTR).
   *
   * `data` of a write lies in a buffer that is used again once the answer is given.
   */
  handle(request: FileSystemRequest, signal: AbortSignal): Promise<FuseReply>;
  /** The kernel drops references that entries gave it. Never answered, and it must not throw. */
  forget(items: readonly ForgetItem[]): void;
}

/**
 * What the file system tells the kernel unasked. Each resolves when the kernel has done it, and never before the
 * kernel's own write-back of what it invalidates, whose WRITE requests the handler must go on answering meanwhile.
 * What the kernel does not know (any more) is no failure. After the connection has ended they resolve at once.
 */
export interface KernelCache {
  /**
   * Forgets the attributes of a node, and the cached data from `offset` on: `lengthBytes` of them, or all if that is
   * 0. A negative `offset` leaves the data alone. Dirty pages are written back first.
   */
  invalidateInode(nodeId: number, offset: number, lengthBytes: number): Promise<void>;
  /**
   * Puts these bytes into the file's pages if they are there; if they reach beyond the end that the kernel believes in,
   * that moves, whatever answers and invalidations are on their way. False if the kernel did not take them.
   */
  store(nodeId: number, offset: number, data: Uint8Array): Promise<boolean>;
  /** Forgets what a name stands for, also that there is none. */
  invalidateEntry(parent: number, name: Uint8Array): Promise<void>;
  /**
   * Makes the kernel ask again about every name it knows. True if this kernel can; else the caller invalidates each
   * entry it has given out. Attributes of what is open stay believed: they need `invalidateInode` in any case.
   */
  incrementEpoch(): Promise<boolean>;
}
