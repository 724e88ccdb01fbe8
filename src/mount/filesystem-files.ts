import { failureOf, unreachable } from "../base/index.js";
import { type FileHandle, Loan, type OpenedHandle } from "../client/index.js";
import { type Attributes, type InodeNumber, isSameTime, MODE_FILE } from "../meta/index.js";
import { ErrnoAnswer } from "./core/errno-answer.js";
import { isAppending, isSynchronous, type OpenMode, openModeOf } from "./core/open-mode.js";
import { creation } from "./filesystem-names.js";
import type { FileSystemRequest } from "./fuse-handler.js";
import { OPEN_FLAGS, OPEN_REPLY } from "./fuse-wire/flags.js";
import { type FuseReply, OK } from "./fuse-wire/replies.js";
import type { RequestOf } from "./fuse-wire/requests.js";
import type { HandleTable } from "./handles/handle-table.js";
import { OpenHandle } from "./handles/open-handle.js";
import { inodeOf, type MountState } from "./mount-state.js";
import type { Node, Transfer } from "./nodes/node-table.js";

/** Requests about open files and their contents. */
export type FileRequest = Extract<
  FileSystemRequest,
  {
    readonly type: "open" | "create" | "makeTemporaryFile" | "read" | "write" | "fsync" | "syncFilesystem";
  }
>;

/** Reads that others keep overtaking with their writes are answered at last: each of them was true once. */
const REREADS_MAX = 3;

/** Opening, reading, writing and syncing. */
export class FileRequests {
  readonly #state: MountState;
  readonly #handles: HandleTable<OpenHandle>;

  constructor(state: MountState, handles: HandleTable<OpenHandle>) {
    this.#state = state;
    this.#handles = handles;
  }

  /** As `FuseHandler.answerAtOnce`. */
  answerAtOnce(request: FileRequest): FuseReply | undefined {
    switch (request.type) {
      case "read":
        return this.#readAtOnce(request);
      case "write":
        return this.#writeAtOnce(request);
      case "open":
        return this.#openAtOnce(request);
      case "create":
        return this.#createAtOnce(request);
      default:
        return undefined;
    }
  }

  handle(request: FileRequest, signal: AbortSignal): Promise<FuseReply> {
    switch (request.type) {
      case "read":
        return this.#read(request, signal);
      case "write":
        return this.#write(request, signal);
      case "open":
        return this.#open(request, signal);
      case "create":
        return this.#create(request, signal);
      case "makeTemporaryFile":
        return this.#makeTemporary(request, signal);
      case "fsync":
        return this.#sync(request, signal);
      case "syncFilesystem":
        return this.#syncAll(signal);
      default:
        return unreachable(request);
    }
  }

  /** Everything that is open is closed; what was written is in the cluster afterwards, or reported as lost. */
  async closeAll(): Promise<void> {
    await Promise.all([...this.#handles.values()].map(({ file }) => this.#close(file)));
  }

  /** Ends one open. What could not be written was reported by the flush before, as far as anybody waits for it. */
  async release(handle: number): Promise<void> {
    const open = this.#handles.remove(handle);
    if (open !== undefined) await this.#close(open.file);
  }

  /** As `release`, if nothing of it is under way; else false. */
  releaseAtOnce(handle: number): boolean {
    const open = this.#handles.find(handle);
    if (open?.file.releaseAtOnce() !== true) return false;
    this.#handles.remove(handle);
    return true;
  }

  #readAtOnce({ handle, offset, sizeBytes, flags }: RequestOf<"read">): FuseReply | undefined {
    const open = this.#handles.find(handle);
    const loan = open?.isDirect === false ? new Loan() : undefined;
    const bytes = open?.file.readAtOnce(offset, sizeBytes, loan);
    if (open === undefined || bytes === undefined) return undefined;
    this.#wasRead(open.node, offset, sizeBytes, bytes.length, flags);
    open.node.hasPages = true;
    return { type: "data", parts: [bytes], loan };
  }

  #wasRead(node: Node, offset: number, wantedBytes: number, foundBytes: number, flags: number): void {
    // The kernel takes a short answer for the end of the file.
    if (foundBytes < wantedBytes) node.endBytes = Math.min(node.endBytes, offset + foundBytes);
    if ((flags & OPEN_FLAGS.noAccessTime) === 0) this.#state.accessTimes.read(node);
  }

