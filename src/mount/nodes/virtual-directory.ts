import { equalBytes, storageError, toUtf8 } from "../../base/index.js";
import type { Clock } from "../../io/index.js";
import { MODE_DIRECTORY, MODE_FILE, ROOT_INODE, type Timestamp } from "../../meta/index.js";
import { ErrnoAnswer } from "../core/errno-answer.js";
import { timestampOfMs } from "../core/relatime.js";
import type { FileSystemRequest } from "../fuse-handler.js";
import { DirectoryPage } from "../fuse-wire/directory-page.js";
import { OPEN_FLAGS, OPEN_REPLY } from "../fuse-wire/flags.js";
import { type FuseReply, OK, type WireAttributes, type WireEntry } from "../fuse-wire/replies.js";
import type { RequestOf } from "../fuse-wire/requests.js";
import { HandleTable } from "../handles/handle-table.js";

/** A file whose contents are made when it is opened. */
export interface VirtualFile {
  readonly name: string;
  readonly render: () => string;
}

/** Inodes of the cluster are below. */
const FIRST_NODE_ID = 2 ** 52 + 1;
const NAME = toUtf8(".pstorage.info");
const DOT = toUtf8(".");
const DOT_DOT = toUtf8("..");

/** Whether the node is none of the cluster's. */
export const isVirtual = (nodeId: number): boolean => nodeId >= FIRST_NODE_ID;

/**
 * `.pstorage.info` in the root of a mount: what this mount has to tell about itself. It is on no disk, no listing of the
 * root shows it, and nobody can change it.
 */
export class VirtualDirectory {
  readonly #files: readonly VirtualFile[];
  readonly #handles = new HandleTable<Uint8Array>();
  readonly #since: Timestamp;

  constructor(files: readonly VirtualFile[], clock: Clock) {
    this.#files = files;
    this.#since = timestampOfMs(clock.wallMs());
  }

  /** Whether the request is about something here. Names in the root that are like it may not be made or removed. */
  concerns(request: FileSystemRequest): boolean {
    const { nodeId } = request.header;
    if (isVirtual(nodeId)) return true;
    if (request.type === "link") return isVirtual(request.existing) || this.#isName(nodeId, request.name);
    if (
      request.type === "rename" &&
      (isVirtual(request.newParent) || this.#isName(request.newParent, request.newName))
    )
      return true;
    return (
      nodeId === ROOT_INODE &&
      "name" in request &&
      !("value" in request || "sizeBytes" in request) &&
      equalBytes(request.name, NAME)
    );
  }

  handle(request: FileSystemRequest): FuseReply {
    switch (request.type) {
      case "lookup":
        return { type: "entry", entry: this.#lookup(request) };
      case "getAttributes":
        return {
          type: "attributes",
          attributes: this.#attributes(request.header.nodeId),
          attributesValidMs: 0,
        };
      case "open":
        return this.#open(request);
      case "read":
        return this.#read(request);
      case "release":
        this.#handles.remove(request.handle);
        return OK;
      case "openDirectory":
        return { type: "opened", handle: 0, flags: 0 };
      case "readDirectory":
        return this.#list(request);
      case "flush":
      case "fsync":
      case "fsyncDirectory":
      case "releaseDirectory":
        return OK;
      case "getXattr":
      case "removeXattr":
        throw storageError("no_such_attribute");
      case "listXattrs":
        return request.sizeBytes === 0 ? { type: "xattrSize", sizeBytes: 0 } : { type: "data", parts: [] };
      case "statx":
      case "access":
        throw new ErrnoAnswer("ENOSYS", "the kernel does without");
      default:
        throw storageError("not_permitted", "what a mount tells about itself cannot be changed");
    }
  }

  #isName(parent: number, name: Uint8Array): boolean {
    return parent === ROOT_INODE && equalBytes(name, NAME);
  }

  #lookup({ header, name }: RequestOf<"lookup">): WireEntry {
    const nodeId = header.nodeId === ROOT_INODE ? FIRST_NODE_ID : this.#find(header.nodeId, name);
    const attributes = this.#attributes(nodeId);
    return { nodeId, generation: 1, entryValidMs: ENTRY_MS, attributesValidMs: 0, attributes };
  }

  #find(directory: number, name: Uint8Array): number {
    if (directory !== FIRST_NODE_ID) throw storageError("not_directory");
    if (equalBytes(name, DOT)) return FIRST_NODE_ID;
    const index = this.#files.findIndex((file) => equalBytes(toUtf8(file.name), name));
    if (index < 0) throw storageError("not_found");
    return FIRST_NODE_ID + 1 + index;
  }

  #fileOf(nodeId: number): VirtualFile {
    const file = this.#files[nodeId - FIRST_NODE_ID - 1];
    if (file === undefined) throw storageError("is_directory");
    return file;
  }

  #attributes(nodeId: number): WireAttributes {
    const isDirectory = nodeId === FIRST_NODE_ID;
    return {
      ino: nodeId,
      sizeBytes: isDirectory ? this.#files.length : toUtf8(this.#fileOf(nodeId).render()).length,
      blockCount: 0,
      atime: this.#since,
      mtime: this.#since,
      ctime: this.#since,
      mode: isDirectory ? MODE_DIRECTORY | 0o555 : MODE_FILE | 0o444,
      linkCount: isDirectory ? 2 : 1,
      uid: 0,
      gid: 0,
      rdev: 0,
      blockBytes: 4096,
    };
  }

  #open({ header, flags }: RequestOf<"open">): FuseReply {
    const contents = toUtf8(this.#fileOf(header.nodeId).render());
    if ((flags & OPEN_FLAGS.accessMask) !== OPEN_FLAGS.readOnly) throw storageError("access_denied");
    return { type: "opened", handle: this.#handles.add(contents), flags: OPEN_REPLY.directIo };
  }

  #read({ handle, offset, sizeBytes }: RequestOf<"read">): FuseReply {
    return { type: "data", parts: [this.#handles.get(handle).subarray(offset, offset + sizeBytes)] };
  }

  #list({ offset, sizeBytes, withAttributes }: RequestOf<"readDirectory">): FuseReply {
    const names = [
      { name: DOT, ino: FIRST_NODE_ID, mode: MODE_DIRECTORY },
      { name: DOT_DOT, ino: ROOT_INODE, mode: MODE_DIRECTORY },
      ...this.#files.map(({ name }, i) => ({
        name: toUtf8(name),
        ino: FIRST_NODE_ID + 1 + i,
        mode: MODE_FILE,
      })),
    ];
    const page = new DirectoryPage(sizeBytes, withAttributes);
    for (const [i, entry] of names.entries()) {
      if (i >= offset && !page.add({ ...entry, offset: i + 1 })) break;
    }
    return page.reply();
  }
}

/** Which files there are does not change while the mount lasts. */
const ENTRY_MS = 3_600_000;
