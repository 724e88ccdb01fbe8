import { BLOCK_BYTES } from "../../chunk/index.js";
import { REGION_BLOCKS } from "../core/dirty-regions.js";
import type { StoredReplica } from "./stored-replica.js";
import type { StoredBlocks } from "./verify-blocks.js";

/**
 * Puts fetched blocks of one region, which is prepared, into the replica: checksums of all its blocks, payload of those
 * that have one. Only wanted blocks are touched; those the source never wrote become holes here.
 */
export async function putFetched(
  stored: StoredReplica,
  region: number,
  fetched: StoredBlocks,
  isWanted: (block: number) => boolean,
  highWaterBytes: number,
): Promise<void> {
  const sums = new DataView(fetched.checksums.buffer, fetched.checksums.byteOffset);
  const first = region * REGION_BLOCKS;
  const wanted = Array.from({ length: fetched.checksums.length / 4 }, (_, index) => isWanted(first + index));
  const isHoleAt = (index: number): boolean => sums.getUint32(4 * index, true) === 0;
  let position = 0;
  for (let index = 0; index < wanted.length; ) {
    const isHole = isHoleAt(index);
    let end = index + 1;
    while (end < wanted.length && wanted[end] === wanted[index] && isHoleAt(end) === isHole) end++;
    const offset = (first + index) * BLOCK_BYTES;
    const lengthBytes = (end - index) * BLOCK_BYTES;
    const payload = fetched.bytes.subarray(position, position + lengthBytes);
    if (!isHole) position += lengthBytes;
    if (wanted[index] && isHole) await stored.zero(offset, lengthBytes);
    else if (wanted[index]) {
      // What this replica has beyond the source's end must not stay behind: the checksums are those of zeros there.
      const endBytes = Math.max(highWaterBytes, stored.highWaterBytes);
      await stored.write(offset, payload, fetched.checksums.subarray(4 * index, 4 * end), endBytes);
    }
    index = end;
  }
}
