import type { Timestamp } from "../../meta/index.js";
import type { WireErrno } from "./errno.js";
import type { LockRange } from "./requests.js";

/** `struct fuse_attr`, what `stat` shows. */
export interface WireAttributes {
  readonly ino: number;
  readonly sizeBytes: number;
  /** Of 512 bytes each. */
  readonly blockCount: number;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
  /** Type and permissions. */
  readonly mode: number;
  readonly linkCount: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  /** Preferred size of reads and writes. */
  readonly blockBytes: number;
}

/**
 * A name and what it stands for. Each one that is answered counts as one lookup, which a `forget` takes back. With
 * `nodeId` 0 the name is known not to exist for `entryValidMs` (only in answer to a lookup).
 */
export interface WireEntry {
  readonly nodeId: number;
  readonly generation: number;
  /** How long the kernel may believe in the name. */
  readonly entryValidMs: number;
  /** How long the kernel may believe the attributes. */
  readonly attributesValidMs: number;
  readonly attributes: WireAttributes;
}

/** The bytes of an answer are lent: until it ends this, whoever delivers the answer, and nobody later. */
export interface ReplyLoan {
  readonly isOver: boolean;
  end(): void;
}

/** What the handler answers. An operation that has nothing to say answers `ok`. */
export type FuseReply =
  | { readonly type: "ok" }
  | { readonly type: "error"; readonly errno: WireErrno }
  /** Of lookup, symlink, makeNode, makeDirectory, link. */
  | { readonly type: "entry"; readonly entry: WireEntry }
  /** Of a lookup that found nothing, which the kernel may remember. */
  | { readonly type: "noEntry"; readonly entryValidMs: number }
  /** Of getAttributes and setAttributes. */
  | {
      readonly type: "attributes";
      readonly attributes: WireAttributes;
      readonly attributesValidMs: number;
    }
  /** Of statx. */
  | {
      readonly type: "statx";
      readonly attributes: WireAttributes;
      readonly birthTime: Timestamp;
      readonly attributesValidMs: number;
    }
  /** Of open and openDirectory; `flags` are those of `OPEN_REPLY`. */
  | { readonly type: "opened"; readonly handle: number; readonly flags: number }
  /** Of create and makeTemporaryFile. */
  | {
      readonly type: "created";
      readonly entry: WireEntry;
      readonly handle: number;
      readonly flags: number;
    }
  /** Of read, readSymlink, readDirectory (`DirectoryPage`), and getXattr and listXattrs with a size. */
  | { readonly type: "data"; readonly parts: readonly Uint8Array[]; readonly loan?: ReplyLoan | undefined }
  /** Of write and copyRange: how much of it was done. */
  | { readonly type: "written"; readonly sizeBytes: number }
  /** Of getXattr and listXattrs without a size. */
  | { readonly type: "xattrSize"; readonly sizeBytes: number }
  | {
      readonly type: "filesystem";
      readonly blockCount: number;
      readonly freeBlockCount: number;
      readonly availableBlockCount: number;
      readonly fileCount: number;
      readonly freeFileCount: number;
      /** Unit of the counts above. */
      readonly blockBytes: number;
      readonly nameBytesMax: number;
    }
  /** Of getLock: who is in the way, or `unlock`. */
  | { readonly type: "lock"; readonly lock: LockRange }
  /** Of seek. */
  | { readonly type: "offset"; readonly offset: number };

/** The answer that says nothing. */
export const OK: FuseReply = { type: "ok" };
