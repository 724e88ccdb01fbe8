/** A call that takes longer was not answered from memory. */
const PROMPT_MS = 0.2;
/** For what such a call took, it is not tried again for so many times as long. */
const PAUSE_FACTOR = 100;
/** One that takes longer was noticed by everybody: it is not tried again for a minute. */
const STALL_MS = 4;
const PAUSE_MS_MAX = 60_000;

/**
 * Whether calls to a disk may be made in place. Handing a call to a thread and hearing of its end costs ten times what
 * reading or writing a block costs that is in the page cache; but in place a slow disk holds up the whole process. So calls are made in
 * place for as long as they prove to be prompt; of its time a process spends at most a hundredth in calls that are not.
 */
export class Promptness {
  readonly #nowMs: () => number;
  readonly #wasSlow: () => boolean;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;

  /** `wasSlow` says of a call that took long whether the disk was to blame; others had the processor, if not. */
  constructor(nowMs: () => number, wasSlow: () => boolean = () => true) {
    this.#nowMs = nowMs;
    this.#wasSlow = wasSlow;
  }

  get mayTry(): boolean {
    return this.#nowMs() >= this.#pausedUntilMs;
  }

  /** Makes the call in place, and learns from how long it takes. */
  run<T>(call: () => T): T {
    const beganMs = this.#nowMs();
    try {
      return call();
    } finally {
      const endMs = this.#nowMs();
      const tookMs = endMs - beganMs;
      if (tookMs > PROMPT_MS && this.#wasSlow())
        this.#pausedUntilMs = endMs + (tookMs > STALL_MS ? PAUSE_MS_MAX : tookMs * PAUSE_FACTOR);
    }
  }
}
