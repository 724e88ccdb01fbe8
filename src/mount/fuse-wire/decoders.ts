import { storageError } from "../../base/index.js";
import type { Timestamp } from "../../meta/index.js";
import {
  FSYNC_DATA_ONLY,
  GETATTR_HANDLE,
  LOCK_FLOCK,
  LOCK_TYPES,
  OPEN_KILL_SUIDGID,
  READ_LOCK_OWNER,
  RELEASE_FLOCK_UNLOCK,
  RELEASE_FLUSH,
  SETATTR_VALID,
  SETXATTR_ACL_KILL_SGID,
  WRITE_FROM_CACHE,
  WRITE_KILL_SUIDGID,
  WRITE_LOCK_OWNER,
} from "./flags.js";
import type { MessageReader } from "./message-reader.js";
import { OPCODES } from "./opcodes.js";
import type { ForgetItem, FuseRequest, LockRange, RequestHeader, RequestOf } from "./requests.js";

/** What a body cannot tell by itself. */
interface Context {
  readonly setxattrExtended: boolean;
  readonly groups: readonly number[];
}

type Decoder = (header: RequestHeader, body: MessageReader, context: Context) => FuseRequest;

/** Most nodes in one BATCH_FORGET: what fits into the greatest request. */
const FORGET_ITEMS_MAX = 65536 * 2;

function decodeForgets(body: MessageReader): ForgetItem[] {
  const count = body.u32();
  body.skip(4);
  if (count > FORGET_ITEMS_MAX) throw storageError("malformed", "too much to forget");
  const items: ForgetItem[] = [];
  for (let i = 0; i < count; i++) items.push({ nodeId: body.u64(), lookupCount: body.u64() });
  return items;
}

function decodeGetattr(header: RequestHeader, body: MessageReader): FuseRequest {
  const flags = body.u32();
  body.skip(4);
  const handle = body.u64();
  return { type: "getAttributes", header, handle: (flags & GETATTR_HANDLE) !== 0 ? handle : undefined };
}

function timestamp(seconds: number, nanos: number): Timestamp {
  if (nanos > 999_999_999) throw storageError("malformed", "a second has a thousand million nanoseconds");
  return { seconds, nanos };
}

/** `struct fuse_setattr_in`. */
function decodeSetattr(header: RequestHeader, body: MessageReader): FuseRequest {
  const valid = body.u32();
  body.skip(4);
  const handle = body.u64();
  const sizeBytes = body.u64();
  const lockOwner = body.big64();
  const [atime, mtime, ctime] = [body.i64(), body.i64(), body.i64()];
  const [atimeNanos, mtimeNanos, ctimeNanos] = [body.u32(), body.u32(), body.u32()];
  const mode = body.u32();
  body.skip(4);
  const uid = body.u32();
  const gid = body.u32();
  body.skip(4);
  const has = (bit: number): boolean => (valid & bit) !== 0;
  const time = (
    bit: number,
    nowBit: number,
    seconds: number,
    nanos: number,
  ): Timestamp | "now" | undefined => {
    if (has(nowBit)) return "now";
    return has(bit) ? timestamp(seconds, nanos) : undefined;
  };
  return {
    type: "setAttributes",
    header,
    handle: has(SETATTR_VALID.handle) ? handle : undefined,
    mode: has(SETATTR_VALID.mode) ? mode : undefined,
    uid: has(SETATTR_VALID.uid) ? uid : undefined,
    gid: has(SETATTR_VALID.gid) ? gid : undefined,
    sizeBytes: has(SETATTR_VALID.size) ? sizeBytes : undefined,
    atime: time(SETATTR_VALID.atime, SETATTR_VALID.atimeNow, atime, atimeNanos),
    mtime: time(SETATTR_VALID.mtime, SETATTR_VALID.mtimeNow, mtime, mtimeNanos),
    ctime: has(SETATTR_VALID.ctime) ? timestamp(ctime, ctimeNanos) : undefined,
    lockOwner: has(SETATTR_VALID.lockOwner) ? lockOwner : undefined,
    killSuidgid: has(SETATTR_VALID.killSuidgid),
  };
}

