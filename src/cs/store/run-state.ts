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
  const unknown: RunState = { bootId: NO_BOOT, incarnation: 0, isClean: false, epoch: 0 };
  try {
    const value: unknown = JSON.parse(fromUtf8(bytes));
    if (typeof value !== "object" || value === null) return unknown;
    const { bootId, incarnation, isClean, epoch } = value as Record<string, unknown>;
    if (typeof bootId !== "string" || typeof incarnation !== "number" || typeof isClean !== "boolean")
      return unknown;
    return { bootId, incarnation, isClean, epoch: typeof epoch === "number" ? epoch : 0 };
  } catch {
    // Not JSON: see above.
    return unknown;
  }
}

export function lastEndOf(state: RunState, bootId: string): LastEnd {
  if (state.isClean) return "clean";
  return state.bootId === bootId ? "process_crash" : "host_crash";
}
