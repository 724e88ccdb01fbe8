import { assert } from "../base/index.js";

/** The unit of checksums, and of linearizability. */
export const BLOCK_BYTES = 4096;
/** The unit of dirty marks and of resynchronisation. */
export const REGION_BYTES = 1024 * 1024;
export const DEFAULT_CHUNK_BYTES = 256 * 1024 * 1024;
/** `chunk-size` must lie between these and be a multiple of the block size. */
export const CHUNK_BYTES_MIN = BLOCK_BYTES;
export const CHUNK_BYTES_MAX = 2 * 1024 * 1024 * 1024;
/** The largest read of one chunk request; longer ones are split by the client. */
export const IO_BYTES_MAX = 1024 * 1024;
/**
 * The same of a write. A multiple of the former: what a message costs besides its bytes, on each server of the chain, is
 * as much as the checksums of two megabytes.
 */
export const WRITE_BYTES_MAX = 4 * IO_BYTES_MAX;

/** A part of a file that lies in one chunk. */
export interface ChunkSlice {
  /** Which chunk of the file, from 0. */
  readonly index: number;
  readonly offsetInChunk: number;
  readonly lengthBytes: number;
  /** Where the slice begins within the request. */
  readonly offsetInRequest: number;
}

/** Cuts a range of a file at chunk borders, and also at `maxBytes` if given. */
export function sliceRange(
  offset: number,
  lengthBytes: number,
  chunkBytes: number,
  maxBytes: number = chunkBytes,
): ChunkSlice[] {
  assert(offset >= 0 && lengthBytes >= 0, "a range lies inside a file");
  const slices: ChunkSlice[] = [];
  let done = 0;
  while (done < lengthBytes) {
    const position = offset + done;
    const index = Math.floor(position / chunkBytes);
    const offsetInChunk = position - index * chunkBytes;
    const length = Math.min(lengthBytes - done, chunkBytes - offsetInChunk, maxBytes);
    slices.push({ index, offsetInChunk, lengthBytes: length, offsetInRequest: done });
    done += length;
  }
  return slices;
}

/** How many chunks a file of that size can have. */
export function chunkCountOf(sizeBytes: number, chunkBytes: number): number {
  return Math.ceil(sizeBytes / chunkBytes);
}
