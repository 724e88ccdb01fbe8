/** What one mount daemon is told by whoever starts it. Checked by the starter, and passed on as JSON. */
export interface MountConfig {
  readonly clusterName: string;
  /** `PSTORAGE_ROOT`: where etc/pstorage is. */
  readonly root: string;
  /** Client addresses given with -b, separated by commas; else bs.list decides. */
  readonly bootstrap: string | undefined;
  /** The mount point, absolute and canonical. */
  readonly directory: string;
  /** `fuse.pstorage` or `fuse.vstorage`. */
  readonly type: string;
  /** What /proc/mounts shows as the device. */
  readonly source: string;
  /** For mount(8). */
  readonly kernelOptions: readonly string[];
  readonly isReadOnly: boolean;
  readonly noatime: boolean;
  /** Access control lists are kept, and decide. */
  readonly hasAcls: boolean;
  /** Names and attributes of what nobody else knows are changed without waiting for the metadata servers. */
  readonly answersEarly: boolean;
  /** Owner and mode of the root directory as shown; undefined leaves them as they are. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  readonly mode: number | undefined;
  /** SSD read cache; none without. */
  readonly cacheFile: string | undefined;
  readonly cacheMegabytes: number | undefined;
  /** Where to serve metrics, `[ADDR:]PORT`; nowhere without. */
  readonly metrics?: string | undefined;
  /** `stderr`, or a file; compressed if it ends in .gz. */
  readonly log: string;
  readonly logLevel: "debug" | "info";
}

/** What a mount daemon tells its starter over their channel, once. */
export type MountOutcome =
  | { readonly type: "mounted"; readonly pid: number }
  /** One line for a person. */
  | { readonly type: "failed"; readonly reason: string };
