import { REPLY_HEADER_BYTES } from "./encode-reply.js";
import { MessageWriter } from "./message-writer.js";
import { NOTIFY_CODES } from "./opcodes.js";

/** A notification is a reply to nobody: `unique` 0, and its code in the place of the error. */
function notification(code: number, bodyBytes: number): MessageWriter {
  const lengthBytes = REPLY_HEADER_BYTES + bodyBytes;
  return new MessageWriter(lengthBytes).u32(lengthBytes).i32(code).u64(0);
}

/**
 * The kernel forgets the node's attributes and, unless `offset` is negative, its cached data from there on:
 * `lengthBytes` of them, or all if that is 0 or less.
 */
export function inodeNotification(nodeId: number, offset: number, lengthBytes: number): Uint8Array {
  return notification(NOTIFY_CODES.invalidateInode, 24).u64(nodeId).u64(offset).u64(lengthBytes).bytes;
}

/** The kernel forgets what that name in that directory stands for, also that there is no such name. */
export function entryNotification(parent: number, name: Uint8Array): Uint8Array {
  return notification(NOTIFY_CODES.invalidateEntry, 16 + name.length + 1)
    .u64(parent)
    .u32(name.length)
    .skip(4)
    .put(name).bytes;
}

/** The kernel takes these for the bytes of the file from `offset` on; if they reach beyond its end, that moves. */
export function storeNotification(nodeId: number, offset: number, data: Uint8Array): Uint8Array {
  return notification(NOTIFY_CODES.store, 24 + data.length)
    .u64(nodeId)
    .u64(offset)
    .u32(data.length)
    .skip(4)
    .put(data).bytes;
}

/** The kernel asks again about every name it knows. Only from 7.44 on. */
export function epochNotification(): Uint8Array {
  return notification(NOTIFY_CODES.incrementEpoch, 0).bytes;
}
