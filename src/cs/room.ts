import { failureOf } from "../base/index.js";
import type { Clock, DiskSpace } from "../io/index.js";

/** Of the disk, kept for records, checksums and deletions: a disk that is full to the last byte cannot even delete. */
const RESERVE_FRACTION = 0.02;
const RESERVE_BYTES_MIN = 4 << 20;
const RESERVE_BYTES_MAX = 2 ** 30;
/** What is known of the disk is not older than that when something is written. */
const FRESH_MS = 200;

/** How much more data the disk may take: what is free beyond a reserve, less what was written since it was looked at. */
export class Room {
  readonly #clock: Clock;
  readonly #space: () => Promise<DiskSpace>;
  #leftBytes = Number.POSITIVE_INFINITY;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #isLooking = false;

  constructor(clock: Clock, space: () => Promise<DiskSpace>) {
    this.#clock = clock;
    this.#space = space;
  }

  /** Whether so many bytes may be written. */
  take(lengthBytes: number): boolean {
    this.#leftBytes -= lengthBytes;
    if (this.#clock.monotonicMs() - this.#lookedMs >= FRESH_MS) void this.#look();
    return this.#leftBytes > 0;
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const { totalBytes, freeBytes } = await this.#space();
      const wanted = Math.max(RESERVE_BYTES_MIN, totalBytes * RESERVE_FRACTION);
      // A disk that is tiny anyway is not kept from being used.
      this.#leftBytes = freeBytes - Math.min(RESERVE_BYTES_MAX, totalBytes / 8, wanted);
    } catch (error) {
      // The disk has other troubles, which those who write to it will meet.
      if (failureOf(error) === undefined) throw error;
    } finally {
      this.#lookedMs = this.#clock.monotonicMs();
      this.#isLooking = false;
    }
  }
}
