/**
 * The level of a cluster says what its servers and clients may ask of each other. Every program knows all levels from the first to
 * `LEVEL`, and tells so when it meets a metadata server; the leader raises the level of the cluster, by an entry of the log, when
 * everybody who takes part knows a higher one. From then on programs that do not are refused. It never comes down.
 *
 * Whatever a program of an earlier level would not understand, would refuse, or would carry out otherwise, waits for its level.
 */
export const LEVEL = 2;

/** That of programs and clusters that do not speak of levels. */
export const FIRST_LEVEL = 1;

/** From which level on there is what. */
export const LEVEL_OF = {
  /** Writes of more than `IO_BYTES_MAX` in one message. */
  longWrites: 2,
  /** Writes of several places in one message. */
  writeExtents: 2,
  /** Contents of more than a block in the metadata. */
  longInlines: 2,
  /** Mutations answered early, many in one request. */
  changeTogether: 2,
  /** Small files opened before anybody asks for them, many in one request. */
  openAhead: 2,
  /** Access times of many inodes in one request, instead of one `setAttributes` for each. */
  markAccessed: 2,
  /** Chunk servers in maintenance, and configuration `mds.wd.maintenance_tout`. */
  maintenance: 2,
  /** Configuration `mds.level.max`. */
  levelLimit: 2,
  /** What a holder tells late of its writes moves `ctime` to the time of the last write, not to that of the telling. */
  reportedCtime: 2,
  /** That bytes became zeros is told by itself, and is a change as a write is. */
  zeroed: 2,
  /** A write that a truncation cut off does not make the file longer. */
  cutVersions: 2,
  /** `mds.wd.inactive_tout` is refused if it leaves no time for a second heartbeat. */
  heartbeatsWithin: 2,
  /** Clients show tickets to chunk servers, which refuse who has none. */
  tickets: 2,
} as const;

/** What was told, by a program that may know nothing of levels. */
export const toldLevel = (level: number | undefined): number => Math.max(FIRST_LEVEL, level ?? 0);

/** For whoever has to be updated. */
export function levelRefusal(level: number, known: number): string {
  return `this cluster works at level ${level}, and that program knows none above ${known}: update it`;
}
