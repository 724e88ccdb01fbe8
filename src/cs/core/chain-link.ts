import type { FailureCode } from "../../base/index.js";
import type { ChainMember, ChunkVersion } from "../../chunk/index.js";
import type { ForwardResult } from "./chain-types.js";

/**
 * The way to the successor under one version.
 *
 * - `up`: changes are sent as they come.
 * - `waiting`: the successor is not yet at this version; sent again from the oldest on after a pause.
 * - `down`: the successor, or one behind it, failed and the MDS was told; nothing is sent before the next install.
 * - `deposed`: the successor is at a newer version, in which this server may have no part.
 */
type LinkState = "up" | "waiting" | "down" | "deposed";

const RETRY_DELAY_MS_MIN = 5;
const RETRY_DELAY_MS_MAX = 200;
/** Some three seconds of waiting for a successor that was never installed. */
const RETRY_COUNT_MAX = 20;

export type LinkVerdict =
  | { readonly type: "none" }
  | { readonly type: "retry"; readonly delayMs: number }
  | { readonly type: "broken"; readonly code: FailureCode }
  | { readonly type: "heldBehind" }
  | { readonly type: "deposed"; readonly version: number };

/** Decides what the successor's answers mean. */
export class ChainLink {
  readonly successor: ChainMember | undefined;
  readonly #version: ChunkVersion;
  /** Results of this attempt and later ones count. */
  readonly #firstAttempt: number;
  #attempt: number;
  #state: LinkState = "up";
  #retryCount = 0;
  #newerVersion = 0;

  constructor(successor: ChainMember | undefined, version: ChunkVersion, attempt: number) {
    this.successor = successor;
    this.#version = version;
    this.#firstAttempt = attempt;
    this.#attempt = attempt;
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  get attempt(): number {
    return this.#attempt;
  }

  /** What those who wait upstream must hear at once, if anything. */
  get held(): { installedVersion: number; successorFailed: boolean } | undefined {
    if (this.#state === "down") return { installedVersion: this.#version, successorFailed: true };
    if (this.#state === "deposed") return { installedVersion: this.#newerVersion, successorFailed: false };
    return undefined;
  }

  /** True if an acknowledgement that was sent for in that attempt is worth something. */
  isCurrent(attempt: number): boolean {
    return attempt >= this.#firstAttempt;
  }

  /** The successor acknowledged something: it is at this version. */
  succeeded(): void {
    this.#retryCount = 0;
  }

  /** What the successor's refusal, or its silence, means. */
  judge(attempt: number, result: Exclude<ForwardResult, { type: "done" }>): LinkVerdict {
    if (result.type === "failed") return this.#failed(attempt, result.code);
    return this.#refused(attempt, result.body.installedVersion, result.body.successorFailed);
  }

  #failed(attempt: number, code: FailureCode): LinkVerdict {
    if (!this.isCurrent(attempt) || this.held !== undefined) return { type: "none" };
    this.#state = "down";
    return { type: "broken", code };
  }

  #refused(attempt: number, installedVersion: number, successorFailed: boolean): LinkVerdict {
    if (!this.isCurrent(attempt) || this.held !== undefined) return { type: "none" };
    if (installedVersion > this.#version) {
      this.#state = "deposed";
      this.#newerVersion = installedVersion;
      return { type: "deposed", version: installedVersion };
    }
    if (successorFailed) {
      this.#state = "down";
      return { type: "heldBehind" };
    }
    if (attempt !== this.#attempt || this.#state === "waiting") return { type: "none" };
    if (++this.#retryCount > RETRY_COUNT_MAX) return this.#failed(attempt, "stale_map");
    this.#state = "waiting";
    const delayMs = Math.min(RETRY_DELAY_MS_MAX, RETRY_DELAY_MS_MIN * 2 ** (this.#retryCount - 1));
    return { type: "retry", delayMs };
  }

  /** The pause is over. False if it is of no use any more. */
  retry(attempt: number): boolean {
    if (attempt !== this.#attempt || this.#state !== "waiting") return false;
    this.#attempt++;
    this.#state = "up";
    return true;
  }
}
