import { failureOf, storageError, unreachable } from "../base/index.js";
import {
  type Attributes,
  FILE_BYTES_MAX,
  type FilesystemStatistics,
  type InodeNumber,
  ROOT_INODE,
  XATTR_VALUE_BYTES_MAX,
} from "../meta/index.js";
import { attributeChange } from "./core/attribute-change.js";
import { ErrnoAnswer } from "./core/errno-answer.js";
import { joinNames, xattrReply } from "./core/xattr-reply.js";
import type { FileSystemRequest } from "./fuse-handler.js";
import { XATTR_CREATE, XATTR_REPLACE } from "./fuse-wire/flags.js";
import { type FuseReply, OK } from "./fuse-wire/replies.js";
import type { RequestOf } from "./fuse-wire/requests.js";
import type { HandleTable } from "./handles/handle-table.js";
import type { OpenHandle } from "./handles/open-handle.js";
import { GONE_PATIENCE_MS, inodeOf, type MountState } from "./mount-state.js";
import { orAborted } from "./wait-or-abort.js";

/** Requests about what an inode is, apart from its contents. */
export type AttributeRequest = Extract<
  FileSystemRequest,
  {
    readonly type:
      | "getAttributes"
      | "setAttributes"
      | "statx"
      | "getXattr"
      | "setXattr"
      | "listXattrs"
      | "removeXattr"
      | "statFilesystem";
  }
>;

/** Unit of the counts of statfs. */
const STATFS_BLOCK_BYTES = 4096;
const NAME_BYTES_MAX = 255;

/** stat, chmod, chown, utimensat, truncate, extended attributes, statfs. */
export class AttributeRequests {
  readonly #state: MountState;
  readonly #handles: HandleTable<OpenHandle>;
  #lastStatistics = NO_STATISTICS;

  constructor(state: MountState, handles: HandleTable<OpenHandle>) {
    this.#state = state;
    this.#handles = handles;
  }

  /** As `FuseHandler.answerAtOnce`. */
  answerAtOnce(request: AttributeRequest): FuseReply | undefined {
    switch (request.type) {
      case "getAttributes":
        return this.#getAtOnce(request);
      case "statx":
        return this.#statxAtOnce(inodeOf(request.header.nodeId));
      case "getXattr":
        return this.#getXattrAtOnce(request);
      case "setAttributes":
        return this.#setAtOnce(request);
      default:
        return undefined;
    }
  }

  handle(request: AttributeRequest, signal: AbortSignal): Promise<FuseReply> {
    switch (request.type) {
      case "getAttributes":
        return this.#get(request, signal);
      case "statx":
        return this.#statx(inodeOf(request.header.nodeId), signal);
      case "setAttributes":
        return this.#set(request, signal);
      case "getXattr":
        return this.#getXattr(request, signal);
      case "setXattr":
        return this.#setXattr(request, signal);
      case "listXattrs":
        return this.#listXattrs(request, signal);
      case "removeXattr":
        return this.#removeXattr(request, signal);
      case "statFilesystem":
        return this.#statFilesystem(signal);
      default:
        return unreachable(request);
    }
  }

  #getAtOnce({ header, handle }: RequestOf<"getAttributes">): FuseReply | undefined {
    const found = this.#state.knownAttributes(inodeOf(header.nodeId));
    if (found === undefined || this.#openShorter(handle, found.sizeBytes) !== undefined) return undefined;
    return this.#state.attributesReply(found);
  }

