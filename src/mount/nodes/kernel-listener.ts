import type { CacheListener } from "../../client/index.js";
import type { Clock } from "../../io/index.js";
import type { InodeNumber, InvalidItem, LeaseKind } from "../../meta/index.js";
import type { Logger } from "../../telemetry/index.js";
import { gapsBetween } from "../core/gaps.js";
import type { KernelCache } from "../fuse-handler.js";
import { type Node, NodeTable, type Store } from "./node-table.js";

/** The cluster does not wait longer than this for the kernel's pages of a file. */
const DATA_MS_MAX = 2000;
/** Notifications at once while everything is forgotten. */
const FORGET_PARALLEL = 16;
/** A byte that others overwrite while it is read is read so often. */
const STORE_READS_MAX = 100;

/**
 * The kernel's caches as copies of what the client library knows: hears from the library what is untrue from now on,
 * and has the kernel forget it before the cluster goes on. Knows which inodes the kernel holds and until when it
 * believes what it was told of them; what it does not believe any more needs no notification.
 */
export class KernelListener implements CacheListener {
  readonly nodes = new NodeTable();
  readonly #clock: Clock;
  readonly #log: Logger;
  #kernel: KernelCache | undefined;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** From now on there is a kernel to be told. */
  attach(kernel: KernelCache): void {
    this.#kernel = kernel;
  }

  async invalidate(items: readonly InvalidItem[]): Promise<void> {
    await Promise.all(items.map((item) => this.#forget(item)));
  }

  async leaseComesDown(ino: InodeNumber, from: LeaseKind, to: LeaseKind): Promise<void> {
    const node = this.nodes.get(ino);
    if (from === to || node === undefined) return;
    await this.#forgetContents(node);
  }

  async forgetAll(): Promise<void> {
    const now = this.#clock.monotonicMs();
    const believed = [...this.nodes.nodes()].filter((node) => node.attributesUntilMs > now);
    const names = [...this.nodes.nodes()].some((node) => node.namesUntilMs > now);
    if (names) await this.#kernel?.incrementEpoch();
    for (const node of this.nodes.nodes()) node.namesUntilMs = 0;
    const next = believed.values();
    const work = async (): Promise<void> => {
      for (const node of next) await this.#forgetAttributes(node);
    };
    await Promise.all(Array.from({ length: FORGET_PARALLEL }, work));
  }

  /** What the kernel has of the file's contents is not what was written: it must not stay. Nobody waits for it. */
  forgetContentsSoon(node: Node): void {
    void this.#forgetContents(node);
  }

  /** A write is over during which the file's contents were declared untrue: its own pages were left out then. */
  transferOvertaken({ ino }: Node, begin: number, lengthBytes: number): void {
    void this.#kernel?.invalidateInode(ino, begin, lengthBytes);
  }

  /**
   * The kernel's pages get the last byte of a file that ends there, read by `read`, and with it the kernel knows of the end.
   * False if others changed the file all the time, or the kernel did not take it.
   */
  async storeLast(node: Node, sizeBytes: number, read: () => Promise<Uint8Array>): Promise<boolean> {
    const store: Store = { isOvertaken: true, taking: undefined };
    node.stores ??= new Set();
    node.stores.add(store);
    node.hasPages = true;
    try {
      let bytes: Uint8Array = NO_BYTES;
      for (let i = 0; store.isOvertaken && i < STORE_READS_MAX; i++) {
        store.isOvertaken = false;
        bytes = await read();
      }
      if (store.isOvertaken || bytes.length === 0 || this.#kernel === undefined) return false;
      store.taking = this.#kernel.store(node.ino, sizeBytes - bytes.length, bytes);
      return await store.taking;
    } finally {
      node.stores?.delete(store);
    }
  }

  async #forget({ kind, ino, name }: InvalidItem): Promise<void> {
    const node = this.nodes.get(ino);
    if (node === undefined) return;
    switch (kind) {
      case "inode":
        await this.#forgetAttributes(node);
        return;
      case "contents":
        await Promise.all([this.#forgetAttributes(node), this.#forgetContents(node)]);
        return;
      case "entry":
        if (this.#believesNames(node)) await this.#kernel?.invalidateEntry(ino, name);
        return;
      case "entries":
        if (this.#believesNames(node)) await this.#kernel?.incrementEpoch();
        node.namesUntilMs = 0;
        return;
    }
  }

  /** Takes no lock in the kernel. */
  async #forgetAttributes(node: Node): Promise<void> {
    if (node.attributesUntilMs <= this.#clock.monotonicMs()) return;
    node.attributesUntilMs = 0;
    await this.#kernel?.invalidateInode(node.ino, NO_DATA, 0);
  }

  /**
   * Pages whose read or write is under way are locked until we answer, which may take the cluster: they are left out.
   * Whoever reads them reads once more before it answers, and what is written is forgotten when it is.
   */
  async #forgetContents(node: Node): Promise<void> {
    if (!node.hasPages) return;
    const underWay = [...(node.transfers ?? []), ...(node.stores ?? [])];
    if (underWay.length === 0) node.hasPages = false;
    for (const overtaken of underWay) overtaken.isOvertaken = true;
    if (!(await this.#within(this.#dropPages(node), DATA_MS_MAX)))
      this.#log.warn("the kernel holds on to pages of a file", { ino: node.ino });
  }

  async #dropPages(node: Node): Promise<void> {
    if (node.stores !== undefined) await Promise.all([...node.stores].map(({ taking }) => taking));
    await Promise.all(
      gapsBetween(node.transfers ?? []).map(({ begin, lengthBytes }) =>
        this.#kernel?.invalidateInode(node.ino, begin, lengthBytes),
      ),
    );
  }

  #believesNames(directory: Node): boolean {
    return directory.namesUntilMs > this.#clock.monotonicMs();
  }

  /** False if it takes longer; then it goes on alone. */
  async #within(work: Promise<unknown>, limitMs: number): Promise<boolean> {
    const done = work.then(() => true);
    const limit = new AbortController();
    const late = this.#clock.sleep("mount.notify", limitMs, limit.signal).then(() => false);
    try {
      return await Promise.race([done, late]);
    } finally {
      limit.abort();
    }
  }
}

/** For `invalidateInode`: attributes only. */
const NO_DATA = -1;
const NO_BYTES = new Uint8Array(0);
