/** What another member of the chain says when it is asked for a block, and does not give the right bytes. */
export type PeerAnswer =
  /** Its own copy is damaged. */
  | "damaged"
  /** It has other bytes there, and they are right by its own checksum. */
  | "different"
  /** It did not answer, or not for this version. */
  | "absent";

/**
 * What became of a damaged block:
 *
 * - `mended`: it has the right bytes again.
 * - `lost`: no member of the chain has the right bytes. The replica is kept: its other blocks may be wanted.
 * - `strange`: somebody has other bytes. It cannot be told here who is right: the replica must be filled anew.
 * - `postponed`: who may have the right bytes could not be asked. The next reader tries again.
 */
export type BlockFate = "mended" | "lost" | "strange" | "postponed";

/** Of a block for which nobody had the right bytes. `isBeyondEnd`: the file of this replica ends before it. */
export function blockFate(
  answers: readonly PeerAnswer[],
  isBeyondEnd: boolean,
): Exclude<BlockFate, "mended"> {
  if (answers.includes("different")) return "strange";
  if (answers.includes("absent")) return "postponed";
  // Alone, it is all there is; with others that have the same damage, too.
  return isBeyondEnd && answers.length > 0 ? "strange" : "lost";
}