  async #get({ header, handle }: RequestOf<"getAttributes">, signal: AbortSignal): Promise<FuseReply> {
    const found = await this.#state.attributesOf(inodeOf(header.nodeId), signal);
    const open = this.#openShorter(handle, found.sizeBytes);
    if (open !== undefined) await this.#makeEndKnown(open, found.sizeBytes, signal);
    return this.#state.attributesReply(found);
  }

  /** The open file, if the kernel believes that it ends before that. */
  #openShorter(handle: number | undefined, sizeBytes: number): OpenHandle | undefined {
    const open = handle === undefined ? undefined : this.#handles.find(handle);
    return open !== undefined && sizeBytes > open.node.endBytes ? open : undefined;
  }

  /**
   * Before it reads through its pages, and for SEEK_END, the kernel asks for the attributes of the open file, and then goes by the
   * end that it believes in. But an answer that an invalidation overtakes it drops (`attr_version` in fs/fuse/inode.c),
   * and would go by an end that is older than the call: one that others moved is made known to it before the answer.
   */
  async #makeEndKnown({ file, node }: OpenHandle, sizeBytes: number, signal: AbortSignal): Promise<void> {
    const last = (): Promise<Uint8Array> => file.read(sizeBytes - 1, 1, { signal });
    try {
      // The kernel may hold the page for as long as somebody's read of it takes: whoever is killed does not wait for that.
      if (await orAborted(this.#state.listener.storeLast(node, sizeBytes, last), signal))
        node.endBytes = Math.max(node.endBytes, sizeBytes);
    } catch (error) {
      // Attributes can be told of a file that cannot be read.
      if (failureOf(error) === undefined || signal.aborted) throw error;
    }
  }

  #statxAtOnce(ino: InodeNumber): FuseReply | undefined {
    const found = this.#state.knownAttributes(ino);
    return found && this.#statxReply(found);
  }

  async #statx(ino: InodeNumber, signal: AbortSignal): Promise<FuseReply> {
    return this.#statxReply(await this.#state.attributesOf(ino, signal));
  }

  #statxReply(found: Attributes): FuseReply {
    const reply = this.#state.attributesReply(found);
    if (reply.type !== "attributes") return reply;
    return { birthTime: found.birthTime, ...reply, type: "statx" };
  }

  #setAtOnce(request: RequestOf<"setAttributes">): FuseReply | undefined {
    const ino = inodeOf(request.header.nodeId);
    const { accessTimes, inodes, nodes } = this.#state;
    const owner = nodes.get(ino)?.attributes?.uid;
    if (ino === ROOT_INODE || request.sizeBytes !== undefined || owner === undefined) return undefined;
    if (accessTimes.settled(ino) !== undefined) return undefined;
    const change = attributeChange(request, owner);
    const after = change && inodes.setAttributesAtOnce(ino, change);
    return after && this.#state.attributesReply(after);
  }

  async #set(request: RequestOf<"setAttributes">, signal: AbortSignal): Promise<FuseReply> {
    const ino = inodeOf(request.header.nodeId);
    const { inodes } = this.#state;
    if ((request.sizeBytes ?? 0) > FILE_BYTES_MAX) throw storageError("file_too_large");
    if (request.sizeBytes !== undefined)
      await this.#state.existing(
        inodes.truncate(ino, request.sizeBytes, { signal, killPrivileges: request.killSuidgid }),
      );
    const after = await this.#change(request, ino, signal);
    if (ino === ROOT_INODE) this.#state.rootChanged(request);
    return this.#state.attributesReply(after);
  }

  async #change(
    request: RequestOf<"setAttributes">,
    ino: InodeNumber,
    signal: AbortSignal,
  ): Promise<Attributes> {
    const { accessTimes, nodes } = this.#state;
    // Who owns it matters only to a change of owner that changes nothing.
    const ownerUid = nodes.get(ino)?.attributes?.uid ?? (await this.#state.attributesOf(ino, signal)).uid;
    const change = attributeChange(request, ownerUid);
    if (change === undefined) return await this.#state.attributesOf(ino, signal);
    if (change.atime !== undefined || change.atimeNow === true) accessTimes.forget(ino);
    const telling = accessTimes.settled(ino);
    if (telling !== undefined) await orAborted(telling, signal);
    return await this.#state.changeAttributes(ino, change, signal);
  }

  #getXattrAtOnce(request: RequestOf<"getXattr">): FuseReply | undefined {
    const { header, name } = request;
    if (!this.#state.behaviour.hasAcls && isAcl(name)) return NOT_HERE;
    const known = this.#state.inodes.knownXattr(inodeOf(header.nodeId), name);
    return known === undefined ? undefined : xattrValueReply(request, known);
  }

  async #getXattr(request: RequestOf<"getXattr">, signal: AbortSignal): Promise<FuseReply> {
    const { header, name } = request;
    if (!this.#state.behaviour.hasAcls && isAcl(name)) return NOT_HERE;
    const ino = inodeOf(header.nodeId);
    const value = await this.#ofInode(ino, this.#state.inodes.findXattr(ino, name, { signal }));
    return xattrValueReply(request, value ?? null);
  }

  async #listXattrs({ header, sizeBytes }: RequestOf<"listXattrs">, signal: AbortSignal): Promise<FuseReply> {
    const ino = inodeOf(header.nodeId);
    const names = await this.#ofInode(ino, this.#state.inodes.listXattrs(ino, { signal }));
    return sized(joinNames(header.uid === 0 ? names : names.filter(isForAll)), sizeBytes);
  }

  async #setXattr(request: RequestOf<"setXattr">, signal: AbortSignal): Promise<FuseReply> {
    const { header, name, value, flags, killSgid } = request;
    if (!this.#state.behaviour.hasAcls && isAcl(name)) return NOT_HERE;
    if (value.length > XATTR_VALUE_BYTES_MAX) throw storageError("attribute_too_large");
    const ino = inodeOf(header.nodeId);
    const options = { signal, killSetgid: killSgid };
    await this.#state.existing(this.#state.inodes.setXattr(ino, name, value, xattrMode(flags), options));
    return OK;
  }

  async #removeXattr({ header, name }: RequestOf<"removeXattr">, signal: AbortSignal): Promise<FuseReply> {
    if (!this.#state.behaviour.hasAcls && isAcl(name)) return NOT_HERE;
    await this.#state.existing(this.#state.inodes.removeXattr(inodeOf(header.nodeId), name, { signal }));
    return OK;
  }

  /** An inode that is gone has no extended attributes left; the kernel asks for some before it writes. */
  async #ofInode<T>(ino: InodeNumber, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (failureOf(error)?.code !== "not_found") throw error;
      if (this.#state.nodes.get(ino) !== undefined) throw storageError("no_such_attribute", "", error);
      throw new ErrnoAnswer("ESTALE", "the inode is gone", error);
    }
  }

  /** umount(8) asks for this, and must work with the cluster gone: then it is told what was true before. */
  async #statistics(signal: AbortSignal): Promise<FilesystemStatistics> {
    try {
      const timeoutMs = GONE_PATIENCE_MS;
      this.#lastStatistics = await this.#state.inodes.statFilesystem({ signal, timeoutMs });
    } catch (error) {
      if (failureOf(error)?.code !== "timed_out") throw error;
    }
    return this.#lastStatistics;
  }

  async #statFilesystem(signal: AbortSignal): Promise<FuseReply> {
    const { totalBytes, freeBytes, fileCount, inodesFree } = await this.#statistics(signal);
    const freeBlockCount = Math.floor(freeBytes / STATFS_BLOCK_BYTES);
    return {
      type: "filesystem",
      blockCount: Math.floor(totalBytes / STATFS_BLOCK_BYTES),
      freeBlockCount,
      availableBlockCount: freeBlockCount,
      fileCount: fileCount + inodesFree,
      freeFileCount: inodesFree,
      blockBytes: STATFS_BLOCK_BYTES,
      nameBytesMax: NAME_BYTES_MAX,
    };
  }
}

