import { failureOf } from "../base/index.js";
import type { InodeOperations } from "../client/index.js";
import type { Clock } from "../io/index.js";
import {
  type Attributes,
  type InodeNumber,
  inodeNumber,
  isDirectory,
  MODE_SETGID,
  MODE_SETUID,
  ROOT_INODE,
  timestampOf,
} from "../meta/index.js";
import type { Logger } from "../telemetry/index.js";
import type { SetattrChange } from "./core/attribute-change.js";
import { ErrnoAnswer } from "./core/errno-answer.js";
import { changedWhenGone } from "./core/gone-attributes.js";
import { type RootOwner, wireAttributes } from "./core/wire-attributes.js";
import type { FuseReply, WireAttributes, WireEntry } from "./fuse-wire/replies.js";
import { AccessTimes } from "./nodes/access-times.js";
import type { KernelListener } from "./nodes/kernel-listener.js";
import type { Node, NodeTable } from "./nodes/node-table.js";
import { orAborted } from "./wait-or-abort.js";

/** What the mount was told by its command line. */
export interface MountBehaviour {
  /** Shown in place of the root directory's own owner and mode, until they are changed through this mount. */
  readonly rootOwner: RootOwner;
  /** Reads leave access times alone. */
  readonly noatime: boolean;
  /** Nothing is changed, access times neither. */
  readonly isReadOnly: boolean;
  /** Access control lists are kept, and decide; without them the permission bits alone do. */
  readonly hasAcls: boolean;
  /** The bit of O_DIRECT among open flags; that of x86-64 by default. */
  readonly directFlag?: number | undefined;
}

/** What the file system stands on. */
export interface MountWorld {
  readonly inodes: InodeOperations;
  readonly listener: KernelListener;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What all operations of one mount share: which inodes the kernel knows, and what it was told of them. */
export class MountState {
  readonly inodes: InodeOperations;
  readonly listener: KernelListener;
  readonly log: Logger;
  readonly behaviour: MountBehaviour;
  readonly nodes: NodeTable;
  readonly accessTimes: AccessTimes;
  readonly #clock: Clock;
  #rootOwner: RootOwner;

  constructor(world: MountWorld, behaviour: MountBehaviour) {
    this.inodes = world.inodes;
    this.listener = world.listener;
    this.log = world.log;
    this.nodes = world.listener.nodes;
    this.behaviour = behaviour;
    this.#clock = world.clock;
    this.#rootOwner = behaviour.rootOwner;
    this.accessTimes = new AccessTimes(world, !(behaviour.noatime || behaviour.isReadOnly));
  }

  /** The answer that names an inode: one more lookup of it. Without a name it is in no directory. */
  entry(attributes: Attributes, parent: InodeNumber, name: Uint8Array | undefined): WireEntry {
    const node = this.nodes.told(attributes);
    return {
      nodeId: attributes.ino,
      generation: attributes.generation,
      entryValidMs: name === undefined ? 0 : this.entryValidMs(parent, name, attributes.ino),
      attributesValidMs: this.#attributesValidMs(node, attributes),
      attributes: this.shown(attributes),
    };
  }

  /**
   * The kernel was told of the inode with these attributes, and goes on believing it for as long as if it were told in a while. Of one
   * that has several names it may not know them all.
   */
  isBelieved(attributes: Attributes): boolean {
    const node = this.nodes.get(attributes.ino);
    if (node === undefined || node.lookups === 0) return false;
    if (attributes.linkCount > 1 && !isDirectory(attributes.mode)) return false;
    if (node.attributes?.changeCount !== attributes.changeCount) return false;
    const leftMs = node.attributesUntilMs - this.#clock.monotonicMs();
    return leftMs * 2 >= this.inodes.attributesValidMs(attributes) && leftMs > 0;
  }

