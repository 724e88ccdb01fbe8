import type { BlockCacheStatus } from "../../client/index.js";

/**
 * What `.pstorage.info/read_cache_info` says. The first lines are those of the original; there is no cache of its own for
 * what is read at boot.
 */
export function readCacheInfo(status: BlockCacheStatus | undefined): string {
  if (status === undefined) return "state off\n";
  const { path, megabytes, blockBytes, offReason } = status;
  return [
    `path ${path}`,
    `main_size_mb ${megabytes}`,
    "boot_size_mb 0",
    `block_size_kb ${blockBytes / 1024}`,
    "checksum enabled",
    offReason === undefined ? "state on" : `state off (${offReason})`,
    `blocks_max ${status.blocksMax}`,
    `blocks_used ${status.blocksUsed}`,
    `hits ${status.hits}`,
    `misses ${status.misses}`,
    `read_bytes ${status.readBytes}`,
    `stored_bytes ${status.storedBytes}`,
    `passed_blocks ${status.passedBlocks}`,
    `wrong_blocks ${status.wrongBlocks}`,
    `disk_failures ${status.failures}`,
    "",
  ].join("\n");
}
