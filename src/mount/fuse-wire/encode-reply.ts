import { unreachable } from "../../base/index.js";
import { ATTRIBUTES_BYTES, ENTRY_BYTES, putAttributes, putEntry, validity } from "./encode-attributes.js";
import { ERRNO_NUMBERS } from "./errno.js";
import { LOCK_TYPES } from "./flags.js";
import { MessageWriter } from "./message-writer.js";
import type { FuseReply } from "./replies.js";
import type { FuseRequest } from "./requests.js";

/** `sizeof(struct fuse_out_header)`. */
export const REPLY_HEADER_BYTES = 16;
/** `sizeof(struct fuse_statx_out)`. */
const STATX_BYTES = 288;
/** `STATX_BASIC_STATS | STATX_BTIME`. */
const STATX_MASK = 0xfff;

/** The bytes of an answer, to be written in one call: header and, for data, what the handler gave, not copied. */
export function encodeReply(request: FuseRequest, reply: FuseReply): readonly Uint8Array[] {
  const { unique } = request.header;
  if (reply.type === "data") return dataReply(unique, reply.parts);
  if (reply.type === "error") return [errorReply(unique, ERRNO_NUMBERS[reply.errno])];
  const isWide = request.type === "copyRange" && request.isWide;
  return [encodeBody(unique, reply, isWide)];
}

/** An answer that is nothing but an error number, 0 for success. */
export function errorReply(unique: number, errno: number): Uint8Array {
  return new MessageWriter(REPLY_HEADER_BYTES).u32(REPLY_HEADER_BYTES).i32(-errno).u64(unique).bytes;
}

function dataReply(unique: number, parts: readonly Uint8Array[]): readonly Uint8Array[] {
  let lengthBytes = REPLY_HEADER_BYTES;
  for (const part of parts) lengthBytes += part.length;
  const header = new MessageWriter(REPLY_HEADER_BYTES).u32(lengthBytes).i32(0).u64(unique).bytes;
  return [header, ...parts];
}

function message(unique: number, bodyBytes: number): MessageWriter {
  const lengthBytes = REPLY_HEADER_BYTES + bodyBytes;
  return new MessageWriter(lengthBytes).u32(lengthBytes).i32(0).u64(unique);
}

type BodyReply = Exclude<FuseReply, { readonly type: "data" | "error" }>;

function encodeBody(unique: number, reply: BodyReply, isWide: boolean): Uint8Array {
  switch (reply.type) {
    case "ok":
      return errorReply(unique, 0);
    case "entry": {
      const writer = message(unique, ENTRY_BYTES);
      putEntry(writer, reply.entry);
      return writer.bytes;
    }
    case "noEntry": {
      const { seconds, nanos } = validity(reply.entryValidMs);
      return message(unique, ENTRY_BYTES).skip(16).u64(seconds).skip(8).u32(nanos).bytes;
    }
    case "attributes": {
      const { seconds, nanos } = validity(reply.attributesValidMs);
      const writer = message(unique, 16 + ATTRIBUTES_BYTES)
        .u64(seconds)
        .u32(nanos)
        .skip(4);
      putAttributes(writer, reply.attributes);
      return writer.bytes;
    }
    case "statx":
      return encodeStatx(unique, reply);
    case "opened":
      return message(unique, 16).u64(reply.handle).u32(reply.flags).bytes;
    case "created": {
      const writer = message(unique, ENTRY_BYTES + 16);
      putEntry(writer, reply.entry);
      return writer.u64(reply.handle).u32(reply.flags).bytes;
    }
    case "written":
      return message(unique, 8).u64(isWide ? reply.sizeBytes : Math.min(reply.sizeBytes, 0xffffffff)).bytes;
    case "xattrSize":
      return message(unique, 8).u32(reply.sizeBytes).bytes;
    case "filesystem":
      return encodeStatfs(unique, reply);
    case "lock": {
      const { start, end, kind, pid } = reply.lock;
      return message(unique, 24).big64(start).big64(end).u32(LOCK_TYPES[kind]).u32(pid).bytes;
    }
    case "offset":
      return message(unique, 8).u64(reply.offset).bytes;
    default:
      return unreachable(reply);
  }
}

/** `struct fuse_kstatfs`. */
function encodeStatfs(
  unique: number,
  reply: Extract<FuseReply, { readonly type: "filesystem" }>,
): Uint8Array {
  return message(unique, 80)
    .u64(reply.blockCount)
    .u64(reply.freeBlockCount)
    .u64(reply.availableBlockCount)
    .u64(reply.fileCount)
    .u64(reply.freeFileCount)
    .u32(reply.blockBytes)
    .u32(reply.nameBytesMax)
    .u32(reply.blockBytes).bytes;
}

/** `struct fuse_statx_out`. */
function encodeStatx(unique: number, reply: Extract<FuseReply, { readonly type: "statx" }>): Uint8Array {
  const { attributes } = reply;
  const { seconds, nanos } = validity(reply.attributesValidMs);
  const writer = message(unique, STATX_BYTES)
    .u64(seconds)
    .u32(nanos)
    .skip(4 + 16);
  writer.u32(STATX_MASK).u32(attributes.blockBytes).u64(0).u32(attributes.linkCount);
  writer.u32(attributes.uid).u32(attributes.gid).u16(attributes.mode).skip(2);
  writer.u64(attributes.ino).u64(attributes.sizeBytes).u64(attributes.blockCount).u64(0);
  writer.statxTime(attributes.atime).statxTime(reply.birthTime);
  writer.statxTime(attributes.ctime).statxTime(attributes.mtime);
  return writer.u32(deviceMajor(attributes.rdev)).u32(deviceMinor(attributes.rdev)).bytes;
}

/** `new_decode_dev` of the kernel: how a device number of 32 bits is packed. */
const deviceMajor = (rdev: number): number => (rdev >>> 8) & 0xfff;
const deviceMinor = (rdev: number): number => (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
