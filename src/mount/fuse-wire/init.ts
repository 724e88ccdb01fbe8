import { storageError } from "../../base/index.js";
import { REPLY_HEADER_BYTES } from "./encode-reply.js";
import { INIT_FLAGS, type InitFlag } from "./flags.js";
import { MessageWriter } from "./message-writer.js";
import type { RequestOf } from "./requests.js";

/** The protocol this codec speaks. */
export const FUSE_MAJOR = 7;
export const FUSE_MINOR = 45;
/** Linux 5.4: every layout this codec knows is there. */
const FUSE_MINOR_MIN = 31;
/** Notifications of epochs came with 7.44. */
const EPOCH_MINOR = 44;
const PAGE_BYTES = 4096;

/** What the file system wants to agree on. */
export interface InitWishes {
  /** Those that the kernel does not know are done without. */
  readonly flags: readonly InitFlag[];
  /** Greatest read and write; a multiple of 4096. */
  readonly transferBytesMax: number;
  readonly readaheadBytesMax: number;
  /** Requests nobody waits for (readahead, write-back) that the kernel may have under way. */
  readonly backgroundMax: number;
  /** As `backgroundMax` nears, writers of dirty pages are held up. */
  readonly congestionThreshold: number;
}

/** What was agreed on. */
export interface Negotiated {
  readonly minor: number;
  readonly flags: bigint;
  readonly maxReadahead: number;
  readonly transferBytesMax: number;
  readonly setxattrExtended: boolean;
  /** Whether `epochNotification` is understood. */
  readonly hasEpochs: boolean;
  has(flag: InitFlag): boolean;
}

/** Throws `unsupported` if the kernel is too old. A newer major version asks again with ours. */
export function negotiate(request: RequestOf<"init">, wishes: InitWishes): Negotiated {
  if (request.major < FUSE_MAJOR || (request.major === FUSE_MAJOR && request.minor < FUSE_MINOR_MIN)) {
    throw storageError(
      "unsupported",
      `this kernel speaks FUSE ${request.major}.${request.minor}; Linux 5.4 (FUSE ${FUSE_MAJOR}.${FUSE_MINOR_MIN}) is the oldest that will do`,
    );
  }
  let wanted = 0n;
  for (const flag of wishes.flags) wanted |= bit(flag);
  // The upper half counts only if both sides say that they have it.
  const known = hasBit(request.flags, "initExtended") ? request.flags : request.flags & 0xffffffffn;
  let flags = wanted & known;
  if (flags >> 32n !== 0n) flags |= bit("initExtended");
  const pages = hasBit(flags, "maxPages")
    ? wishes.transferBytesMax
    : Math.min(wishes.transferBytesMax, 32 * PAGE_BYTES);
  const minor = Math.min(request.minor, FUSE_MINOR);
  return {
    minor,
    flags,
    maxReadahead: Math.min(request.maxReadahead, wishes.readaheadBytesMax),
    transferBytesMax: pages,
    setxattrExtended: hasBit(flags, "setxattrExtended"),
    hasEpochs: minor >= EPOCH_MINOR,
    has: (flag) => hasBit(flags, flag),
  };
}

/** `struct fuse_init_out`. */
export function encodeInitReply(unique: number, agreed: Negotiated, wishes: InitWishes): Uint8Array {
  const lengthBytes = REPLY_HEADER_BYTES + 64;
  return new MessageWriter(lengthBytes)
    .u32(lengthBytes)
    .i32(0)
    .u64(unique)
    .u32(FUSE_MAJOR)
    .u32(agreed.minor)
    .u32(agreed.maxReadahead)
    .u32(Number(agreed.flags & 0xffffffffn))
    .u16(wishes.backgroundMax)
    .u16(wishes.congestionThreshold)
    .u32(agreed.transferBytesMax)
    .u32(1)
    .u16(agreed.transferBytesMax / PAGE_BYTES)
    .u16(0)
    .u32(Number(agreed.flags >> 32n)).bytes;
}

/** The answer to a kernel of a newer major version: it asks again with ours. */
export function encodeMajorReply(unique: number): Uint8Array {
  const lengthBytes = REPLY_HEADER_BYTES + 64;
  return new MessageWriter(lengthBytes).u32(lengthBytes).i32(0).u64(unique).u32(FUSE_MAJOR).u32(FUSE_MINOR)
    .bytes;
}

const bit = (flag: InitFlag): bigint => 1n << BigInt(INIT_FLAGS[flag]);
const hasBit = (flags: bigint, flag: InitFlag): boolean => (flags & bit(flag)) !== 0n;
