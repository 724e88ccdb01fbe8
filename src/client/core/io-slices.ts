import { type ChunkSlice, sliceRange } from "../../chunk/index.js";

/**
 * Cuts a range of a file into chunk requests: at chunk borders, and within a chunk at multiples of the largest request,
 * so that no block is cut in two except at the ends of the range.
 */
export function ioSlices(
  offset: number,
  lengthBytes: number,
  chunkBytes: number,
  requestBytesMax: number,
): ChunkSlice[] {
  const slices: ChunkSlice[] = [];
  for (const part of sliceRange(offset, lengthBytes, chunkBytes)) {
    let done = 0;
    while (done < part.lengthBytes) {
      const offsetInChunk = part.offsetInChunk + done;
      const toBorder = requestBytesMax - (offsetInChunk % requestBytesMax);
      const length = Math.min(part.lengthBytes - done, toBorder);
      slices.push({
        index: part.index,
        offsetInChunk,
        lengthBytes: length,
        offsetInRequest: part.offsetInRequest + done,
      });
      done += length;
    }
  }
  return slices;
}
