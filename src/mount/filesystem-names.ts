import { failureOf, storageError, unreachable } from "../base/index.js";
import type { NewInode } from "../client/index.js";
import {
  type Attributes,
  MODE_DIRECTORY,
  MODE_PERMISSIONS,
  MODE_SYMLINK,
  type Rename,
} from "../meta/index.js";
import { ErrnoAnswer } from "./core/errno-answer.js";
import type { FileSystemRequest } from "./fuse-handler.js";
import { RENAME_FLAGS } from "./fuse-wire/flags.js";
import { type FuseReply, OK } from "./fuse-wire/replies.js";
import type { RequestOf } from "./fuse-wire/requests.js";
import { inodeOf, type MountState } from "./mount-state.js";

/** Requests about names in directories, except for those that open what they make. */
export type NameRequest = Extract<
  FileSystemRequest,
  {
    readonly type:
      | "lookup"
      | "makeNode"
      | "makeDirectory"
      | "symlink"
      | "readSymlink"
      | "unlink"
      | "removeDirectory"
      | "rename"
      | "link";
  }
>;

/** Looking up, making, renaming and removing names. */
export class NameRequests {
  readonly #state: MountState;

  constructor(state: MountState) {
    this.#state = state;
  }

  /** As `FuseHandler.answerAtOnce`. */
  answerAtOnce(request: NameRequest): FuseReply | undefined {
    switch (request.type) {
      case "lookup":
        return this.#lookupAtOnce(request);
      case "unlink":
        return this.#removeAtOnce(request, false);
      case "removeDirectory":
        return this.#removeAtOnce(request, true);
      case "makeNode":
      case "makeDirectory":
      case "symlink":
        return this.#makeAtOnce(newInode(request));
      default:
        return undefined;
    }
  }

  handle(request: NameRequest, signal: AbortSignal): Promise<FuseReply> {
    switch (request.type) {
      case "lookup":
        return this.#lookup(request, signal);
      case "makeNode":
      case "makeDirectory":
      case "symlink":
        return this.#make(newInode(request), signal);
      case "readSymlink":
        return this.#readSymlink(request, signal);
      case "unlink":
        return this.#remove(request, false, signal);
      case "removeDirectory":
        return this.#remove(request, true, signal);
      case "rename":
        return this.#rename(request, signal);
      case "link":
        return this.#link(request, signal);
      default:
        return unreachable(request);
    }
  }

  #lookupAtOnce({ header, name }: RequestOf<"lookup">): FuseReply | undefined {
    const parent = inodeOf(header.nodeId);
    const found = this.#state.inodes.knownEntry(parent, name);
    if (found === undefined) return undefined;
    if (found !== null) {
      const isRead = this.#state.accessTimes.settled(found.ino) !== undefined;
      return isRead ? undefined : { type: "entry", entry: this.#state.entry(found, parent, name) };
    }
    const entryValidMs = this.#state.entryValidMs(parent, name, undefined);
    return entryValidMs > 0 ? { type: "noEntry", entryValidMs } : undefined;
  }

  async #lookup({ header, name }: RequestOf<"lookup">, signal: AbortSignal): Promise<FuseReply> {
    const parent = inodeOf(header.nodeId);
    try {
      const found = await this.#state.inodes.lookup(parent, name, { signal });
      return { type: "entry", entry: this.#state.entry(await this.#settled(found, signal), parent, name) };
    } catch (error) {
      if (failureOf(error)?.code !== "not_found") throw error;
      // `.` of an inode that is gone: a file handle of an NFS client that came too late.
      if (isDot(name)) throw new ErrnoAnswer("ESTALE", "the inode is gone", error);
      const entryValidMs = this.#state.entryValidMs(parent, name, undefined);
      if (entryValidMs <= 0) throw error;
      return { type: "noEntry", entryValidMs };
    }
  }

