import { areSound, BLOCK_BYTES, blockChecksum } from "../chunk/index.js";
import { ZERO_BLOCK_SUM } from "./store/checksum-page.js";
import type { StoredBlocks } from "./store/verify-blocks.js";

/** Bytes of whole blocks on their way to the disk and down the chain, with a checksum for each block. */
export interface Payload {
  readonly bytes: Uint8Array;
  readonly checksums: Uint8Array;
}

export const NO_PAYLOAD: Payload = { bytes: new Uint8Array(0), checksums: new Uint8Array(0) };

/** The whole blocks that a range touches. */
export interface BlockRange {
  readonly offset: number;
  readonly lengthBytes: number;
}

export function blockRange(offset: number, lengthBytes: number): BlockRange {
  const start = floorToBlock(offset);
  return { offset: start, lengthBytes: ceilToBlock(offset + lengthBytes) - start };
}

/** The blocks at the ends of a range that it covers only in part, ascending, without repetition. */
export function partialBlocks(offset: number, lengthBytes: number): number[] {
  const end = offset + lengthBytes;
  const result: number[] = [];
  if (offset % BLOCK_BYTES !== 0) result.push(floorToBlock(offset));
  if (end % BLOCK_BYTES !== 0 && result[0] !== floorToBlock(end)) result.push(floorToBlock(end));
  return result;
}

/** The first and the last block of a range of whole blocks. */
export function edgeBlocks({ offset, lengthBytes }: BlockRange): BlockRange[] {
  if (lengthBytes === 0) return [];
  const last = offset + lengthBytes - BLOCK_BYTES;
  const offsets = last === offset ? [offset] : [offset, last];
  return offsets.map((at) => ({ offset: at, lengthBytes: BLOCK_BYTES }));
}

/** A write made whole: `old` has the contents of its partial blocks. Whole blocks keep the client's checksums. */
export function completeWrite(
  offset: number,
  payload: Payload,
  old: ReadonlyMap<number, StoredBlocks>,
): Payload {
  if (old.size === 0) return payload;
  const range = blockRange(offset, payload.bytes.length);
  const bytes = new Uint8Array(range.lengthBytes);
  for (const [block, contents] of old) bytes.set(contents.bytes, block - range.offset);
  bytes.set(payload.bytes, offset - range.offset);
  const checksums = payload.checksums.slice();
  for (const block of old.keys()) setSum(checksums, bytes, block - range.offset);
  return { bytes, checksums };
}

/** The first and the last block of a range of zeros, if it covers one of them in part; else nothing. */
export function zeroEdges(
  offset: number,
  lengthBytes: number,
  first: StoredBlocks,
  last: StoredBlocks | undefined,
): Payload {
  const range = blockRange(offset, lengthBytes);
  const edges = last === undefined ? [first] : [first, last];
  const bytes = new Uint8Array(edges.length * BLOCK_BYTES);
  edges.forEach((edge, index) => {
    bytes.set(edge.bytes, index * BLOCK_BYTES);
    const start = index === 0 ? range.offset : range.offset + range.lengthBytes - BLOCK_BYTES;
    const from = Math.max(0, offset - start);
    const to = Math.min(BLOCK_BYTES, offset + lengthBytes - start);
    bytes.fill(0, index * BLOCK_BYTES + from, index * BLOCK_BYTES + to);
  });
  const checksums = new Uint8Array(4 * edges.length);
  edges.forEach((_, index) => {
    setSum(checksums, bytes, index * BLOCK_BYTES);
  });
  return { bytes, checksums };
}

/** The block that holds the new end, zeroed behind it; nothing if it was never written. */
export function truncatedBlock(endBytes: number, old: StoredBlocks): Payload {
  if (isHole(old.checksums, 0)) return NO_PAYLOAD;
  const bytes = old.bytes.slice();
  bytes.fill(0, endBytes % BLOCK_BYTES);
  const checksums = new Uint8Array(4);
  setSum(checksums, bytes, 0);
  return { bytes, checksums };
}

/** The answer to a client's read: exactly its range; whole blocks keep the stored checksums. */
export function answerOfRead(stored: StoredBlocks, offset: number, lengthBytes: number): Payload {
  const skipped = offset % BLOCK_BYTES;
  const bytes = stored.bytes.subarray(skipped, skipped + lengthBytes);
  const checksums = stored.checksums;
  const view = new DataView(checksums.buffer, checksums.byteOffset);
  const count = checksums.length / 4;
  for (let block = 0; block < count; block++) {
    const from = Math.max(skipped, block * BLOCK_BYTES);
    const to = Math.min(skipped + lengthBytes, (block + 1) * BLOCK_BYTES);
    if (to - from < BLOCK_BYTES)
      view.setUint32(4 * block, blockChecksum(stored.bytes.subarray(from, to)), true);
    else if (isHole(checksums, block)) view.setUint32(4 * block, ZERO_BLOCK_SUM, true);
  }
  return { bytes, checksums };
}

/** The answer to a background read: blocks never written have checksum 0 and no bytes. */
export function withoutHoles(stored: StoredBlocks): Payload {
  const count = stored.checksums.length / 4;
  let holes = 0;
  for (let block = 0; block < count; block++) if (isHole(stored.checksums, block)) holes++;
  if (holes === 0) return stored;
  const bytes = new Uint8Array((count - holes) * BLOCK_BYTES);
  let position = 0;
  for (let block = 0; block < count; block++) {
    if (isHole(stored.checksums, block)) continue;
    bytes.set(stored.bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES), position);
    position += BLOCK_BYTES;
  }
  return { bytes, checksums: stored.checksums };
}

/** Whether the answer to a background read is whole and right. */
export function isSound(fetched: Payload, blockCount: number): boolean {
  if (fetched.checksums.length !== 4 * blockCount) return false;
  if (areSound(fetched.bytes, fetched.checksums)) return true;
  const view = new DataView(fetched.checksums.buffer, fetched.checksums.byteOffset);
  let position = 0;
  for (let block = 0; block < blockCount; block++) {
    const expected = view.getUint32(4 * block, true);
    if (expected === 0) continue;
    const bytes = fetched.bytes.subarray(position, position + BLOCK_BYTES);
    if (bytes.length !== BLOCK_BYTES || blockChecksum(bytes) !== expected) return false;
    position += BLOCK_BYTES;
  }
  return position === fetched.bytes.length;
}

function isHole(checksums: Uint8Array, block: number): boolean {
  return new DataView(checksums.buffer, checksums.byteOffset).getUint32(4 * block, true) === 0;
}

function setSum(checksums: Uint8Array, bytes: Uint8Array, position: number): void {
  const sum = blockChecksum(bytes.subarray(position, position + BLOCK_BYTES));
  new DataView(checksums.buffer, checksums.byteOffset).setUint32((4 * position) / BLOCK_BYTES, sum, true);
}

export function floorToBlock(offset: number): number {
  return offset - (offset % BLOCK_BYTES);
}

export function ceilToBlock(offset: number): number {
  return Math.ceil(offset / BLOCK_BYTES) * BLOCK_BYTES;
}
