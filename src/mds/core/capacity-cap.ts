import { configNumber } from "./cluster-config.js";
import type { Tables } from "./tables.js";

/**
 * The limit on what users store, as a licence set it in the original: `mds.alloc.capacity_max`. At the limit writers that need a
 * new chunk wait without an error until it is raised or something is deleted; chunks that are there are still written.
 */
const MB = 1e6;

/** How much of the limit is left, bytes; infinite if there is none. */
export function cappedFreeBytes(tables: Pick<Tables, "config" | "totals">): number {
  const capBytes = capacityCapBytes(tables);
  return Math.max(0, capBytes - (tables.totals.get()?.sizeBytes ?? 0));
}

/** Bytes of files, not counting replicas; infinite if there is no limit. */
export function capacityCapBytes(tables: Pick<Tables, "config">): number {
  const megabytes = configNumber(tables, "mds.alloc.capacity_max");
  return megabytes === 0 ? Number.POSITIVE_INFINITY : megabytes * MB;
}