  /** The attributes with the access time of the last read here. */
  async #settled(found: Attributes, signal: AbortSignal): Promise<Attributes> {
    const isRead = this.#state.accessTimes.settled(found.ino) !== undefined;
    return isRead ? await this.#state.attributesOf(found.ino, signal) : found;
  }

  async #make(inode: NewInode, signal: AbortSignal): Promise<FuseReply> {
    const made = await this.#state.inodes.create(inode, { signal });
    return { type: "entry", entry: this.#state.entry(made, inode.parent, inode.name) };
  }

  #makeAtOnce(inode: NewInode): FuseReply | undefined {
    const made = this.#state.inodes.createAtOnce(inode);
    return made && { type: "entry", entry: this.#state.entry(made, inode.parent, inode.name) };
  }

  #removeAtOnce(
    { header, name }: RequestOf<"unlink"> | RequestOf<"removeDirectory">,
    isDirectory: boolean,
  ): FuseReply | undefined {
    return this.#state.inodes.removeAtOnce(inodeOf(header.nodeId), name, isDirectory) ? OK : undefined;
  }

  async #readSymlink({ header }: RequestOf<"readSymlink">, signal: AbortSignal): Promise<FuseReply> {
    const ino = inodeOf(header.nodeId);
    const target = await this.#state.existing(this.#state.inodes.readSymlink(ino, { signal }));
    const node = this.#state.nodes.get(ino);
    if (node !== undefined) this.#state.accessTimes.read(node);
    return { type: "data", parts: [target] };
  }

  async #remove(
    { header, name }: RequestOf<"unlink"> | RequestOf<"removeDirectory">,
    isDirectory: boolean,
    signal: AbortSignal,
  ): Promise<FuseReply> {
    await this.#state.inodes.remove(inodeOf(header.nodeId), name, isDirectory, { signal });
    return OK;
  }

  async #rename(request: RequestOf<"rename">, signal: AbortSignal): Promise<FuseReply> {
    const { header, name, newParent, newName } = request;
    const body = {
      fromParent: inodeOf(header.nodeId),
      fromName: name,
      toParent: inodeOf(newParent),
      toName: newName,
      mode: renameMode(request.flags),
    };
    await this.#state.inodes.rename(body, { signal });
    return OK;
  }

  async #link({ header, existing, name }: RequestOf<"link">, signal: AbortSignal): Promise<FuseReply> {
    const parent = inodeOf(header.nodeId);
    const linked = await this.#state.inodes.link(inodeOf(existing), parent, name, { signal });
    return { type: "entry", entry: this.#state.entry(linked, parent, name) };
  }
}

function newInode(request: RequestOf<"makeNode" | "makeDirectory" | "symlink">): NewInode {
  switch (request.type) {
    case "makeNode":
      return creation(request, { mode: request.mode, rdev: request.rdev });
    case "makeDirectory":
      return creation(request, { mode: MODE_DIRECTORY | request.mode });
    case "symlink": {
      const { header, name, target } = request;
      const { uid, gid, nodeId } = header;
      return { parent: inodeOf(nodeId), name, mode: MODE_SYMLINK | 0o777, uid, gid, target };
    }
  }
}

/** What a new inode is made of. The umask goes along: only the directory's default ACL knows whether it counts. */
export function creation(
  { header, name, umask }: RequestOf<"makeNode" | "makeDirectory" | "create">,
  { mode, rdev = 0 }: { readonly mode: number; readonly rdev?: number },
): NewInode {
  const { uid, gid, nodeId } = header;
  return { parent: inodeOf(nodeId), name, mode, umask: umask & MODE_PERMISSIONS, uid, gid, rdev };
}

function renameMode(flags: number): Rename["mode"] {
  if (flags === 0) return "replace";
  if (flags === RENAME_FLAGS.noReplace) return "no_replace";
  if (flags === RENAME_FLAGS.exchange) return "exchange";
  throw storageError("invalid", "no such way to rename");
}

const isDot = (name: Uint8Array): boolean => name.length === 1 && name[0] === 0x2e;