  async #read(request: RequestOf<"read">, signal: AbortSignal): Promise<FuseReply> {
    const { offset, sizeBytes } = request;
    const { file, node, isDirect } = this.#handles.get(request.handle);
    const transfer = begin(node, offset, sizeBytes);
    // The kernel keeps what it reads; who goes past its cache may read again here.
    const loan = isDirect ? undefined : new Loan();
    try {
      let bytes = await file.read(offset, sizeBytes, { signal, loan });
      for (let i = 0; transfer.isOvertaken && i < REREADS_MAX; i++) {
        transfer.isOvertaken = false;
        bytes = await file.read(offset, sizeBytes, { signal, loan });
      }
      this.#wasRead(node, offset, sizeBytes, bytes.length, request.flags);
      return { type: "data", parts: [bytes], loan };
    } finally {
      node.transfers?.delete(transfer);
    }
  }

  #writeAtOnce({
    handle,
    offset,
    data,
    flags,
    isFromCache,
    killSuidgid,
  }: RequestOf<"write">): FuseReply | undefined {
    const open = this.#handles.find(handle);
    if (open === undefined || (killSuidgid && open.mayHavePrivileges())) return undefined;
    if (isSynchronous(flags) || (isAppending(flags) && !isFromCache)) return undefined;
    if (!open.file.writeAtOnce(data, offset)) return undefined;
    const { node } = open;
    node.hasPages = true;
    node.endBytes = Math.max(node.endBytes, offset + data.length);
    return { type: "written", sizeBytes: data.length };
  }

  async #write(request: RequestOf<"write">, signal: AbortSignal): Promise<FuseReply> {
    const { offset, data, flags, isFromCache } = request;
    const open = this.#handles.get(request.handle);
    const { file, node } = open;
    if (request.killSuidgid && open.mayHavePrivileges()) await this.#takePrivileges(open, signal);
    const transfer = begin(node, offset, data.length);
    try {
      if (isAppending(flags) && !isFromCache) await this.#append(open, data, offset, signal);
      else await file.write(data, offset, { signal });
      if (isSynchronous(flags)) await file.sync({ signal });
      node.endBytes = Math.max(node.endBytes, offset + data.length);
      return { type: "written", sizeBytes: data.length };
    } finally {
      node.transfers?.delete(transfer);
      if (transfer.isOvertaken) this.#state.listener.transferOvertaken(node, offset, data.length);
    }
  }

  /** The cluster says where the end is. If the kernel thought of another one, its pages are not those of the file. */
  async #append(open: OpenHandle, data: Uint8Array, believed: number, signal: AbortSignal): Promise<void> {
    const offset = await open.file.append(data, { signal });
    if (offset !== believed && !open.isDirect) this.#state.listener.forgetContentsSoon(open.node);
  }

  async #takePrivileges(open: OpenHandle, signal: AbortSignal): Promise<void> {
    const { ino } = open.node;
    const after = await this.#state.inodes.setAttributes(ino, { killPrivileges: true }, { signal });
    this.#state.nodes.refresh(after);
    open.privilegesTaken();
  }

  #openAtOnce({ header, flags }: RequestOf<"open">): FuseReply | undefined {
    const mode = openModeOf(flags, this.#state.behaviour.directFlag);
    if (mode.truncates) return undefined;
    const ino = inodeOf(header.nodeId);
    const file = this.#state.inodes.openAtOnce(ino, mode.access);
    return file && this.#openedAs(ino, file, mode);
  }

  async #open({ header, flags, killSuidgid }: RequestOf<"open">, signal: AbortSignal): Promise<FuseReply> {
    const ino = inodeOf(header.nodeId);
    const mode = openModeOf(flags, this.#state.behaviour.directFlag);
    const { inodes } = this.#state;
    const file = await this.#state.existing(inodes.open(ino, mode.access, { signal }));
    try {
      if (mode.truncates) await inodes.truncate(ino, 0, { signal, killPrivileges: killSuidgid });
    } catch (error) {
      await this.#close(file);
      throw error;
    }
    return this.#openedAs(ino, file, mode);
  }

  #openedAs(ino: InodeNumber, file: FileHandle, mode: OpenMode): FuseReply {
    const before = this.#state.nodes.get(ino)?.attributes;
    const node = this.#state.nodes.ensure(file.openedAttributes);
    if (mode.truncates) node.endBytes = 0;
    const mayKeep = !mode.truncates && isUnchanged(before, file.openedAttributes);
    return { type: "opened", ...this.#opened(file, node, mode, mayKeep) };
  }

  #createAtOnce(request: RequestOf<"create">): FuseReply | undefined {
    const mode = openModeOf(request.flags, this.#state.behaviour.directFlag);
    const inode = creation(request, { mode: MODE_FILE | request.mode });
    const opened = this.#state.inodes.createAndOpenAtOnce(inode, mode.access);
    return opened && this.#created(opened, inode.parent, inode.name, mode);
  }

  /**
   * The kernel asks for this where it found no such name. If there is one by now, nobody has checked whether the caller
   * may open it: the kernel is told to look once more.
   */
  async #create(request: RequestOf<"create">, signal: AbortSignal): Promise<FuseReply> {
    const { flags } = request;
    const mode = openModeOf(flags, this.#state.behaviour.directFlag);
    const inode = creation(request, { mode: MODE_FILE | request.mode });
    try {
      const opened = await this.#state.inodes.createAndOpen(inode, mode.access, { signal });
      return this.#created(opened, inode.parent, inode.name, mode);
    } catch (error) {
      const isThere = failureOf(error)?.code === "exists";
      if (isThere && (flags & OPEN_FLAGS.exclusive) === 0)
        throw new ErrnoAnswer("ESTALE", "somebody else made it meanwhile", error);
      throw error;
    }
  }

  async #makeTemporary(request: RequestOf<"makeTemporaryFile">, signal: AbortSignal): Promise<FuseReply> {
    const { header, umask } = request;
    const mode = openModeOf(request.flags, this.#state.behaviour.directFlag);
    const { uid, gid, nodeId } = header;
    const inode = { parent: inodeOf(nodeId), mode: MODE_FILE | request.mode, umask, uid, gid };
    const opened = await this.#state.inodes.createUnnamed(inode, mode.access, { signal });
    return this.#created(opened, inode.parent, undefined, mode);
  }

  #created(
    { handle, attributes }: OpenedHandle,
    parent: InodeNumber,
    name: Uint8Array | undefined,
    mode: OpenMode,
  ): FuseReply {
    const entry = this.#state.entry(attributes, parent, name);
    const node = this.#state.nodes.ensure(attributes);
    return { type: "created", entry, ...this.#opened(handle, node, mode, false) };
  }

  #opened(
    file: FileHandle,
    node: Node,
    mode: OpenMode,
    mayKeep: boolean,
  ): { readonly handle: number; readonly flags: number } {
    const isDirect = mode.isDirect || file.isShared;
    const handle = this.#handles.add(new OpenHandle(file, node, isDirect));
    if (isDirect) return { handle, flags: OPEN_REPLY.directIo | OPEN_REPLY.parallelDirectWrites };
    if (mayKeep) return { handle, flags: OPEN_REPLY.keepCache };
    return { handle, flags: 0 };
  }

  /** Whether `flush` would have nothing to tell. */
  flushesAtOnce(handle: number): boolean {
    const file = this.#handles.find(handle)?.file;
    return file !== undefined && (file.access === "read" || file.hasNoNews);
  }

  /** close(2): what is buffered goes to the cluster, and the first failure since the last report is told. */
  async flush({ handle }: RequestOf<"flush">): Promise<FuseReply> {
    const { file } = this.#handles.get(handle);
    // As on a local disk, close(2) does not wait: what is buffered goes on its way, and is durable after fsync(2).
    if (file.access !== "read") await file.checkWrites();
    return OK;
  }

  async #sync({ handle }: RequestOf<"fsync">, signal: AbortSignal): Promise<FuseReply> {
    await this.#handles.get(handle).file.sync({ signal });
    return OK;
  }

  async #syncAll(signal: AbortSignal): Promise<FuseReply> {
    const files = new Map<number, FileHandle>();
    for (const { file } of this.#handles.values()) if (file.access !== "read") files.set(file.ino, file);
    await Promise.all([...files.values()].map((file) => file.sync({ signal })));
    await this.#state.inodes.commit(undefined, { signal });
    return OK;
  }

  async #close(file: FileHandle): Promise<void> {
    try {
      await file.release();
    } catch (error) {
      const code = failureOf(error)?.code;
      if (code === undefined) throw error;
      this.#state.log.warn("a file was closed with something unsaid", { ino: file.ino, code });
    }
  }
}

/** A transfer that has begun: the pages of its range are locked in the kernel. */
function begin(node: Node, offset: number, lengthBytes: number): Transfer {
  const transfer = { begin: offset, end: offset + lengthBytes, isOvertaken: false };
  node.transfers ??= new Set();
  node.transfers.add(transfer);
  node.hasPages = true;
  return transfer;
}

/** Whether pages that the kernel has of the one are those of the other. */
function isUnchanged(before: Attributes | undefined, now: Attributes): boolean {
  return (
    before !== undefined &&
    before.sizeBytes === now.sizeBytes &&
    isSameTime(before.mtime, now.mtime) &&
    isSameTime(before.ctime, now.ctime)
  );
}