function decodeRead(body: MessageReader): Omit<RequestOf<"read">, "type" | "header"> {
  const handle = body.u64();
  const offset = body.u64();
  const sizeBytes = body.u32();
  const readFlags = body.u32();
  const lockOwner = body.big64();
  const flags = body.u32();
  body.skip(4);
  const hasOwner = (readFlags & READ_LOCK_OWNER) !== 0;
  return { handle, offset, sizeBytes, flags, lockOwner: hasOwner ? lockOwner : undefined };
}

function decodeReadDirectory(
  header: RequestHeader,
  body: MessageReader,
  withAttributes: boolean,
): RequestOf<"readDirectory"> {
  const { handle, offset, sizeBytes } = decodeRead(body);
  return { type: "readDirectory", header, handle, offset, sizeBytes, withAttributes };
}

function decodeWrite(header: RequestHeader, body: MessageReader): FuseRequest {
  const handle = body.u64();
  const offset = body.u64();
  const sizeBytes = body.u32();
  const writeFlags = body.u32();
  const lockOwner = body.big64();
  const flags = body.u32();
  body.skip(4);
  return {
    type: "write",
    header,
    handle,
    offset,
    data: body.view(sizeBytes),
    flags,
    isFromCache: (writeFlags & WRITE_FROM_CACHE) !== 0,
    killSuidgid: (writeFlags & WRITE_KILL_SUIDGID) !== 0,
    lockOwner: (writeFlags & WRITE_LOCK_OWNER) !== 0 ? lockOwner : undefined,
  };
}

function decodeRelease(body: MessageReader): Omit<RequestOf<"release">, "type" | "header"> {
  const handle = body.u64();
  const flags = body.u32();
  const releaseFlags = body.u32();
  return {
    handle,
    flags,
    isFlush: (releaseFlags & RELEASE_FLUSH) !== 0,
    unlocksFlock: (releaseFlags & RELEASE_FLOCK_UNLOCK) !== 0,
    lockOwner: body.big64(),
  };
}

function decodeFsync(body: MessageReader): { readonly handle: number; readonly isDataOnly: boolean } {
  const handle = body.u64();
  const flags = body.u32();
  body.skip(4);
  return { handle, isDataOnly: (flags & FSYNC_DATA_ONLY) !== 0 };
}

function decodeSetxattr(
  header: RequestHeader,
  body: MessageReader,
  { setxattrExtended }: Context,
): FuseRequest {
  const sizeBytes = body.u32();
  const flags = body.u32();
  const extendedFlags = setxattrExtended ? body.u32() : 0;
  if (setxattrExtended) body.skip(4);
  const name = body.name();
  const value = body.copy(sizeBytes);
  return {
    type: "setXattr",
    header,
    name,
    value,
    flags,
    killSgid: (extendedFlags & SETXATTR_ACL_KILL_SGID) !== 0,
  };
}

function decodeXattrSize(body: MessageReader): number {
  const sizeBytes = body.u32();
  body.skip(4);
  return sizeBytes;
}

function decodeInit(header: RequestHeader, body: MessageReader): FuseRequest {
  const major = body.u32();
  const minor = body.u32();
  // Kernels before 7.6 sent no more than that; they are refused by their version.
  if (body.remaining < 8) return { type: "init", header, major, minor, maxReadahead: 0, flags: 0n };
  const maxReadahead = body.u32();
  const low = BigInt(body.u32());
  const high = body.remaining >= 4 ? BigInt(body.u32()) : 0n;
  return { type: "init", header, major, minor, maxReadahead, flags: low | (high << 32n) };
}

function decodeLock(body: MessageReader): Omit<RequestOf<"getLock">, "type" | "header"> {
  const handle = body.u64();
  const owner = body.big64();
  const [start, end] = [body.big64(), body.big64()];
  const type = body.u32();
  const pid = body.u32();
  const flags = body.u32();
  body.skip(4);
  return {
    handle,
    owner,
    lock: { start, end, kind: lockKind(type), pid },
    isFlock: (flags & LOCK_FLOCK) !== 0,
  };
}

function lockKind(type: number): LockRange["kind"] {
  if (type === LOCK_TYPES.read) return "read";
  if (type === LOCK_TYPES.write) return "write";
  if (type === LOCK_TYPES.unlock) return "unlock";
  throw storageError("malformed", "a lock of no known kind");
}

