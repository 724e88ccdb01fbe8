import { crc32, fromUtf8, toUtf8 } from "../../base/index.js";
import { type ChunkId, type ChunkVersion, chunkId, chunkVersion } from "../../chunk/index.js";
import { type InodeNumber, inodeNumber } from "../../meta/index.js";

/**
 * The file of a read cache: a header, an index with one entry for each block, the blocks. Whatever cannot be proved to
 * be ours and whole is not there: the worst that a wrong file does is that nothing is found in it.
 */

/** What is kept or not kept as a whole. */
export const CACHE_BLOCK_BYTES = 65536;
export const CACHE_HEADER_BYTES = 4096;
export const CACHE_ENTRY_BYTES = 64;
const PAGE_BYTES = 4096;
const MEGABYTE = 1 << 20;

/** Where everything is in a file of a given size. */
export interface CacheLayout {
  readonly blockCount: number;
  readonly blocksOffset: number;
  readonly fileBytes: number;
}

/** As many blocks as go into so many megabytes, all told. */
export function cacheLayout(megabytes: number): CacheLayout {
  const room = megabytes * MEGABYTE - CACHE_HEADER_BYTES - PAGE_BYTES;
  const blockCount = Math.max(1, Math.floor(room / (CACHE_BLOCK_BYTES + CACHE_ENTRY_BYTES)));
  const indexBytes = Math.ceil((blockCount * CACHE_ENTRY_BYTES) / PAGE_BYTES) * PAGE_BYTES;
  const blocksOffset = CACHE_HEADER_BYTES + indexBytes;
  return { blockCount, blocksOffset, fileBytes: blocksOffset + blockCount * CACHE_BLOCK_BYTES };
}

export const entryOffset = (slot: number): number => CACHE_HEADER_BYTES + slot * CACHE_ENTRY_BYTES;

export const blockOffset = ({ blocksOffset }: CacheLayout, slot: number): number =>
  blocksOffset + slot * CACHE_BLOCK_BYTES;

/** Whose cache it is, and in what state it was left. */
export interface CacheHeader {
  readonly clusterId: string;
  readonly blockCount: number;
  /** Of the machine when the file was opened last: after a boot only what was closed in order counts. */
  readonly bootId: string;
  /** The index is complete and safe from loss of power. */
  readonly isClosed: boolean;
}

const MAGIC = toUtf8("PSTCACH1");
const HEADER_TEXT_OFFSET = 16;

export function encodeCacheHeader(header: CacheHeader): Uint8Array {
  const { clusterId, blockCount, bootId, isClosed } = header;
  const text = toUtf8(JSON.stringify({ clusterId, blockCount, bootId, isClosed }));
  const bytes = new Uint8Array(CACHE_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(8, text.length);
  view.setUint32(12, crc32(text));
  bytes.set(text, HEADER_TEXT_OFFSET);
  return bytes;
}

/** `foreign`: nothing says that this file is a read cache. `damaged`: it is one, and nothing in it can be trusted. */
export function decodeCacheHeader(bytes: Uint8Array): CacheHeader | "foreign" | "damaged" {
  if (bytes.length < MAGIC.length || MAGIC.some((byte, i) => bytes[i] !== byte)) return "foreign";
  if (bytes.length < CACHE_HEADER_BYTES) return "damaged";
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const text = bytes.subarray(HEADER_TEXT_OFFSET, HEADER_TEXT_OFFSET + view.getUint32(8));
  if (crc32(text) !== view.getUint32(12)) return "damaged";
  const header: unknown = JSON.parse(fromUtf8(text));
  return isHeader(header) ? header : "damaged";
}

function isHeader(value: unknown): value is CacheHeader {
  if (typeof value !== "object" || value === null) return false;
  const { clusterId, blockCount, bootId, isClosed } = value as Partial<Record<keyof CacheHeader, unknown>>;
  return (
    typeof clusterId === "string" &&
    typeof bootId === "string" &&
    typeof blockCount === "number" &&
    typeof isClosed === "boolean"
  );
}

/** What one block holds, and what must not have changed for it to be true. */
export interface CachedBlock {
  readonly ino: InodeNumber;
  /** Offset in the file in units of CACHE_BLOCK_BYTES. */
  readonly block: number;
  readonly chunkId: ChunkId;
  readonly chunkVersion: ChunkVersion;
  /** At the end of a file there may be fewer than a block has. */
  readonly lengthBytes: number;
  readonly checksum: number;
}

/** A block as its entry tells of it. */
export interface StoredBlock extends CachedBlock {
  /** Of the file, when the entry was written. */
  readonly dataVersion: number;
}

const ENTRY_MARK = 0x50424c4b;
const CHECKED_BYTES = CACHE_ENTRY_BYTES - 4;

/** An entry that holds nothing is zeros. */
export function encodeCacheEntry(stored: StoredBlock | undefined): Uint8Array {
  const bytes = new Uint8Array(CACHE_ENTRY_BYTES);
  if (stored === undefined) return bytes;
  const view = new DataView(bytes.buffer);
  view.setUint32(0, ENTRY_MARK);
  view.setUint32(4, stored.lengthBytes);
  view.setFloat64(8, stored.ino);
  view.setFloat64(16, stored.block);
  view.setFloat64(24, stored.chunkId);
  view.setFloat64(32, stored.chunkVersion);
  view.setFloat64(40, stored.dataVersion);
  view.setUint32(48, stored.checksum);
  view.setUint32(CHECKED_BYTES, crc32(bytes.subarray(0, CHECKED_BYTES)));
  return bytes;
}

/** Undefined if it holds nothing, or is damaged. */
export function decodeCacheEntry(bytes: Uint8Array): StoredBlock | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < CACHE_ENTRY_BYTES || view.getUint32(0) !== ENTRY_MARK) return undefined;
  if (crc32(bytes.subarray(0, CHECKED_BYTES)) !== view.getUint32(CHECKED_BYTES)) return undefined;
  return {
    ino: inodeNumber(view.getFloat64(8)),
    block: view.getFloat64(16),
    chunkId: chunkId(view.getFloat64(24)),
    chunkVersion: chunkVersion(view.getFloat64(32)),
    lengthBytes: view.getUint32(4),
    checksum: view.getUint32(48),
    dataVersion: view.getFloat64(40),
  };
}
