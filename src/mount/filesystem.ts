import type { Cluster } from "../client/index.js";
import type { Clock } from "../io/index.js";
import type { Logger } from "../telemetry/index.js";
import { ErrnoAnswer } from "./core/errno-answer.js";
import { AttributeRequests } from "./filesystem-attributes.js";
import { DirectoryRequests } from "./filesystem-directories.js";
import { FileRequests } from "./filesystem-files.js";
import { LockRequests } from "./filesystem-locks.js";
import { NameRequests } from "./filesystem-names.js";
import { SpaceRequests } from "./filesystem-space.js";
import type { FileSystemRequest, FuseHandler, KernelCache } from "./fuse-handler.js";
import { type FuseReply, OK } from "./fuse-wire/replies.js";
import type { ForgetItem, RequestOf } from "./fuse-wire/requests.js";
import type { DirectoryHandle } from "./handles/directory-handle.js";
import { HandleTable } from "./handles/handle-table.js";
import type { OpenHandle } from "./handles/open-handle.js";
import { inodeOf, type MountBehaviour, MountState } from "./mount-state.js";
import type { KernelListener } from "./nodes/kernel-listener.js";
import { readCacheInfo } from "./nodes/read-cache-info.js";
import { isVirtual, VirtualDirectory, type VirtualFile } from "./nodes/virtual-directory.js";

/** What the file system of a mount is made of. */
export interface MountedFileSystemWorld {
  readonly cluster: Cluster;
  /** The same that the cluster was connected with as its `cacheListener`. */
  readonly listener: KernelListener;
  /** Attached to the listener, unless that has been done. */
  readonly kernel?: KernelCache | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** What `.pstorage.info` has besides what the file system knows itself. */
  readonly virtualFiles?: readonly VirtualFile[] | undefined;
}

/**
 * The file system of a cluster as the kernel asks for it. Nothing here waits for another request: order and exclusion are
 * the client library's and the metadata server's business.
 */
export class MountedFileSystem implements FuseHandler {
  readonly #state: MountState;
  readonly #files = new HandleTable<OpenHandle>();
  readonly #directories = new HandleTable<DirectoryHandle>();
  readonly #names: NameRequests;
  readonly #attributes: AttributeRequests;
  readonly #contents: FileRequests;
  readonly #space: SpaceRequests;
  readonly #listings: DirectoryRequests;
  readonly #locks: LockRequests;
  readonly #virtual: VirtualDirectory;
  readonly #counts = new Map<string, number>();

