/**
 * Where the mount may differ from ext4, each with its reason. Whatever is not here must be the same. A row may be removed
 * by making the mount right, and added only with a reason that a user would accept.
 */
export interface KnownDifference {
  /** Title of the case. */
  readonly title: string;
  /** The line of the transcript, or the beginning of it. */
  readonly call: string;
  /** What the mount answers; left out where it may be anything. */
  readonly mount?: string;
  readonly reason: string;
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    title: "truncate by another user clears setuid and setgid",
    call: 'root: stat "f"',
    mount: "mode 102767 nlink 1 owner 0:0 size 5 rdev 0:0",
    reason:
      "FUSE_HANDLE_KILLPRIV_V2 tells the file system to clear setgid only where the group may execute; of a file that nobody's group may execute the bit means nothing",
  },
  {
    title: "ranges are not collapsed or inserted at odd places",
    call: "root: fallocate(",
    mount: "EOPNOTSUPP",
    reason: "the kernel's FUSE refuses FALLOC_FL_COLLAPSE_RANGE and FALLOC_FL_INSERT_RANGE by itself",
  },
];
