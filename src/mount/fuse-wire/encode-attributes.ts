import type { MessageWriter } from "./message-writer.js";
import type { WireAttributes, WireEntry } from "./replies.js";

/** `sizeof(struct fuse_attr)`. */
export const ATTRIBUTES_BYTES = 88;
/** `sizeof(struct fuse_entry_out)`. */
export const ENTRY_BYTES = 40 + ATTRIBUTES_BYTES;
/** A year: the kernel need not believe anything longer. */
const VALID_MS_MAX = 365 * 24 * 3_600_000;

/** Seconds and nanoseconds of a time the kernel may believe something for. */
export function validity(validMs: number): { readonly seconds: number; readonly nanos: number } {
  const ms = Math.min(Math.max(Math.floor(validMs), 0), VALID_MS_MAX);
  return { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 };
}

/** `struct fuse_attr`. */
export function putAttributes(writer: MessageWriter, attributes: WireAttributes): void {
  const { atime, mtime, ctime } = attributes;
  writer.u64(attributes.ino).u64(attributes.sizeBytes).u64(attributes.blockCount);
  writer.u64(atime.seconds).u64(mtime.seconds).u64(ctime.seconds);
  writer.u32(atime.nanos).u32(mtime.nanos).u32(ctime.nanos);
  writer.u32(attributes.mode).u32(attributes.linkCount).u32(attributes.uid).u32(attributes.gid);
  writer.u32(attributes.rdev).u32(attributes.blockBytes).skip(4);
}

/** `struct fuse_entry_out`. */
export function putEntry(writer: MessageWriter, entry: WireEntry): void {
  const name = validity(entry.entryValidMs);
  const attributes = validity(entry.attributesValidMs);
  writer.u64(entry.nodeId).u64(entry.generation);
  writer.u64(name.seconds).u64(attributes.seconds).u32(name.nanos).u32(attributes.nanos);
  putAttributes(writer, entry.attributes);
}