/** `struct fuse_create_in`, of CREATE and TMPFILE. */
function decodeCreate(
  body: MessageReader,
  { groups }: Context,
): Omit<RequestOf<"create">, "type" | "header"> {
  const flags = body.u32();
  const mode = body.u32();
  const umask = body.u32();
  const openFlags = body.u32();
  return {
    flags,
    mode,
    umask,
    killSuidgid: (openFlags & OPEN_KILL_SUIDGID) !== 0,
    name: body.name(),
    groups,
  };
}

function decodeMknod(header: RequestHeader, body: MessageReader, { groups }: Context): FuseRequest {
  const mode = body.u32();
  const rdev = body.u32();
  const umask = body.u32();
  body.skip(4);
  return { type: "makeNode", header, mode, rdev, umask, name: body.name(), groups };
}

function decodeRename(header: RequestHeader, body: MessageReader, hasFlags: boolean): FuseRequest {
  const newParent = body.u64();
  const flags = hasFlags ? body.u32() : 0;
  if (hasFlags) body.skip(4);
  return { type: "rename", header, newParent, flags, name: body.name(), newName: body.name() };
}

function decodeIoctl(header: RequestHeader, body: MessageReader): FuseRequest {
  const handle = body.u64();
  const flags = body.u32();
  return { type: "ioctl", header, handle, flags, command: body.u32() };
}

function decodePoll(header: RequestHeader, body: MessageReader): FuseRequest {
  const handle = body.u64();
  body.skip(12);
  return { type: "poll", header, handle, events: body.u32() };
}

function decodeNotifyReply(header: RequestHeader, body: MessageReader): FuseRequest {
  body.skip(8);
  const offset = body.u64();
  const sizeBytes = body.u32();
  body.skip(20);
  return { type: "notifyReply", header, offset, data: body.view(sizeBytes) };
}

function decodeFallocate(header: RequestHeader, body: MessageReader): FuseRequest {
  const [handle, offset, lengthBytes] = [body.u64(), body.u64(), body.u64()];
  const mode = body.u32();
  body.skip(4);
  return { type: "allocate", header, handle, offset, lengthBytes, mode };
}

function decodeSeek(header: RequestHeader, body: MessageReader): FuseRequest {
  const handle = body.u64();
  const offset = body.i64();
  const whence = body.u32();
  body.skip(4);
  return { type: "seek", header, handle, offset, whence };
}

/** `struct fuse_copy_file_range_in`. */
function decodeCopy(header: RequestHeader, body: MessageReader, isWide: boolean): FuseRequest {
  const [handle, offset] = [body.u64(), body.u64()];
  const [targetNodeId, targetHandle, targetOffset] = [body.u64(), body.u64(), body.u64()];
  const [lengthBytes, flags] = [body.u64(), body.u64()];
  const target = { targetNodeId, targetHandle, targetOffset };
  return { type: "copyRange", header, handle, offset, ...target, lengthBytes, flags, isWide };
}

function decodeStatx(header: RequestHeader, body: MessageReader): FuseRequest {
  const getattrFlags = body.u32();
  body.skip(4);
  const handle = body.u64();
  const flags = body.u32();
  const hasHandle = (getattrFlags & GETATTR_HANDLE) !== 0;
  return { type: "statx", header, handle: hasHandle ? handle : undefined, flags, mask: body.u32() };
}

function decodeOpen(body: MessageReader): { readonly flags: number; readonly killSuidgid: boolean } {
  const flags = body.u32();
  return { flags, killSuidgid: (body.u32() & OPEN_KILL_SUIDGID) !== 0 };
}

