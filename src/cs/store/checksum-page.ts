import { crc32 } from "../../base/index.js";
import { BLOCK_BYTES, blockChecksum, type ChunkId } from "../../chunk/index.js";
import { REGION_BLOCKS } from "../core/dirty-regions.js";

/** Checksums of a region: four bytes, little-endian, for every block; 0 = never written. */
export type ChecksumPage = Uint8Array;

export const PAGE_BYTES = 4 * REGION_BLOCKS;
/** A page on the disk is followed by the CRC-32 of its place and its contents. */
export const SLOT_BYTES = PAGE_BYTES + 4;
export const SUMS_HEADER_BYTES = 4096;

/** The checksum of a block of zeros: what a block never written reads as. */
export const ZERO_BLOCK_SUM = blockChecksum(new Uint8Array(BLOCK_BYTES));

const MAGIC = 0x53435350;
const SUMS_FORMAT_VERSION = 1;

/** The first block of a checksum file: magic `PSCS`, format version, chunk id, CRC-32 of these. */
export function encodeSumsHeader(chunkId: ChunkId): Uint8Array {
  const header = new Uint8Array(SUMS_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, SUMS_FORMAT_VERSION, true);
  view.setBigUint64(8, BigInt(chunkId), true);
  view.setUint32(16, crc32(header.subarray(0, 16)), true);
  return header;
}

export function isSumsHeader(header: Uint8Array, chunkId: ChunkId): boolean {
  const expected = encodeSumsHeader(chunkId);
  return header.length >= 20 && expected.subarray(0, 20).every((byte, index) => byte === header[index]);
}

export function slotOffset(region: number): number {
  return SUMS_HEADER_BYTES + region * SLOT_BYTES;
}

export function encodeSlot(chunkId: ChunkId, region: number, page: ChecksumPage): Uint8Array {
  const slot = new Uint8Array(SLOT_BYTES);
  slot.set(page);
  new DataView(slot.buffer).setUint32(PAGE_BYTES, slotCrc(chunkId, region, page), true);
  return slot;
}

/** The page, or undefined if the slot is damaged or belongs elsewhere. */
export function decodeSlot(chunkId: ChunkId, region: number, slot: Uint8Array): ChecksumPage | undefined {
  if (slot.length !== SLOT_BYTES) return undefined;
  const page = slot.slice(0, PAGE_BYTES);
  const stored = new DataView(slot.buffer, slot.byteOffset).getUint32(PAGE_BYTES, true);
  return stored === slotCrc(chunkId, region, page) ? page : undefined;
}

/**
 * Computes a page from data, which may end early: after a crash there is nothing else to go by. A zero block counts
 * as never written.
 */
export function computePage(data: Uint8Array): ChecksumPage {
  const page = new Uint8Array(PAGE_BYTES);
  const view = new DataView(page.buffer);
  for (let block = 0; block < REGION_BLOCKS; block++) {
    const bytes = data.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
    const sum = blockChecksum(bytes.length === BLOCK_BYTES ? bytes : padded(bytes));
    if (sum === ZERO_BLOCK_SUM && bytes.every((byte) => byte === 0)) continue;
    view.setUint32(4 * block, sum, true);
  }
  return page;
}

export function sumAt(page: ChecksumPage, block: number): number {
  return new DataView(page.buffer, page.byteOffset).getUint32(4 * block, true);
}

export function isEmptyPage(page: ChecksumPage): boolean {
  return page.every((byte) => byte === 0);
}

/** The first of these checksums that is a hole's, or with `isHole` false the first that is not. */
export function firstBlock(checksums: Uint8Array, isHole: boolean): number | undefined {
  const view = new DataView(checksums.buffer, checksums.byteOffset, checksums.length);
  for (let block = 0; 4 * block < checksums.length; block++) {
    if ((view.getUint32(4 * block, true) === 0) === isHole) return block;
  }
  return undefined;
}

/** Runs of blocks that are no holes, `end` after the last one. */
export function dataRuns(checksums: Uint8Array): { readonly begin: number; readonly end: number }[] {
  const runs: { begin: number; end: number }[] = [];
  for (let end = 0; ; ) {
    const first = firstBlock(checksums.subarray(4 * end), false);
    if (first === undefined) return runs;
    const begin = end + first;
    end = begin + (firstBlock(checksums.subarray(4 * begin), true) ?? checksums.length / 4 - begin);
    runs.push({ begin, end });
  }
}

/** Never 0, so that a hole full of zeros is not taken for a slot. */
function slotCrc(chunkId: ChunkId, region: number, page: ChecksumPage): number {
  const place = new Uint8Array(12);
  const view = new DataView(place.buffer);
  view.setBigUint64(0, BigInt(chunkId), true);
  view.setUint32(8, region, true);
  const value = crc32(page, crc32(place));
  return value === 0 ? 1 : value;
}

function padded(bytes: Uint8Array): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(bytes);
  return block;
}
