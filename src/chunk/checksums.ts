import { assert, crc32, crc32Append } from "../base/index.js";
import { BLOCK_BYTES } from "./layout.js";

/**
 * Checksums of a piece of a chunk: one CRC-32 for every 4 KiB block it touches, over the bytes of that block
 * that lie in the piece. Little-endian, four bytes each. In a store, 0 marks a block never written, so a
 * computed 0 becomes 1.
 */
export type Checksums = Uint8Array;

/** The checksum of one block, or of a part of one. Never 0. */
export function blockChecksum(bytes: Uint8Array): number {
  const value = crc32(bytes);
  return value === 0 ? 1 : value;
}

/** How many blocks a piece touches. */
export function blockCount(offset: number, lengthBytes: number): number {
  if (lengthBytes === 0) return 0;
  return Math.floor((offset + lengthBytes - 1) / BLOCK_BYTES) - Math.floor(offset / BLOCK_BYTES) + 1;
}

export function checksumsOf(bytes: Uint8Array, offset: number): Checksums {
  const result = new Uint8Array(4 * blockCount(offset, bytes.length));
  const view = new DataView(result.buffer);
  let begin = 0;
  for (let block = 0; begin < bytes.length; block++) {
    const end = begin + BLOCK_BYTES - ((offset + begin) % BLOCK_BYTES);
    view.setUint32(4 * block, blockChecksum(bytes.subarray(begin, end)), true);
    begin = end;
  }
  return result;
}

/** The number of the first block (within the piece) whose checksum is wrong, or undefined if all are right. */
export function findMismatch(bytes: Uint8Array, offset: number, checksums: Checksums): number | undefined {
  if (checksums.length !== 4 * blockCount(offset, bytes.length)) return 0;
  if (offset % BLOCK_BYTES === 0 && areSound(bytes, checksums)) return undefined;
  const view = new DataView(checksums.buffer, checksums.byteOffset, checksums.length);
  let wrong: number | undefined;
  forEachBlock(bytes, offset, (block, part) => {
    if (wrong === undefined && view.getUint32(4 * block, true) !== blockChecksum(part)) wrong = block;
  });
  return wrong;
}

/**
 * True if these are whole blocks, all were written, and all match their checksums: found with one checksum of everything, which
 * costs half of what one of each block does, and is compared with what the checksums of the blocks make together. Damage in one
 * block shows exactly if it shows in the checksum of that block; that in several would have to make up for each other, which is as
 * unlikely as that damage does not show in one. False says nothing.
 */
export function areSound(bytes: Uint8Array, checksums: Checksums): boolean {
  if (bytes.length !== (checksums.length / 4) * BLOCK_BYTES) return false;
  const view = new DataView(checksums.buffer, checksums.byteOffset, checksums.length);
  let together = 0;
  for (let position = 0; position < checksums.length; position += 4) {
    const expected = view.getUint32(position, true);
    if (expected === 0) return false;
    together = withBlockAppended(together, expected);
  }
  return crc32(bytes) === together;
}

const withBlockAppended = crc32Append(BLOCK_BYTES);

/** Calls `visit` with the part of every block that lies in the piece. `block` counts from 0 within the piece. */
export function forEachBlock(
  bytes: Uint8Array,
  offset: number,
  visit: (block: number, part: Uint8Array) => void,
): void {
  assert(offset >= 0, "a piece lies inside a chunk");
  let position = 0;
  for (let block = 0; position < bytes.length; block++) {
    const end = Math.min(bytes.length, position + BLOCK_BYTES - ((offset + position) % BLOCK_BYTES));
    visit(block, bytes.subarray(position, end));
    position = end;
  }
}