  constructor(world: MountedFileSystemWorld, behaviour: MountBehaviour) {
    const { cluster } = world;
    const { inodes } = cluster.fileSystem;
    if (world.kernel !== undefined) world.listener.attach(world.kernel);
    this.#state = new MountState({ ...world, inodes }, behaviour);
    this.#names = new NameRequests(this.#state);
    this.#attributes = new AttributeRequests(this.#state, this.#files);
    this.#contents = new FileRequests(this.#state, this.#files);
    this.#space = new SpaceRequests(this.#state, this.#files);
    this.#listings = new DirectoryRequests(this.#state, this.#directories);
    this.#locks = new LockRequests(cluster.locks, () => cluster.sessionId);
    this.#virtual = new VirtualDirectory(
      [...ownFiles(cluster, () => this.#counters()), ...(world.virtualFiles ?? [])],
      world.clock,
    );
  }

  answerAtOnce(request: FileSystemRequest): FuseReply | undefined {
    if (this.#virtual.concerns(request)) return undefined;
    const reply = this.#known(request);
    if (reply !== undefined) this.#counted(request);
    return reply;
  }

  async handle(request: FileSystemRequest, signal: AbortSignal): Promise<FuseReply> {
    this.#counted(request);
    if (this.#virtual.concerns(request)) return this.#virtual.handle(request);
    return await this.#dispatch(request, signal);
  }

  forget(items: readonly ForgetItem[]): void {
    for (const { nodeId, lookupCount } of items)
      if (!isVirtual(nodeId)) this.#state.nodes.forget(nodeId, lookupCount);
  }

  /** Closes what is open and tells the cluster what it has not been told. Idempotent. */
  async close(): Promise<void> {
    await this.#contents.closeAll();
    await this.#state.accessTimes.close();
  }

  #counted({ type }: FileSystemRequest): void {
    this.#counts.set(type, (this.#counts.get(type) ?? 0) + 1);
  }

  #known(request: FileSystemRequest): FuseReply | undefined {
    switch (request.type) {
      case "lookup":
      case "makeNode":
      case "makeDirectory":
      case "symlink":
      case "unlink":
      case "removeDirectory":
        return this.#names.answerAtOnce(request);
      case "read":
      case "write":
      case "open":
      case "create":
        return this.#contents.answerAtOnce(request);
      case "flush":
        return this.#flushAtOnce(request);
      case "release":
        return this.#releaseAtOnce(request);
      case "setAttributes":
      case "getAttributes":
      case "statx":
      case "getXattr":
        return this.#attributes.answerAtOnce(request);
      default:
        return undefined;
    }
  }

  #dispatch(request: FileSystemRequest, signal: AbortSignal): Promise<FuseReply> {
    switch (request.type) {
      case "read":
      case "write":
      case "open":
      case "create":
      case "makeTemporaryFile":
      case "fsync":
      case "syncFilesystem":
        return this.#contents.handle(request, signal);
      case "flush":
        return this.#flush(request, signal);
      case "release":
        return this.#release(request);
      case "getAttributes":
      case "setAttributes":
      case "statx":
      case "getXattr":
      case "setXattr":
      case "listXattrs":
      case "removeXattr":
      case "statFilesystem":
        return this.#attributes.handle(request, signal);
      case "openDirectory":
      case "readDirectory":
      case "releaseDirectory":
      case "fsyncDirectory":
        return this.#listings.handle(request, signal);
      case "allocate":
      case "seek":
      case "copyRange":
        return this.#space.handle(request, signal);
      case "getLock":
      case "setLock":
        return this.#locks.handle(request, signal);
      case "access":
      case "mapBlock":
      case "poll":
        throw new ErrnoAnswer("ENOSYS", "the kernel does without");
      case "ioctl":
        throw new ErrnoAnswer("ENOTTY", "no controls of that kind");
      default:
        return this.#names.handle(request, signal);
    }
  }

  #flushAtOnce({ header, handle, lockOwner }: RequestOf<"flush">): FuseReply | undefined {
    if (!this.#contents.flushesAtOnce(handle)) return undefined;
    return this.#locks.closedAtOnce(inodeOf(header.nodeId), lockOwner) ? OK : undefined;
  }

  async #flush(request: RequestOf<"flush">, signal: AbortSignal): Promise<FuseReply> {
    try {
      return await this.#contents.flush(request);
    } finally {
      await this.#locks.closed(inodeOf(request.header.nodeId), request.lockOwner, signal);
    }
  }

  #releaseAtOnce({ handle, unlocksFlock, lockOwner }: RequestOf<"release">): FuseReply | undefined {
    if (!this.#locks.releasedAtOnce(handle, unlocksFlock ? lockOwner : undefined)) return undefined;
    return this.#contents.releaseAtOnce(handle) ? OK : undefined;
  }

  async #release(request: RequestOf<"release">): Promise<FuseReply> {
    const flockOwner = request.unlocksFlock ? request.lockOwner : undefined;
    await this.#locks.released(inodeOf(request.header.nodeId), request.handle, flockOwner);
    await this.#contents.release(request.handle);
    return OK;
  }

  #counters(): string {
    const lines = [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1));
    return [
      `nodes ${this.#state.nodes.count}`,
      `open_files ${this.#files.count}`,
      `open_directories ${this.#directories.count}`,
      ...lines.map(([type, count]) => `requests_${type} ${count}`),
      "",
    ].join("\n");
  }
}

/** What every mount tells about itself. */
function ownFiles(cluster: Cluster, counters: () => string): VirtualFile[] {
  return [
    { name: "cluster_name", render: () => `${cluster.name}\n` },
    { name: "session", render: () => `${cluster.sessionId}\n` },
    {
      name: "leader",
      render: () =>
        cluster.leader === undefined ? "none\n" : `MDS#${cluster.leader.mdsId} ${cluster.leader.address}\n`,
    },
    { name: "client_counters", render: counters },
    { name: "read_cache_info", render: () => readCacheInfo(cluster.readCache) },
  ];
}