  /** How long the kernel may believe what the name stands for; without `ino`: that it is missing. */
  entryValidMs(parent: InodeNumber, name: Uint8Array, ino: InodeNumber | undefined): number {
    const validMs = this.inodes.entryValidMs(parent, name, ino);
    if (validMs <= 0) return 0;
    const directory = this.nodes.get(parent);
    if (directory === undefined) return 0;
    directory.namesUntilMs = Math.max(directory.namesUntilMs, this.#clock.monotonicMs() + validMs);
    return validMs;
  }

  /** The answer of getattr and setattr. */
  attributesReply(attributes: Attributes): FuseReply {
    const node = this.nodes.refresh(attributes);
    const attributesValidMs = node === undefined ? 0 : this.#attributesValidMs(node, attributes);
    return { type: "attributes", attributes: this.shown(attributes), attributesValidMs };
  }

  /** With the owner that the command line wants for the root. */
  shown(attributes: Attributes): WireAttributes {
    const shown = wireAttributes(attributes);
    if (attributes.ino !== ROOT_INODE) return shown;
    const { uid, gid, mode } = this.#rootOwner;
    return {
      ...shown,
      uid: uid ?? shown.uid,
      gid: gid ?? shown.gid,
      mode: mode === undefined ? shown.mode : (shown.mode & ~0o7777) | mode,
    };
  }

  /** The root's owner was changed through this mount: from now on it is shown as it is. */
  rootChanged(change: RootOwner): void {
    const { uid, gid, mode } = this.#rootOwner;
    this.#rootOwner = {
      uid: change.uid === undefined ? uid : undefined,
      gid: change.gid === undefined ? gid : undefined,
      mode: change.mode === undefined ? mode : undefined,
    };
  }

  /** The attributes as they are now, if nobody has to be asked or told. */
  knownAttributes(ino: InodeNumber): Attributes | undefined {
    return this.accessTimes.settled(ino) === undefined ? this.inodes.knownAttributes(ino) : undefined;
  }

  /** The attributes as they are now; of a removed inode that the kernel still refers to as they were. */
  async attributesOf(ino: InodeNumber, signal: AbortSignal): Promise<Attributes> {
    const telling = this.accessTimes.settled(ino);
    if (telling !== undefined) await orAborted(telling, signal);
    const root = ino === ROOT_INODE ? this.nodes.get(ino)?.attributes : undefined;
    const timeoutMs = root === undefined ? undefined : GONE_PATIENCE_MS;
    try {
      return await this.inodes.getAttributes(ino, { signal, timeoutMs });
    } catch (error) {
      if (root !== undefined && failureOf(error)?.code === "timed_out") return root;
      if (failureOf(error)?.code !== "not_found") throw error;
      return this.#gone(ino, error).attributes;
    }
  }

  /** chmod, chown and utimensat; of a removed inode that the kernel still refers to they are remembered here. */
  async changeAttributes(ino: InodeNumber, change: SetattrChange, signal: AbortSignal): Promise<Attributes> {
    try {
      return await this.inodes.setAttributes(ino, change, { signal });
    } catch (error) {
      if (failureOf(error)?.code !== "not_found") throw error;
      const node = this.#gone(ino, error);
      node.attributes = changedWhenGone(node.attributes, change, timestampOf(this.#clock.wallMs()));
      return node.attributes;
    }
  }

  /** The contents are changed by somebody who, unless it is root, may not keep set-user-ID and set-group-ID bits. */
  async takePrivileges(node: Node, uid: number, signal: AbortSignal): Promise<void> {
    const mode = node.attributes?.mode ?? 0;
    if (uid === 0 || (mode & (MODE_SETUID | MODE_SETGID)) === 0) return;
    this.nodes.refresh(await this.inodes.setAttributes(node.ino, { killPrivileges: true }, { signal }));
  }

  /** For requests that name an inode by its number only: if there is none, the number is stale. */
  async existing<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (failureOf(error)?.code !== "not_found") throw error;
      throw new ErrnoAnswer("ESTALE", "the inode is gone", error);
    }
  }

  /** What is left of an inode that was removed and is still open. ESTALE if the mount never knew it. */
  #gone(ino: InodeNumber, cause: unknown): Node & { attributes: Attributes } {
    const node = this.nodes.get(ino);
    if (node?.attributes === undefined) throw new ErrnoAnswer("ESTALE", "the inode is gone", cause);
    node.isGone = true;
    return Object.assign(node, { attributes: { ...node.attributes, linkCount: 0 } });
  }

  #attributesValidMs(node: Node, attributes: Attributes): number {
    if (node.isGone) return 0;
    const validMs = this.inodes.attributesValidMs(attributes);
    if (validMs > 0)
      node.attributesUntilMs = Math.max(node.attributesUntilMs, this.#clock.monotonicMs() + validMs);
    return validMs;
  }
}

/**
 * umount(8) looks at the mount point and its statistics first, and must work with the cluster gone: after this long
 * without an answer they are shown as they were last, and to be believed for no time.
 */
export const GONE_PATIENCE_MS = 2000;

/** The node id of a request is the inode number. */
export const inodeOf = (nodeId: number): InodeNumber => inodeNumber(nodeId);
