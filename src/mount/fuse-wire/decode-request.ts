import { failureOf, storageError } from "../../base/index.js";
import { DECODERS } from "./decoders.js";
import { EXTENSION_GROUPS } from "./flags.js";
import { MessageReader } from "./message-reader.js";
import type { FuseRequest, RequestHeader } from "./requests.js";

/** `sizeof(struct fuse_in_header)`. */
export const REQUEST_HEADER_BYTES = 40;
/** `NGROUPS_MAX`, and the most that are believed. */
const GROUPS_MAX = 65536;

/** What was agreed at INIT and changes the layout of requests. */
export interface WireFeatures {
  /** `fuse_setxattr_in` has 16 bytes rather than 8. */
  readonly setxattrExtended: boolean;
}

/** A request whose header could be read, but not what follows: to be answered with EIO. */
export interface UnreadableRequest {
  readonly type: "unreadable";
  readonly header: RequestHeader;
  readonly opcode: number;
  readonly reason: string;
}

/**
 * Decodes the message in `bytes`, which is one whole read of /dev/fuse. Throws `malformed` if not even its header can
 * be read: that is no FUSE device.
 */
export function decodeRequest(bytes: Buffer, features: WireFeatures): FuseRequest | UnreadableRequest {
  const reader = new MessageReader(bytes, 0, bytes.length);
  const lengthBytes = reader.u32();
  const opcode = reader.u32();
  const header: RequestHeader = {
    unique: reader.u64(),
    nodeId: reader.u64(),
    uid: reader.u32(),
    gid: reader.u32(),
    pid: reader.u32(),
  };
  const extensionBytes = reader.u16() * 8;
  if (lengthBytes !== bytes.length || lengthBytes < REQUEST_HEADER_BYTES) {
    throw storageError("malformed", "the length of a request is not that of the message");
  }
  const bodyEnd = lengthBytes - extensionBytes;
  try {
    const decode = DECODERS.get(opcode);
    if (decode === undefined) return { type: "unknown", header, opcode };
    const body = new MessageReader(bytes, REQUEST_HEADER_BYTES, bodyEnd);
    const groups = extensionBytes === 0 ? [] : decodeGroups(new MessageReader(bytes, bodyEnd, lengthBytes));
    return decode(header, body, { groups, ...features });
  } catch (error) {
    const failure = failureOf(error);
    if (failure?.code !== "malformed") throw error;
    return { type: "unreadable", header, opcode, reason: failure.detail };
  }
}

/** The groups among the extensions; those of other kinds are skipped. */
function decodeGroups(reader: MessageReader): readonly number[] {
  const groups: number[] = [];
  while (reader.remaining >= 8) {
    const sizeBytes = reader.u32();
    const type = reader.u32();
    if (sizeBytes < 8) throw storageError("malformed", "an extension without a header");
    const paddedBytes = Math.min(Math.ceil(sizeBytes / 8) * 8 - 8, reader.remaining);
    if (type !== EXTENSION_GROUPS) {
      reader.skip(paddedBytes);
      continue;
    }
    const count = reader.u32();
    if (count > GROUPS_MAX || 4 + count * 4 > paddedBytes) throw storageError("malformed", "too many groups");
    for (let i = 0; i < count; i++) groups.push(reader.u32());
    reader.skip(paddedBytes - 4 - count * 4);
  }
  return groups;
}
