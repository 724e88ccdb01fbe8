import { type Attributes, isSymlink } from "../../meta/index.js";
import type { WireAttributes } from "../fuse-wire/replies.js";

/** Unit of `st_blocks`. */
const STAT_BLOCK_BYTES = 512;
/** What programs should read and write at once: stdio buffers get that large. */
export const PREFERRED_IO_BYTES = 128 * 1024;

/** What `stat` shows in place of the root's own attributes. */
export interface RootOwner {
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Permission bits. */
  readonly mode?: number | undefined;
}

/** Attributes as the kernel has them. */
export function wireAttributes(attributes: Attributes): WireAttributes {
  const { ino, mode, linkCount, uid, gid, rdev, sizeBytes, allocatedBytes } = attributes;
  return {
    ino,
    sizeBytes,
    blockCount: isSymlink(mode) ? 0 : Math.ceil(allocatedBytes / STAT_BLOCK_BYTES),
    atime: attributes.atime,
    mtime: attributes.mtime,
    ctime: attributes.ctime,
    mode,
    linkCount,
    uid,
    gid,
    rdev,
    blockBytes: PREFERRED_IO_BYTES,
  };
}
