import { type ChunkVersion, RECOVERY_VERSION_GAP } from "../../chunk/index.js";
import { Bitmap } from "./bitmap.js";

/** Versions that are told apart; older ones are taken together. */
const SPAN_COUNT_MAX = 8;

/** Regions that changed from the installation of a version on, until the next span begins. */
export interface ChangeSpan {
  readonly version: ChunkVersion;
  readonly regions: Bitmap;
}

/** As it is stored with the replica's record. */
export interface HistoryRecord {
  /** The oldest version of which it is known what changed after it. */
  readonly since: ChunkVersion;
  /** Oldest first. */
  readonly spans: readonly ChangeSpan[];
}

/**
 * Which regions of a replica changed under which versions, so that another replica, which was complete at an older version and
 * missed the ones since, need not fetch the others. What it keeps true: where this replica differs from what any replica
 * of version V had, that one's dirty and distrusted regions aside, the region is in a span younger than V. So a span
 * begins with what is on its way at that moment (the replica that was left out may not have it) and with what is distrusted;
 * and every region is noted before it is changed, by the chain or by filling.
 */
export class ChangeHistory {
  #since: ChunkVersion;
  #spans: ChangeSpan[];

  constructor({ since, spans }: HistoryRecord) {
    this.#since = since;
    this.#spans = spans.map(({ version, regions }) => ({ version, regions: new Bitmap(regions.toBytes()) }));
  }

  /**
   * A version is about to be installed. A leap over more versions than are ever skipped otherwise is a recovery of the
   * metadata: the versions before it may have been given out twice, and say nothing any more.
   */
  begin(version: ChunkVersion, underWay: Iterable<number>): void {
    const last = this.#spans.at(-1)?.version ?? this.#since;
    if (version <= last) return;
    const regions = new Bitmap();
    for (const region of underWay) regions.add(region);
    if (version - last >= RECOVERY_VERSION_GAP) {
      this.#since = version;
      this.#spans = [];
    }
    this.#spans.push({ version, regions });
    if (this.#spans.length > SPAN_COUNT_MAX) this.#joinOldest();
  }

  /** The regions are about to be changed. */
  note(regions: Iterable<number>): void {
    // Without a span nobody was left out since this replica began.
    const span = this.#spans.at(-1);
    if (span !== undefined) for (const region of regions) span.regions.add(region);
  }

  /** What changed after that version; undefined if that is not known. */
  changedAfter(version: number): Bitmap | undefined {
    if (version < this.#since) return undefined;
    const result = new Bitmap();
    for (const span of this.#spans) if (span.version > version) result.addAll(span.regions);
    return result;
  }

  toRecord(): HistoryRecord {
    return { since: this.#since, spans: this.#spans };
  }

  /** Counted as the younger: whoever missed one of them is told both. */
  #joinOldest(): void {
    const [first, second] = this.#spans;
    if (first !== undefined && second !== undefined) second.regions.addAll(first.regions);
    this.#spans.shift();
  }
}
