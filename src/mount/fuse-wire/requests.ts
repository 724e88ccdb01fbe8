import type { Timestamp } from "../../meta/index.js";

/**
 * What the kernel asks, decoded. Numbers above 2^53 (offsets no file can have) are rounded; where every bit counts
 * (owners and ranges of locks) there are bigints.
 */

export interface RequestHeader {
  /** Number of the request, which its reply repeats. */
  readonly unique: number;
  /** What it is about; the directory, for requests that have names. */
  readonly nodeId: number;
  /** Who asks: for the file system, user and group of the process (fsuid, fsgid). */
  readonly uid: number;
  readonly gid: number;
  /** 0 if the kernel asks on its own, or the process is of another namespace. */
  readonly pid: number;
}

export interface ForgetItem {
  readonly nodeId: number;
  /** How many of the answers that named the node (entries) the kernel forgets. */
  readonly lookupCount: number;
}

/** A lock or the end of one, on a range that includes both ends; to the end of the file, `end` is 2^63 - 1. */
export interface LockRange {
  readonly start: bigint;
  readonly end: bigint;
  readonly kind: "read" | "write" | "unlock";
  /** Whose it is, for F_GETLK. */
  readonly pid: number;
}

interface LockRequest {
  readonly handle: number;
  /** Who holds it: opaque, and different on every mount. */
  readonly owner: bigint;
  readonly lock: LockRange;
  /** flock(2) rather than fcntl(2). */
  readonly isFlock: boolean;
}

/** What a new node is made with. */
interface Creation {
  readonly name: Uint8Array;
  /** Type and permissions as the process gave them: the umask is not applied (INIT flag `dontMask`). */
  readonly mode: number;
  readonly umask: number;
  /** Groups of the process that matter here: that of the directory, if the process is in it. */
  readonly groups: readonly number[];
}

