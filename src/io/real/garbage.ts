import { constants, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";

/** In percent of what is alive. Left alone V8 lets garbage of a large heap grow to five times that. */
const GARBAGE_PERCENT_MIN = 60;
const GARBAGE_PERCENT_MAX = 1000;

/**
 * Has V8 leave garbage lie for as long as it does not matter. What passes through a daemon lies outside V8's heap but counts for its
 * limit, and the heap is tiny: V8 would collect all of it every few megabytes. So the limit is `garbageBytes` above what is
 * alive; in a large heap a part of that. To be called when the process begins.
 */
export function leaveGarbage(garbageBytes: number): void {
  // V8 looks at the flag when a collection ends.
  const follow = (): void => {
    const percent = garbagePercent(getHeapStatistics().used_heap_size, garbageBytes);
    setFlagsFromString(`--heap-growing-percent=${percent}`);
  };
  follow();
  new PerformanceObserver((list) => {
    const entries = list.getEntries() as { readonly detail?: { readonly kind?: number } }[];
    if (entries.some(({ detail }) => detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR)) follow();
  }).observe({ entryTypes: ["gc"] });
}

/** How much may be added to what is alive until it is collected, in percent of that. */
export function garbagePercent(aliveBytes: number, garbageBytes: number): number {
  const percent = Math.round((100 * garbageBytes) / Math.max(1, aliveBytes));
  return Math.min(GARBAGE_PERCENT_MAX, Math.max(GARBAGE_PERCENT_MIN, percent));
}
