/** How often each end of a connection shows that it lives. */
export const SIGN_MS = 500;
/** Reads and writes wait for a server that hangs: nobody is given up sooner, and nobody is waited for longer. */
const SILENT_MS_MIN = 2000;
const SILENT_MS_MAX = 7500;
/** So many signs in a row are missing before a peer is thought to be silent. */
const MISSING_SIGNS = 4;
/** The longest pause of a peer is remembered for so long, and at most twice as long. */
const PAUSES_MS = 60_000;

/**
 * Whether the peer of a connection may still live, by what was heard of it. How long it may be silent it shows itself: a peer that
 * gives signs seldom, as earlier programs do, is waited for longer; and so is one that has been as good as silent lately and was
 * busy only. Pure: the time, of a clock that never runs backwards, comes in.
 */
export class SignsOfLife {
  #heardAtMs: number;
  /** Of the last record that was nothing but a sign. */
  #signAtMs: number | undefined;
  /** The shortest time between two of them. */
  #periodMs: number | undefined;
  /** Longest pauses, of the present and of the last period of `PAUSES_MS`. */
  #pauses = { sinceMs: 0, nowMs: 0, beforeMs: 0 };

  constructor(nowMs: number) {
    this.#heardAtMs = nowMs;
    this.#pauses.sinceMs = nowMs;
  }

  /** Something arrived. */
  heard(nowMs: number): void {
    if (nowMs - this.#pauses.sinceMs >= PAUSES_MS)
      this.#pauses = { sinceMs: nowMs, nowMs: 0, beforeMs: this.#pauses.nowMs };
    this.#pauses.nowMs = Math.max(this.#pauses.nowMs, nowMs - this.#heardAtMs);
    this.#heardAtMs = nowMs;
  }

  /** What arrived was a sign of life and nothing else. */
  sign(nowMs: number): void {
    if (this.#signAtMs !== undefined) {
      const pauseMs = nowMs - this.#signAtMs;
      this.#periodMs = Math.min(this.#periodMs ?? pauseMs, pauseMs);
    }
    this.#signAtMs = nowMs;
  }

  /** Nobody listened for a while: that silence was not the peer's. */
  excuse(nowMs: number): void {
    this.#heardAtMs = nowMs;
    this.#signAtMs = undefined;
  }

  isSilent(nowMs: number): boolean {
    return nowMs - this.#heardAtMs > this.silentMsMax;
  }

  /** How long it may be silent. */
  get silentMsMax(): number {
    if (this.#periodMs === undefined) return SILENT_MS_MAX;
    const pauseMs = Math.max(this.#pauses.nowMs, this.#pauses.beforeMs);
    const wanted = Math.max(MISSING_SIGNS * this.#periodMs, 2 * pauseMs, SILENT_MS_MIN);
    return Math.min(wanted, SILENT_MS_MAX);
  }
}
