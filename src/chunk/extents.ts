import { BLOCK_BYTES } from "./layout.js";

/** Whole blocks of a chunk, one behind the other. */
export interface Extent {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** A range of a chunk, or some extents in it: ascending, without overlap. None: all of the range. */
export interface ChunkRange extends Extent {
  readonly extents?: readonly Extent[] | undefined;
}

/** The parts of the chunk that the range stands for. */
export function extentsOf(range: ChunkRange): readonly Extent[] {
  const { extents } = range;
  return extents === undefined || extents.length === 0 ? [range] : extents;
}

/** From the first to the last of these, which ascend. */
export function rangeAround(extents: readonly Extent[]): Extent {
  const offset = extents[0]?.offset ?? 0;
  const last = extents.at(-1) ?? { offset, lengthBytes: 0 };
  return { offset, lengthBytes: last.offset + last.lengthBytes - offset };
}

/** Whether some byte belongs to both. */
export function overlap(one: ChunkRange, other: ChunkRange): boolean {
  if (!touch(one, other)) return false;
  const mine = extentsOf(one);
  const others = extentsOf(other);
  let next = 0;
  for (const extent of mine) {
    for (let another = others[next]; another !== undefined; another = others[next]) {
      if (touch(extent, another)) return true;
      if (another.offset > extent.offset) break;
      next++;
    }
  }
  return false;
}

/** Whether they are whole blocks that ascend, do not overlap, and are `lengthBytes` together. */
export function areExtents(extents: readonly Extent[], lengthBytes: number): boolean {
  let end = 0;
  let sum = 0;
  for (const extent of extents) {
    const isWhole = extent.offset % BLOCK_BYTES === 0 && extent.lengthBytes % BLOCK_BYTES === 0;
    if (!isWhole || extent.lengthBytes <= 0 || extent.offset < end) return false;
    end = extent.offset + extent.lengthBytes;
    sum += extent.lengthBytes;
  }
  return extents.length > 0 && sum === lengthBytes;
}

function touch(one: Extent, other: Extent): boolean {
  return one.offset < other.offset + other.lengthBytes && other.offset < one.offset + one.lengthBytes;
}
