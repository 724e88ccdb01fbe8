import { unreachable } from "../base/index.js";
import type { DirectoryEntry, InodeNumber } from "../meta/index.js";
import type { FileSystemRequest } from "./fuse-handler.js";
import { DirectoryPage } from "./fuse-wire/directory-page.js";
import { type FuseReply, OK, type WireEntry } from "./fuse-wire/replies.js";
import type { RequestOf } from "./fuse-wire/requests.js";
import { DirectoryHandle } from "./handles/directory-handle.js";
import type { HandleTable } from "./handles/handle-table.js";
import { Listings } from "./handles/listings.js";
import { inodeOf, type MountState } from "./mount-state.js";

/** Requests about open directories. */
export type DirectoryRequest = Extract<
  FileSystemRequest,
  {
    readonly type: "openDirectory" | "readDirectory" | "releaseDirectory" | "fsyncDirectory";
  }
>;

/** Listing directories. */
export class DirectoryRequests {
  readonly #state: MountState;
  readonly #handles: HandleTable<DirectoryHandle>;
  readonly #known: Listings;

  constructor(state: MountState, handles: HandleTable<DirectoryHandle>) {
    this.#state = state;
    this.#known = new Listings(state.inodes, state.nodes);
    this.#handles = handles;
  }

  handle(request: DirectoryRequest, signal: AbortSignal): Promise<FuseReply> {
    switch (request.type) {
      case "openDirectory": {
        const handle = new DirectoryHandle(this.#state.inodes, this.#known, inodeOf(request.header.nodeId));
        return Promise.resolve({ type: "opened", handle: this.#handles.add(handle), flags: 0 });
      }
      case "readDirectory":
        return this.#read(request, signal);
      case "releaseDirectory":
        this.#handles.remove(request.handle);
        return Promise.resolve(OK);
      case "fsyncDirectory":
        return this.#sync(request, signal);
      default:
        return unreachable(request);
    }
  }

  /** What was answered is on a majority of metadata servers then; or it is told that some of it is lost. */
  async #sync({ handle }: RequestOf<"fsyncDirectory">, signal: AbortSignal): Promise<FuseReply> {
    await this.#handles.get(handle).commit(signal);
    return OK;
  }

  async #read(request: RequestOf<"readDirectory">, signal: AbortSignal): Promise<FuseReply> {
    const { offset, sizeBytes, withAttributes } = request;
    const directory = this.#handles.get(request.handle);
    if (offset === 0 || directory.at(offset) === undefined) {
      await directory.list(offset, withAttributes, signal);
      const node = this.#state.nodes.get(directory.ino);
      if (node !== undefined) this.#state.accessTimes.read(node);
    }
    const page = new DirectoryPage(sizeBytes, withAttributes);
    for (let position = offset; ; position++) {
      const entry = directory.at(position);
      if (entry === undefined) break;
      const { name, ino, mode } = entry;
      const told = withAttributes ? this.#told(directory.ino, entry) : undefined;
      if (page.add({ name, ino, mode, offset: position + 1, entry: told })) continue;
      if (told !== undefined) this.#state.nodes.forget(ino, 1);
      break;
    }
    return page.reply();
  }

  /**
   * What the kernel may keep of an entry. If it may keep nothing, it asks for itself when it wants to know. What it believes already
   * is not told again: with each telling it forgets the inode's access control list, and would have to ask for that.
   */
  #told(directory: InodeNumber, { name, ino, attributes }: DirectoryEntry): WireEntry | undefined {
    if (attributes === undefined || this.#state.isBelieved(attributes)) return undefined;
    const { inodes, accessTimes } = this.#state;
    if (inodes.attributesValidMs(attributes) <= 0 || accessTimes.settled(ino) !== undefined) return undefined;
    return this.#state.entry(attributes, directory, name);
  }
}
