/** Somebody who has proved the password may act for that long after the last action. */
export const SIGN_IN_MS = 1_800_000;
const COUNT_MAX = 64;

/** Who may act, by what their browsers hold. Kept in memory: a restart signs everybody out. */
export class SignIns {
  /** Token to the end of it; the least recently used first. */
  readonly #untilMs = new Map<string, number>();

  add(token: string, nowMs: number): void {
    const [oldest] = this.#untilMs.keys();
    if (this.#untilMs.size >= COUNT_MAX && oldest !== undefined) this.#untilMs.delete(oldest);
    this.#untilMs.set(token, nowMs + SIGN_IN_MS);
  }

  /** True if the token is good; it is good for the full time again then. */
  use(token: string, nowMs: number): boolean {
    const untilMs = this.#untilMs.get(token);
    this.#untilMs.delete(token);
    if (untilMs === undefined || untilMs <= nowMs) return false;
    this.#untilMs.set(token, nowMs + SIGN_IN_MS);
    return true;
  }

  remove(token: string): void {
    this.#untilMs.delete(token);
  }
}
