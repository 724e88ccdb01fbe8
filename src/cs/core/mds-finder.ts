import type { Failure } from "../../base/index.js";

const DELAY_MS_MIN = 50;
const DELAY_MS_MAX = 2_000;

/** Which MDS to try next, and how long to wait before: a hint first, else one after the other. */
export class MdsFinder {
  #addresses: readonly string[] = [];
  #index = 0;
  #hint: string | undefined;
  #failureCount = 0;

  /** The addresses known now. */
  update(addresses: readonly string[]): void {
    this.#addresses = addresses;
  }

  get address(): string {
    return this.#hint ?? this.#addresses[this.#index % this.#addresses.length] ?? "";
  }

  /** It answered as the leader. */
  succeeded(): void {
    this.#failureCount = 0;
  }

  /** Returns the pause before the next attempt, ms; `chance` in [0, 1) spreads servers that failed together. */
  failed(failure: Failure | undefined, chance: number): number {
    const hint = failure?.code === "not_leader" ? failure.leaderHint : undefined;
    // A hint that leads nowhere must not lead there again and again.
    if (hint !== undefined && hint !== this.address) {
      this.#hint = hint;
      this.#failureCount++;
      return this.#failureCount > this.#addresses.length ? this.#pause(chance) : 0;
    }
    if (this.#hint === undefined) this.#index++;
    this.#hint = undefined;
    this.#failureCount++;
    return this.#failureCount < this.#addresses.length ? 0 : this.#pause(chance);
  }

  #pause(chance: number): number {
    const doublings = Math.min(10, Math.max(0, this.#failureCount - this.#addresses.length));
    return Math.min(DELAY_MS_MAX, DELAY_MS_MIN * 2 ** doublings) * (0.5 + chance / 2);
  }
}
