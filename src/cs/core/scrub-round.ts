import type { ScrubOrders, ScrubReport } from "../../chunk/index.js";

/**
 * Reading everything again, round by round: when a round begins, where it is, what it found. Survives restarts as a value
 * that the store keeps. Times are of the wall clock: rounds are days apart.
 */
export interface ScrubRound {
  /** 0: there was none yet. */
  readonly beganMs: number;
  /** Of the last round that went through; 0: none did. */
  readonly endedMs: number;
  readonly isRunning: boolean;
  /** When the next round begins by itself, as far as the period stays the same. */
  readonly dueMs: number;
  /** The replicas of all chunks up to this one have been read in this round. */
  readonly doneChunkId: number;
  readonly checkedBytes: number;
  /** Damaged blocks found since this round began. */
  readonly damagedCount: number;
  /** The same in the round before. */
  readonly damagedBefore: number;
}

/** Until the cluster says otherwise. */
export const DEFAULT_ORDERS: ScrubOrders = { periodMs: 14 * 86_400_000, bytesPerSecond: 10 * 2 ** 20 };

export const NO_ROUND: ScrubRound = {
  beganMs: 0,
  endedMs: 0,
  isRunning: false,
  dueMs: 0,
  doneChunkId: 0,
  checkedBytes: 0,
  damagedCount: 0,
  damagedBefore: 0,
};

/** The golden ratio's fraction: neighbouring numbers land far from each other. */
const SPREAD = 0.618_033_988_749_895;

/**
 * Whether it is time for a round: the round as it is now. The first one of a server is somewhere in its first period, by its
 * number, so that servers that were made together do not read together. A wall clock that jumped makes a round early or
 * late by no more than a period.
 */
export function begunWhenDue(
  round: ScrubRound,
  orders: ScrubOrders,
  nowMs: number,
  csId: number,
): ScrubRound {
  const { periodMs } = orders;
  if (round.isRunning || periodMs === 0) return round;
  if (round.dueMs === 0) return { ...round, dueMs: nowMs + Math.round(periodMs * ((csId * SPREAD) % 1)) };
  if (round.dueMs > nowMs && round.dueMs <= nowMs + periodMs) return round;
  if (round.dueMs > nowMs + periodMs) return { ...round, dueMs: nowMs + periodMs };
  return begun(round, orders, nowMs);
}

/** A round from the beginning, whatever there was. */
export function begun(round: ScrubRound, { periodMs }: ScrubOrders, nowMs: number): ScrubRound {
  return {
    ...round,
    isRunning: true,
    beganMs: nowMs,
    dueMs: periodMs === 0 ? 0 : nowMs + periodMs,
    doneChunkId: 0,
    checkedBytes: 0,
    damagedCount: 0,
    // What a round that was begun anew had found is not forgotten.
    damagedBefore: round.isRunning ? round.damagedBefore + round.damagedCount : round.damagedCount,
  };
}

export function ended(round: ScrubRound, nowMs: number): ScrubRound {
  return { ...round, isRunning: false, endedMs: nowMs };
}

/** The disk got something wrong in this round or the one before: the letter `h`. */
export function isSuspicious({ damagedCount, damagedBefore, isRunning }: ScrubRound): boolean {
  return damagedCount > 0 || (isRunning && damagedBefore > 0);
}

/** What the cluster is told. */
export function reportOf(round: ScrubRound, totalBytes: number, quarantinedCount: number): ScrubReport {
  const { isRunning, beganMs, endedMs, checkedBytes, damagedCount } = round;
  return { isRunning, beganMs, endedMs, checkedBytes, totalBytes, damagedCount, quarantinedCount };
}

/** Longest pause after one piece, however slow the rate: orders may change meanwhile. */
const PAUSE_MS_MAX = 60_000;

/** After a piece of that size: the pause that keeps to the rate. */
export function pauseMs(bytes: number, { bytesPerSecond }: ScrubOrders): number {
  return Math.min(PAUSE_MS_MAX, (bytes * 1000) / Math.max(1, bytesPerSecond));
}

/** While clients wait for this server, a piece waits for up to so many of its pauses, and at least `YIELD_MS_MIN`. */
const YIELD_FACTOR = 10;
const YIELD_MS_MIN = 100;

/** How long a piece stands back while clients are served. So the scrub slows down under load, and never stops. */
export function yieldMsMax(bytes: number, orders: ScrubOrders): number {
  return Math.max(YIELD_MS_MIN, YIELD_FACTOR * pauseMs(bytes, orders));
}

export function encodeRound(round: ScrubRound): string {
  return JSON.stringify(round);
}

/** What cannot be read begins anew: it is only about when to look. */
export function decodeRound(text: string | undefined): ScrubRound {
  if (text === undefined) return NO_ROUND;
  let fields: Partial<Record<string, unknown>> | null;
  try {
    fields = JSON.parse(text) as typeof fields;
  } catch {
    // See above.
    return NO_ROUND;
  }
  const number = (name: keyof ScrubRound): number => {
    const value = fields?.[name];
    return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0;
  };
  return {
    beganMs: number("beganMs"),
    endedMs: number("endedMs"),
    isRunning: fields?.["isRunning"] === true,
    dueMs: number("dueMs"),
    doneChunkId: number("doneChunkId"),
    checkedBytes: number("checkedBytes"),
    damagedCount: number("damagedCount"),
    damagedBefore: number("damagedBefore"),
  };
}
