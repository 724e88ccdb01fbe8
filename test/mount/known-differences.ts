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

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [];
