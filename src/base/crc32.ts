import { crc32 as zlibCrc32 } from "node:zlib";

/**
 * CRC-32 (ISO 3309, reflected 0xEDB88320) of the bytes, optionally continued from an earlier value.
 * The one import of `node:` in a pure room: a pure function, some ten times faster than ours would be.
 */
export function crc32(bytes: Uint8Array, continued = 0): number {
  return zlibCrc32(bytes, continued);
}