/** Where and what of each request, by type. */
interface RequestBodies {
  readonly lookup: { readonly name: Uint8Array };
  /** Never answered. FORGET and BATCH_FORGET. */
  readonly forget: { readonly items: readonly ForgetItem[] };
  readonly getAttributes: { readonly handle: number | undefined };
  readonly setAttributes: {
    readonly handle: number | undefined;
    readonly mode: number | undefined;
    readonly uid: number | undefined;
    readonly gid: number | undefined;
    readonly sizeBytes: number | undefined;
    readonly atime: Timestamp | "now" | undefined;
    readonly mtime: Timestamp | "now" | undefined;
    readonly ctime: Timestamp | undefined;
    readonly lockOwner: bigint | undefined;
    /** The process may not keep set-user-id and set-group-id bits. */
    readonly killSuidgid: boolean;
  };
  readonly readSymlink: Record<never, never>;
  readonly symlink: {
    readonly name: Uint8Array;
    readonly target: Uint8Array;
    readonly groups: readonly number[];
  };
  readonly makeNode: Creation & { readonly rdev: number };
  readonly makeDirectory: Creation;
  readonly unlink: { readonly name: Uint8Array };
  readonly removeDirectory: { readonly name: Uint8Array };
  /** RENAME and RENAME2. */
  readonly rename: {
    readonly name: Uint8Array;
    readonly newParent: number;
    readonly newName: Uint8Array;
    /** `RENAME_FLAGS`. */
    readonly flags: number;
  };
  /** `header.nodeId` is the directory of the new name. */
  readonly link: { readonly existing: number; readonly name: Uint8Array };
  readonly open: { readonly flags: number; readonly killSuidgid: boolean };
  readonly read: {
    readonly handle: number;
    readonly offset: number;
    readonly sizeBytes: number;
    /** Flags of the open file. */
    readonly flags: number;
    readonly lockOwner: bigint | undefined;
  };
  readonly write: {
    readonly handle: number;
    readonly offset: number;
    /** Lies in the buffer the request came in: whoever keeps it after the answer copies it. */
    readonly data: Uint8Array;
    readonly flags: number;
    /** Written back from the page cache (mmap): the handle is a guess, and so is the process. */
    readonly isFromCache: boolean;
    readonly killSuidgid: boolean;
    readonly lockOwner: bigint | undefined;
  };
  readonly statFilesystem: Record<never, never>;
  readonly release: {
    readonly handle: number;
    readonly flags: number;
    readonly isFlush: boolean;
    readonly unlocksFlock: boolean;
    readonly lockOwner: bigint;
  };
  readonly fsync: { readonly handle: number; readonly isDataOnly: boolean };
  readonly setXattr: {
    readonly name: Uint8Array;
    readonly value: Uint8Array;
    /** `XATTR_CREATE`, `XATTR_REPLACE` or 0. */
    readonly flags: number;
    /** With an access ACL: the process may not keep the set-group-id bit. */
    readonly killSgid: boolean;
  };
  /** With `sizeBytes` 0 only the size is asked for; a value that is longer is `ERANGE`. */
  readonly getXattr: { readonly name: Uint8Array; readonly sizeBytes: number };
  readonly listXattrs: { readonly sizeBytes: number };
  readonly removeXattr: { readonly name: Uint8Array };
  /** A descriptor of the open file is closed. */
  readonly flush: { readonly handle: number; readonly lockOwner: bigint };
  readonly init: {
    readonly major: number;
    readonly minor: number;
    readonly maxReadahead: number;
    /** Both halves of the flags, as a mask of `INIT_FLAGS`. */
    readonly flags: bigint;
  };
  readonly openDirectory: { readonly flags: number };
  /** READDIR, and READDIRPLUS `withAttributes`. */
  readonly readDirectory: {
    readonly handle: number;
    /** The `offset` of the last entry that was seen; 0 for the beginning. */
    readonly offset: number;
    readonly sizeBytes: number;
    readonly withAttributes: boolean;
  };
  readonly releaseDirectory: { readonly handle: number };
  readonly fsyncDirectory: { readonly handle: number; readonly isDataOnly: boolean };
  readonly getLock: LockRequest;
  /** SETLK, and SETLKW that `waits`. */
  readonly setLock: LockRequest & { readonly waits: boolean };
  readonly access: { readonly mask: number };
  readonly create: Creation & { readonly flags: number; readonly killSuidgid: boolean };
  /** A file without a name in a directory. */
  readonly makeTemporaryFile: Creation & { readonly flags: number };
  readonly interrupt: { readonly target: number };
  readonly mapBlock: { readonly block: number; readonly blockBytes: number };
  readonly destroy: Record<never, never>;
  readonly ioctl: { readonly handle: number; readonly command: number; readonly flags: number };
  readonly poll: { readonly handle: number; readonly events: number };
  readonly notifyReply: { readonly offset: number; readonly data: Uint8Array };
  readonly allocate: {
    readonly handle: number;
    readonly offset: number;
    readonly lengthBytes: number;
    /** `FALLOCATE_MODES`. */
    readonly mode: number;
  };
  /** `SEEK_DATA` or `SEEK_HOLE`; the offset may be negative. */
  readonly seek: { readonly handle: number; readonly offset: number; readonly whence: number };
  readonly copyRange: {
    readonly handle: number;
    readonly offset: number;
    readonly targetNodeId: number;
    readonly targetHandle: number;
    readonly targetOffset: number;
    readonly lengthBytes: number;
    readonly flags: number;
    /** Asked with 64 bits for the answer. */
    readonly isWide: boolean;
  };
  readonly syncFilesystem: Record<never, never>;
  readonly statx: {
    readonly handle: number | undefined;
    readonly flags: number;
    readonly mask: number;
  };
  /** An operation this codec does not know, to be answered with ENOSYS. */
  readonly unknown: { readonly opcode: number };
}

export type RequestType = keyof RequestBodies;

/** One request of that type. */
export type RequestOf<Type extends RequestType> = Type extends RequestType
  ? { readonly type: Type; readonly header: RequestHeader } & RequestBodies[Type]
  : never;

/** Any request. */
export type FuseRequest = RequestOf<RequestType>;
