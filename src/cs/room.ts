import { failureOf } from "../base/index.js";
import type { Clock, DiskSpace } from "../io/index.js";

/** Of the disk, kept for records, checksums and deletions: a disk that is full to the last byte cannot even delete. */
const RESERVE_FRACTION = 0.02;
/** The records' log and table of a write buffer of LevelDB each. */
const RESERVE_BYTES_MIN = 8 << 20;
const RESERVE_BYTES_MAX = 2 ** 30;
/** What is known of the disk is not older than that when something is written. */
const FRESH_MS = 200;

/** What is kept free of a disk of that size, bytes. A disk that is tiny anyway is not kept from being used. */
export function reserveOf(totalBytes: number): number {
  const wanted = Math.max(RESERVE_BYTES_MIN, totalBytes * RESERVE_FRACTION);
  return Math.min(RESERVE_BYTES_MAX, totalBytes / 8, wanted);
}

/** How much more data the disk may take: what is free beyond a reserve, less what may have been written since it was looked at. */
export class Room {
  readonly #clock: Clock;
  readonly #space: () => Promise<DiskSpace>;
  #leftBytes = Number.POSITIVE_INFINITY;
  /** Taken since the last look began, and between that and the one before: perhaps not written yet when the disk was asked. */
  #takenBytes = 0;
  #takenBeforeBytes = 0;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #isLooking = false;

  constructor(clock: Clock, space: () => Promise<DiskSpace>) {
    this.#clock = clock;
    this.#space = space;
  }

  /** Whether so many bytes may be written. If not, nothing is taken. */
  take(lengthBytes: number): boolean {
    if (this.#clock.monotonicMs() - this.#lookedMs >= FRESH_MS) void this.#look();
    if (this.#leftBytes <= lengthBytes) return false;
    this.#leftBytes -= lengthBytes;
    this.#takenBytes += lengthBytes;
    return true;
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    this.#takenBeforeBytes = this.#takenBytes;
    this.#takenBytes = 0;
    try {
      const { totalBytes, freeBytes } = await this.#space();
      this.#leftBytes = freeBytes - reserveOf(totalBytes) - this.#takenBeforeBytes - this.#takenBytes;
    } catch (error) {
      // The disk has other troubles, which those who write to it will meet.
      if (failureOf(error) === undefined) throw error;
    } finally {
      this.#lookedMs = this.#clock.monotonicMs();
      this.#isLooking = false;
    }
  }
}
