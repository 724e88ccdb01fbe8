import type { Clock } from "../io/index.js";
import type { MdsLoad } from "../meta/index.js";

/** Readings of the process, which only `main.ts` may take. */
export interface ProcessMeters {
  /** Processor time used since the start, in ms. */
  readonly cpuMs: () => number;
  readonly memoryBytes: () => number;
  /** Entries applied since the start. */
  readonly applied: () => number;
  /** Time spent with writing the log since the start, in ms. */
  readonly logMs: () => number;
}

/** Rates are over this time at least. */
const WINDOW_MS = 2000;

/** Turns meters that only grow into rates over the last seconds. */
export function processLoad(clock: Clock, meters: ProcessMeters): () => MdsLoad {
  const beganMs = clock.monotonicMs();
  const read = (atMs: number) => ({
    atMs,
    cpuMs: meters.cpuMs(),
    applied: meters.applied(),
    logMs: meters.logMs(),
  });
  let from = read(beganMs);
  let rates = { commitsPerSecond: 0, cpuPercent: 0, logTimePercent: 0 };
  return () => {
    const atMs = clock.monotonicMs();
    const elapsedMs = atMs - from.atMs;
    if (elapsedMs >= WINDOW_MS) {
      const now = read(atMs);
      rates = {
        commitsPerSecond: ((now.applied - from.applied) * 1000) / elapsedMs,
        cpuPercent: ((now.cpuMs - from.cpuMs) * 100) / elapsedMs,
        logTimePercent: Math.min(100, ((now.logMs - from.logMs) * 100) / elapsedMs),
      };
      from = now;
    }
    return { ...rates, memoryBytes: meters.memoryBytes(), uptimeSeconds: (atMs - beganMs) / 1000 };
  };
}
