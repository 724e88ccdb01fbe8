import type { LeaseKind } from "../../meta/index.js";

/** What a file is used for at this moment. `writeBack`: what was accepted as a write before is carried to the cluster. */
export type Use = "read" | "write" | "writeBack";

/** Whether a lease of this kind allows that. */
export function leaseAllows(kind: LeaseKind, use: Use): boolean {
  if (use === "read") return kind !== "none";
  return kind === "exclusive" || kind === "shared";
}

/** Whether what was found unwritten stays unwritten: nobody else may write meanwhile. */
export function mayKeepHoles(kind: LeaseKind): boolean {
  return kind === "read" || kind === "exclusive";
}

/** Whether the size known here is the size. Otherwise the MDS is asked before each read. */
export function knowsSize(kind: LeaseKind): boolean {
  return kind === "read" || kind === "exclusive";
}

/**
 * Whether writes must have stopped before a recall from one kind to another is answered. Not when the MDS only
 * wants to hear the size: what was acknowledged is reported anyway.
 */
export function mustStopWrites(from: LeaseKind, to: LeaseKind): boolean {
  return leaseAllows(from, "write") && from !== to;
}

/** Under one sequence a lease only comes down, in this order. */
const RANKS: Readonly<Record<LeaseKind, number>> = { none: 0, shared: 1, read: 2, exclusive: 3 };

/** The kind further down: an answer that was overtaken by a recall does not lift a lease again. */
export function lower(a: LeaseKind, b: LeaseKind): LeaseKind {
  return RANKS[a] < RANKS[b] ? a : b;
}
