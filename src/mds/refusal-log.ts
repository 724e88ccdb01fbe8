import { type FailureCode, failureOf } from "../base/index.js";
import type { Peer } from "../rpc/index.js";
import type { Logger } from "../telemetry/index.js";

/** Of a peer that is not who it says, or not where it belongs; waiting and trying again does not help it. */
const REFUSALS: ReadonlySet<FailureCode> = new Set([
  "wrong_cluster",
  "unauthorized",
  "unsupported",
  "malformed",
  "refused",
  "not_found",
  "invalid",
]);

/** Logs why somebody was not let in, if an operator should know. */
export function noteRefusal(log: Logger, message: string, { address, hostId }: Peer, error: unknown): void {
  const failure = failureOf(error);
  if (failure === undefined || !REFUSALS.has(failure.code)) return;
  log.warn(message, { address, hostId, code: failure.code, detail: failure.detail });
}
