import type { Timestamp } from "../../meta/index.js";

/** Milliseconds since 1970 as a time. */
export function timestampOfMs(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.min(999_999_999, Math.floor((ms - seconds * 1000) * 1e6)) };
}
