import { FAILURES, type FailureCode } from "../../base/index.js";

/** What to do about a failure. */
export type NextStep =
  /** Tell the caller: the answer would be the same. */
  | { readonly type: "fail" }
  /** Ask the same server again after the pause: it was busy, or a condition may pass. */
  | { readonly type: "again"; readonly delayMs: number }
  /** The server is not the right one, or not there: look for another one, after the pause. */
  | { readonly type: "elsewhere"; readonly delayMs: number }
  /** What the caller believes is out of date (map, session): fetch it anew, after the pause. */
  | { readonly type: "refresh"; readonly delayMs: number };

export interface Backoff {
  /** Before the second try at most. The first repetition of what may succeed at once elsewhere has no pause. */
  readonly delayMsMin: number;
  /** Pauses double up to here. */
  readonly delayMsMax: number;
}

export const DEFAULT_BACKOFF: Backoff = { delayMsMin: 20, delayMsMax: 2000 };

/**
 * The pause before the given attempt (the first repetition is attempt 1): doubling, and between half and the whole
 * of it by chance, so that clients that failed together do not come back together. `chance` is uniform in [0, 1).
 */
export function pauseMs(attempt: number, chance: number, backoff: Backoff = DEFAULT_BACKOFF): number {
  const whole = Math.min(backoff.delayMsMax, backoff.delayMsMin * 2 ** Math.min(attempt - 1, 30));
  return whole * (0.5 + chance / 2);
}

/** What a failure of the metadata service means for a request: `attempt` repetitions were made before. */
export function afterMetadataFailure(code: FailureCode, attempt: number, chance: number): NextStep {
  const delayMs = pauseMs(attempt + 1, chance);
  // Waiting for whoever holds the only permitted lease, or a lock, is the caller's decision.
  if (code === "lease_conflict" || code === "lock_conflict") return { type: "fail" };
  // The lease is gone for good under this session: whoever holds the file decides.
  if (code === "lease_lost") return { type: "fail" };
  // The request waited at the server as long as it was asked to.
  if (code === "timed_out") return { type: "again", delayMs: attempt === 0 ? 0 : delayMs };
  switch (FAILURES[code].retry) {
    case "never":
      return { type: "fail" };
    case "elsewhere":
      // Storage failures of the metadata service itself are answers, not a way that failed.
      if (code === "io_error" || code === "chunk_corrupt") return { type: "fail" };
      return { type: "elsewhere", delayMs: attempt === 0 ? 0 : delayMs };
    case "refresh":
      return { type: "refresh", delayMs: attempt === 0 ? 0 : delayMs };
    case "later":
      return { type: "again", delayMs };
  }
}

/** What a client does about a failed chunk request. */
export type ChunkStep =
  | { readonly type: "fail" }
  /** The same request to the same server, after the pause. */
  | { readonly type: "again"; readonly delayMs: number }
  /** Tell the MDS that this member failed; then use the map it answers with. */
  | { readonly type: "report"; readonly delayMs: number }
  /** The map may be out of date: ask for the present one, after the pause. */
  | { readonly type: "refresh"; readonly delayMs: number };

/** So often a server may call the newest map stale before it is reported as failed. */
const STALE_COUNT_MAX = 3;

/**
 * What a failure of a chunk server means. `attempt` repetitions were made before; `staleCount`: how often in a row
 * this server called this very version stale, this time included.
 */
export function afterChunkFailure(
  code: FailureCode,
  attempt: number,
  staleCount: number,
  chance: number,
): ChunkStep {
  const delayMs = pauseMs(attempt + 1, chance);
  switch (code) {
    case "cancelled":
    case "closed":
    case "invalid":
    case "malformed":
    case "unsupported":
    case "unauthenticated":
    case "unauthorized":
    case "wrong_cluster":
    case "lease_lost":
      return { type: "fail" };
    case "busy":
    case "rate_limited":
      return { type: "again", delayMs };
    case "stale_map":
      if (staleCount > STALE_COUNT_MAX) return { type: "report", delayMs };
      return { type: "refresh", delayMs: staleCount <= 1 ? 0 : delayMs };
    case "ticket_refused":
      return { type: "refresh", delayMs: attempt === 0 ? 0 : delayMs };
    case "too_few_replicas":
    case "not_leader":
    case "session_lost":
    case "lease_conflict":
      return { type: "refresh", delayMs };
    default:
      // Not there, too slow, a broken disk, a bad checksum, a lost replica: somebody else must do its work.
      return { type: "report", delayMs: attempt === 0 ? 0 : delayMs };
  }
}
