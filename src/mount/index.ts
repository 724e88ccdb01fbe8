/** A cluster as a file system of this machine. What the commands that mount need; the daemon itself is `main.ts`. */
export type { MountConfig, MountOutcome } from "./mount-config.js";
export {
  type MountOptions,
  parseMegabytes,
  parseMode,
  parseMountOptions,
  parseRemount,
} from "./mount-options.js";
export { isDeadMount, mountTable, remount, unmount } from "./mount-point.js";
export { clusterOfSource, MOUNT_TYPES, type MountedEntry, mountAt, mountOf } from "./mount-table.js";
