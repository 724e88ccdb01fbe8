import { crc32 } from "../../base/index.js";

/** A block of a file of the flush test: a number that grows with every flush. */
export const RECORD_BYTES = 4096;
/** Blocks of a file, written in turns. */
export const RING_BLOCKS = 64;

const MAGIC = Buffer.from("PSFLUSH1");

export function encodeRecord(sequence: number): Buffer {
  const block = Buffer.alloc(RECORD_BYTES, sequence & 0xff);
  MAGIC.copy(block);
  block.writeBigUInt64BE(BigInt(sequence), 8);
  block.writeUInt32BE(0, 16);
  block.writeUInt32BE(crc32(block), 16);
  return block;
}

/** The greatest number in a file; 0: none. Torn and damaged blocks do not count. */
export function latestSequence(bytes: Uint8Array): number {
  let latest = 0;
  for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
    const block = Buffer.from(bytes.subarray(at, at + RECORD_BYTES));
    if (block.compare(MAGIC, 0, MAGIC.length, 0, MAGIC.length) !== 0) continue;
    const sum = block.readUInt32BE(16);
    block.writeUInt32BE(0, 16);
    if (crc32(block) !== sum) continue;
    latest = Math.max(latest, Number(block.readBigUInt64BE(8)));
  }
  return latest;
}
