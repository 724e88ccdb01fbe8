import { crc32 } from "../../base/index.js";

/** The unit in which replicas are compared. */
export const REGION_BYTES = 1 << 20;

const BLOCK_BYTES = 4096;
const ZERO_SUM = crc32(new Uint8Array(BLOCK_BYTES));

/** Whether two lists of block checksums stand for the same bytes: a block never written (0) reads as zeros. */
export function sameContents(first: Uint8Array, second: Uint8Array): boolean {
  if (first.length !== second.length) return false;
  const a = new DataView(first.buffer, first.byteOffset, first.length);
  const b = new DataView(second.buffer, second.byteOffset, second.length);
  for (let at = 0; at < first.length; at += 4) {
    if ((a.getUint32(at, true) || ZERO_SUM) !== (b.getUint32(at, true) || ZERO_SUM)) return false;
  }
  return true;
}