const NO_STATISTICS: FilesystemStatistics = {
  totalBytes: 0,
  freeBytes: 0,
  fileCount: 0,
  inodesFree: 0,
};

function sized(value: Uint8Array, bufferBytes: number): FuseReply {
  const reply = xattrReply(value, bufferBytes);
  if (reply.type === "size") return { type: "xattrSize", sizeBytes: reply.sizeBytes };
  return { type: "data", parts: [reply.value] };
}

function xattrValueReply({ name, sizeBytes }: RequestOf<"getXattr">, value: Uint8Array | null): FuseReply {
  if (value !== null) return sized(value, sizeBytes);
  return isLabel(name) ? NOT_HERE : NO_SUCH_ATTRIBUTE;
}

/** Of a kind that there is none of, for any file: programs ask no further then. */
const NOT_HERE: FuseReply = { type: "error", errno: "EOPNOTSUPP" };
const NO_SUCH_ATTRIBUTE: FuseReply = { type: "error", errno: "ENODATA" };

/** Names of the `trusted` namespace are shown to root only; the kernel leaves this to the file system. */
function isForAll(name: Uint8Array): boolean {
  return !TRUSTED.every((byte, index) => name[index] === byte);
}

/**
 * Of SELinux, which does not use those of a FUSE file system. `ls -l` asks for it, file by file unless it hears once that there
 * are none at all.
 */
const isLabel = (name: Uint8Array): boolean => isName(name, LABEL);

/** The kernel keeps and changes these by itself, if the mount has them. */
const isAcl = (name: Uint8Array): boolean => ACLS.some((acl) => isName(name, acl));

function isName(name: Uint8Array, other: Uint8Array): boolean {
  return name.length === other.length && other.every((byte, index) => name[index] === byte);
}

const LABEL = new TextEncoder().encode("security.selinux");
const ACLS = ["system.posix_acl_access", "system.posix_acl_default"].map((name) =>
  new TextEncoder().encode(name),
);
const TRUSTED = new TextEncoder().encode("trusted.");

function xattrMode(flags: number): "any" | "create" | "replace" {
  if (flags === 0) return "any";
  if (flags === XATTR_CREATE) return "create";
  if (flags === XATTR_REPLACE) return "replace";
  throw storageError("invalid", "no such way to set an extended attribute");
}
