import { constants, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics, setFlagsFromString } from "node:v8";

/** What passes through lies outside V8's heap but counts for its limit: all is collected when so much more is there than is alive. */
const GARBAGE_BYTES = 96 << 20;
/** Of a heap that is larger: in percent of what is alive. Left alone V8 lets garbage grow to five times that. */
const GARBAGE_PERCENT_MIN = 60;
const GARBAGE_PERCENT_MAX = 1000;

/** Has V8 leave garbage lie for as long as it does not matter. To be called when the process begins. */
export function leaveGarbage(): void {
  follow();
  new PerformanceObserver((list) => {
    const entries = list.getEntries() as { readonly detail?: { readonly kind?: number } }[];
    if (entries.some(({ detail }) => detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR)) follow();
  }).observe({ entryTypes: ["gc"] });
}

/** V8 looks at the flag when a collection ends. */
function follow(): void {
  setFlagsFromString(`--heap-growing-percent=${garbagePercent(getHeapStatistics().used_heap_size)}`);
}

/** How much may be added to what is alive until it is collected, in percent of that. */
export function garbagePercent(aliveBytes: number): number {
  const percent = Math.round((100 * GARBAGE_BYTES) / Math.max(1, aliveBytes));
  return Math.min(GARBAGE_PERCENT_MAX, Math.max(GARBAGE_PERCENT_MIN, percent));
}
