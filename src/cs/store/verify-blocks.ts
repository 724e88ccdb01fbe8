import { areSound, BLOCK_BYTES, blockChecksum } from "../../chunk/index.js";

/** Whole blocks as they are stored. A block never written has checksum 0 and reads as zeros. */
export interface StoredBlocks {
  readonly bytes: Uint8Array;
  readonly checksums: Uint8Array;
}

/** The numbers, from 0, of the blocks whose bytes do not match their checksums. */
export function damagedOf({ bytes, checksums }: StoredBlocks): number[] {
  if (areSound(bytes, checksums)) return [];
  const damaged: number[] = [];
  for (let block = 0; 4 * block < checksums.length; block++) {
    const expected = checksumAt(checksums, block);
    const contents = bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
    if (expected !== 0 && blockChecksum(contents) !== expected) damaged.push(block);
  }
  return damaged;
}

/** The same bytes with zeros in blocks never written, whatever the disk has there. */
export function withHoles(bytes: Uint8Array, checksums: Uint8Array): Uint8Array {
  for (let block = 0; 4 * block < checksums.length; block++) {
    if (checksumAt(checksums, block) === 0) bytes.fill(0, block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
  }
  return bytes;
}

export function checksumAt(checksums: Uint8Array, block: number): number {
  return new DataView(checksums.buffer, checksums.byteOffset).getUint32(4 * block, true);
}
