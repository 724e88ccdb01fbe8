import { type Attributes, isLaterTime, type Timestamp } from "../../meta/index.js";

/** An access time older than a day is renewed by any read. */
const STALE_SECONDS = 24 * 60 * 60;

/**
 * Whether a read at `now` renews the access time, by the rule of Linux's `relatime`: only if it is not later than the
 * last change, or a day old.
 */
export function renewsAtime({ atime, mtime, ctime }: Attributes, now: Timestamp): boolean {
  if (!isLaterTime(atime, mtime) || !isLaterTime(atime, ctime)) return true;
  return now.seconds - atime.seconds >= STALE_SECONDS;
}

/** Milliseconds since 1970 as a time. */
export function timestampOfMs(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.min(999_999_999, Math.floor((ms - seconds * 1000) * 1e6)) };
}
