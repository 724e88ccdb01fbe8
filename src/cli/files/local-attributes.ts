import type { BigIntStats } from "node:fs";
import { MODE_PERMISSIONS, type Timestamp } from "../../meta/index.js";

const NANOS_PER_SECOND = 1_000_000_000n;

export function permissions(found: BigIntStats): number {
  return Number(found.mode) & MODE_PERMISSIONS;
}

export function ownership(found: BigIntStats): { readonly uid: number; readonly gid: number } {
  return { uid: Number(found.uid), gid: Number(found.gid) };
}

export function times(found: BigIntStats): { readonly atime: Timestamp; readonly mtime: Timestamp } {
  return { atime: timestampOf(found.atimeNs), mtime: timestampOf(found.mtimeNs) };
}

/** Rounds down, before 1970 too: nanoseconds count forward from the second. */
export function timestampOf(totalNanos: bigint): Timestamp {
  const rest = totalNanos % NANOS_PER_SECOND;
  const nanos = rest < 0n ? rest + NANOS_PER_SECOND : rest;
  return { seconds: Number((totalNanos - nanos) / NANOS_PER_SECOND), nanos: Number(nanos) };
}

/** As node:fs takes it, seconds with fractions: exact to about a quarter of a microsecond. */
export function secondsOf({ seconds, nanos }: Timestamp): number {
  return seconds + nanos / 1e9;
}

/** Names and paths are bytes: a path need not be text. */
export function toBytes(path: string | Uint8Array): Uint8Array {
  return typeof path === "string" ? new Uint8Array(Buffer.from(path)) : Uint8Array.from(path);
}