/** How the body of each operation is read. */
export const DECODERS: ReadonlyMap<number, Decoder> = new Map<number, Decoder>([
  [OPCODES.lookup, (header, body) => ({ type: "lookup", header, name: body.name() })],
  [
    OPCODES.forget,
    (header, body) => ({
      type: "forget",
      header,
      items: [{ nodeId: header.nodeId, lookupCount: body.u64() }],
    }),
  ],
  [OPCODES.batchForget, (header, body) => ({ type: "forget", header, items: decodeForgets(body) })],
  [OPCODES.getattr, decodeGetattr],
  [OPCODES.setattr, decodeSetattr],
  [OPCODES.readlink, (header) => ({ type: "readSymlink", header })],
  [
    OPCODES.symlink,
    (header, body, { groups }) => ({
      type: "symlink",
      header,
      name: body.name(),
      target: body.name(),
      groups,
    }),
  ],
  [OPCODES.mknod, decodeMknod],
  [
    OPCODES.mkdir,
    (header, body, { groups }) => {
      const [mode, umask] = [body.u32(), body.u32()];
      return { type: "makeDirectory", header, mode, umask, name: body.name(), groups };
    },
  ],
  [OPCODES.unlink, (header, body) => ({ type: "unlink", header, name: body.name() })],
  [OPCODES.rmdir, (header, body) => ({ type: "removeDirectory", header, name: body.name() })],
  [OPCODES.rename, (header, body) => decodeRename(header, body, false)],
  [OPCODES.rename2, (header, body) => decodeRename(header, body, true)],
  [OPCODES.link, (header, body) => ({ type: "link", header, existing: body.u64(), name: body.name() })],
  [OPCODES.open, (header, body) => ({ type: "open", header, ...decodeOpen(body) })],
  [OPCODES.read, (header, body) => ({ type: "read", header, ...decodeRead(body) })],
  [OPCODES.write, decodeWrite],
  [OPCODES.statfs, (header) => ({ type: "statFilesystem", header })],
  [OPCODES.release, (header, body) => ({ type: "release", header, ...decodeRelease(body) })],
  [OPCODES.fsync, (header, body) => ({ type: "fsync", header, ...decodeFsync(body) })],
  [OPCODES.setxattr, decodeSetxattr],
  [
    OPCODES.getxattr,
    (header, body) => {
      const sizeBytes = decodeXattrSize(body);
      return { type: "getXattr", header, sizeBytes, name: body.name() };
    },
  ],
  [OPCODES.listxattr, (header, body) => ({ type: "listXattrs", header, sizeBytes: decodeXattrSize(body) })],
  [OPCODES.removexattr, (header, body) => ({ type: "removeXattr", header, name: body.name() })],
  [
    OPCODES.flush,
    (header, body) => {
      const handle = body.u64();
      body.skip(8);
      return { type: "flush", header, handle, lockOwner: body.big64() };
    },
  ],
  [OPCODES.init, decodeInit],
  [OPCODES.opendir, (header, body) => ({ type: "openDirectory", header, flags: decodeOpen(body).flags })],
  [OPCODES.readdir, (header, body) => decodeReadDirectory(header, body, false)],
  [OPCODES.readdirplus, (header, body) => decodeReadDirectory(header, body, true)],
  [
    OPCODES.releasedir,
    (header, body) => ({ type: "releaseDirectory", header, handle: decodeRelease(body).handle }),
  ],
  [OPCODES.fsyncdir, (header, body) => ({ type: "fsyncDirectory", header, ...decodeFsync(body) })],
  [OPCODES.getlk, (header, body) => ({ type: "getLock", header, ...decodeLock(body) })],
  [OPCODES.setlk, (header, body) => ({ type: "setLock", header, waits: false, ...decodeLock(body) })],
  [OPCODES.setlkw, (header, body) => ({ type: "setLock", header, waits: true, ...decodeLock(body) })],
  [OPCODES.access, (header, body) => ({ type: "access", header, mask: body.u32() })],
  [OPCODES.create, (header, body, context) => ({ type: "create", header, ...decodeCreate(body, context) })],
  [
    OPCODES.tmpfile,
    (header, body, context) => {
      const { killSuidgid: _, ...creation } = decodeCreate(body, context);
      return { type: "makeTemporaryFile", header, ...creation };
    },
  ],
  [OPCODES.interrupt, (header, body) => ({ type: "interrupt", header, target: body.u64() })],
  [OPCODES.bmap, (header, body) => ({ type: "mapBlock", header, block: body.u64(), blockBytes: body.u32() })],
  [OPCODES.destroy, (header) => ({ type: "destroy", header })],
  [OPCODES.ioctl, decodeIoctl],
  [OPCODES.poll, decodePoll],
  [OPCODES.notifyReply, decodeNotifyReply],
  [OPCODES.fallocate, decodeFallocate],
  [OPCODES.lseek, decodeSeek],
  [OPCODES.copyFileRange, (header, body) => decodeCopy(header, body, false)],
  [OPCODES.copyFileRange64, (header, body) => decodeCopy(header, body, true)],
  [OPCODES.syncfs, (header) => ({ type: "syncFilesystem", header })],
  [OPCODES.statx, decodeStatx],
]);
