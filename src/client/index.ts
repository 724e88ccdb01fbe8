/** The library every consumer uses. `connect.ts` puts it together for a real program; see docs/client-library.md. */
export { Admin, type AdminWorld } from "./admin.js";
export type { Backup } from "./backup.js";
export { BlockCache, type BlockCacheStatus } from "./block-cache.js";
export type { CacheListener } from "./cache-listener.js";
export { Cluster, type ClusterConfig } from "./cluster.js";
export { Loan } from "./core/lent-block.js";
export { componentsOf, joinPath, type Path, splitPath } from "./core/paths.js";
export { FileHandle, type HandleOptions, type KeepSizeOptions, type ReadOptions } from "./file-handle.js";
export {
  type CreateOptions,
  FileSystem,
  type OpenOptions,
  type WriteFileOptions,
} from "./file-system.js";
export {
  type AttributeChange,
  InodeOperations,
  type NewInode,
  type OpenedHandle,
  type SetXattrOptions,
  type StorageChange,
  type TruncateOptions,
} from "./inode-operations.js";
export { type LockHolder, type LockInTheWay, Locks } from "./locks.js";
export { ReplicaAccess, type ReplicaAddress, type ReplicaDescription } from "./replica-access.js";
export {
  type ReadStreamOptions,
  readStream,
  type StreamOptions,
  WriteStream,
  type WriteStreamOptions,
  writeAll,
} from "./streams.js";
export type { WaitOptions } from "./waiting.js";
export type { WriteBehindLimits } from "./write-behind.js";
