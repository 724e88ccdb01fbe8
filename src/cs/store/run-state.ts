import { fromUtf8, toUtf8 } from "../../base/index.js";

/** What the last process on this directory left behind. */
export interface RunState {
  /** Boot of the host it ran in; `NO_BOOT` if what is in the host's memory is not to be trusted, whether it has booted since or not. */
  readonly bootId: string;
  /** Grows by one with every start. */
  readonly incarnation: number;
  /** It ended in order: nothing is dirty. */
  readonly isClean: boolean;
  /** The highest epoch of the cluster's metadata that was ever met; 0: they were never recovered. */
  readonly epoch: number;
  /**
   * Processes that have served this directory: the last that the cluster is known to have taken in, then all since. Two copies of a
   * directory go different ways by it, and the cluster tells them apart.
   */
  readonly runs: readonly string[];
}

/** So many that the cluster did not take in are remembered. */
const RUN_COUNT_MAX = 64;

/** With one more; the first may be the one that the cluster knows. */
export function runsWith(runs: readonly string[], run: string): string[] {
  return [...runs.slice(0, 1), ...runs.slice(1).slice(2 - RUN_COUNT_MAX), run];
}

/** No host has this one. */
export const NO_BOOT = "";

/** How the last process ended, as far as it matters to the data. */
export type LastEnd = "clean" | "process_crash" | "host_crash";

export function encodeRunState(state: RunState): Uint8Array {
  return toUtf8(`${JSON.stringify(state)}\n`);
}

/** A damaged file is taken for a crash of the host long ago: that distrusts most. */
export function decodeRunState(bytes: Uint8Array): RunState {
  const unknown: RunState = { bootId: NO_BOOT, incarnation: 0, isClean: false, epoch: 0, runs: [] };
  try {
    const value: unknown = JSON.parse(fromUtf8(bytes));
    if (typeof value !== "object" || value === null) return unknown;
    const { bootId, incarnation, isClean, epoch, runs } = value as Record<string, unknown>;
    if (typeof bootId !== "string" || typeof incarnation !== "number" || typeof isClean !== "boolean")
      return unknown;
    const known = Array.isArray(runs) ? runs.filter((run) => typeof run === "string") : [];
    return { bootId, incarnation, isClean, epoch: typeof epoch === "number" ? epoch : 0, runs: known };
  } catch {
    // Not JSON: see above.
    return unknown;
  }
}

export function lastEndOf(state: RunState, bootId: string): LastEnd {
  if (state.isClean) return "clean";
  return state.bootId === bootId ? "process_crash" : "host_crash";
}
