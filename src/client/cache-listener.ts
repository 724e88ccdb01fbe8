import type { InodeNumber, InvalidItem, LeaseKind } from "../meta/index.js";

/**
 * Who keeps copies of what the client library knows: a mount, for its kernel. Whatever the calls promise is true when
 * their promise resolves; the cluster waits for it, so it must come soon (milliseconds), and must never depend on an
 * answer of the cluster: two mounts that wait for each other would wait until a session ends.
 *
 * So for names: whoever holds a directory's lock in the kernel may be waiting for us; invalidate them without that lock
 * (FUSE_NOTIFY_INC_EPOCH), or by FUSE_NOTIFY_INVAL_ENTRY only while no request of that directory is under way. For
 * attributes: FUSE_NOTIFY_INVAL_INODE with a negative offset takes no lock. For data: pages whose READ or WRITE is under
 * way make it wait, so that it is awaited only as far as the answers of those do not depend on the cluster.
 */
export interface CacheListener {
  /** None of this is kept any more. What the library answers from now on is newer. */
  invalidate(items: readonly InvalidItem[]): Promise<void>;
  /**
   * The lease of an open file is about to come down: what `to` does not allow must stop. Dirty pages arrive as writes
   * before this resolves, and are still accepted; then writes are held back, and what is buffered is written.
   */
  leaseComesDown(ino: InodeNumber, from: LeaseKind, to: LeaseKind): Promise<void>;
  /** Nothing is kept any more: the connection to the leader was lost. The next hello waits for it. */
  forgetAll(): Promise<void>;
}
