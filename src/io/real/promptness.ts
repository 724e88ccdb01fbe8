/** A call that takes longer was not answered from memory. */
const PROMPT_MS = 0.2;
/** For what such a call took, it is not tried again for so many times as long. */
const PAUSE_FACTOR = 100;
/** One that takes longer was noticed by everybody: the second in a row costs so many times the pause, the third so many times that. */
const STALL_MS = 4;
const STALL_FACTOR = 4;
const PAUSE_MS_MAX = 60_000;
/** After so many prompt calls the next stall is a first one again. */
const PROMPT_COUNT = 1000;

/** Says of a call that took long whether a disk was to blame: others may have had the processor meanwhile. */
export interface CallWatch {
  /** A call begins. */
  begin(): void;
  /** For how much of the time that the call took, which has just ended, the disk is to blame. */
  blockedMs(tookMs: number): number;
}

const ALWAYS_BLAMED: CallWatch = { begin: () => undefined, blockedMs: (tookMs) => tookMs };

/**
 * Whether calls to a disk may be made in place. Handing a call to a thread and hearing of its end costs ten times what
 * reading or writing a block costs that is in the page cache; but in place a slow disk holds up the whole process. So calls are made in
 * place for as long as they prove to be prompt; of its time a process spends at most a hundredth in calls that are not. A disk that
 * stalls again and again is left alone for a minute each time; one hiccup does not cost a minute.
 */
export class Promptness {
  readonly #nowMs: () => number;
  readonly #watch: CallWatch;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  /** What the next stall's pause is multiplied by. */
  #severity = 1;
  #promptCount = 0;

  constructor(nowMs: () => number, watch: CallWatch = ALWAYS_BLAMED) {
    this.#nowMs = nowMs;
    this.#watch = watch;
  }

  get mayTry(): boolean {
    return this.#nowMs() >= this.#pausedUntilMs;
  }

  /** Makes the call in place, and learns from how long it takes. */
  run<T>(call: () => T): T {
    this.#watch.begin();
    const beganMs = this.#nowMs();
    try {
      return call();
    } finally {
      const endMs = this.#nowMs();
      const tookMs = endMs - beganMs;
      const blockedMs = tookMs > PROMPT_MS ? this.#watch.blockedMs(tookMs) : 0;
      if (blockedMs <= PROMPT_MS) this.#promptCount += 1;
      else this.#pausedUntilMs = endMs + this.#pauseMs(blockedMs);
    }
  }

  #pauseMs(blockedMs: number): number {
    const pauseMs = blockedMs * PAUSE_FACTOR;
    if (blockedMs <= STALL_MS) return pauseMs;
    if (this.#promptCount >= PROMPT_COUNT) this.#severity = 1;
    this.#promptCount = 0;
    const severity = this.#severity;
    this.#severity *= STALL_FACTOR;
    return Math.min(PAUSE_MS_MAX, pauseMs * severity);
  }
}
