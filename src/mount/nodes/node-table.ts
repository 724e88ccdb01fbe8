import { type Attributes, type InodeNumber, ROOT_INODE } from "../../meta/index.js";

/** A read or write of a file's contents under way. */
export interface Transfer {
  readonly begin: number;
  readonly end: number;
  /** What the kernel had of the file was declared untrue meanwhile. */
  isOvertaken: boolean;
}

/** Bytes of a file on their way into the kernel's pages, unasked. */
export interface Store {
  /** What was read for it was declared untrue meanwhile. */
  isOvertaken: boolean;
  /** While the kernel is taking it; never fails. */
  taking: Promise<boolean> | undefined;
}

/** An inode that the kernel holds. */
export interface Node {
  readonly ino: InodeNumber;
  /** How often the kernel was told of it and has not forgotten it. */
  lookups: number;
  /** As they were told last: what is answered when the inode is gone from the cluster. Undefined: never told (the root). */
  attributes: Attributes | undefined;
  /** The cluster has forgotten the inode: the kernel still refers to it. */
  isGone: boolean;
  /** Monotonic; until then the kernel may answer from the attributes it was told. */
  attributesUntilMs: number;
  /** Of a directory: until then the kernel may answer from names in it that it was told. */
  namesUntilMs: number;
  /** The kernel may have pages of the file's contents. */
  hasPages: boolean;
  /** Reads and writes under way, whose pages are locked in the kernel. */
  transfers: Set<Transfer> | undefined;
  stores: Set<Store> | undefined;
  /** The kernel's own idea of where the file ends is this at least, whichever of our answers it has dropped. */
  endBytes: number;
}

/**
 * Every inode that the kernel knows, by its number. An entry lives as long as the kernel's: from the first answer that
 * names it to the FORGET of the last. The root is always there.
 */
export class NodeTable {
  readonly #nodes = new Map<number, Node>();

  constructor() {
    this.#nodes.set(ROOT_INODE, newNode(ROOT_INODE, undefined));
  }

  get count(): number {
    return this.#nodes.size;
  }

  get(ino: number): Node | undefined {
    return this.#nodes.get(ino);
  }

  /** All of them, as they are now. */
  nodes(): IterableIterator<Node> {
    return this.#nodes.values();
  }

  /** The kernel is being told of the inode once more. */
  told(attributes: Attributes): Node {
    const node = this.ensure(attributes);
    node.lookups++;
    return node;
  }

  /** The node, with these attributes from now on. */
  ensure(attributes: Attributes): Node {
    const { ino } = attributes;
    const known = this.#nodes.get(ino);
    if (known !== undefined) {
      show(known, attributes);
      return known;
    }
    const node = newNode(ino, attributes);
    this.#nodes.set(ino, node);
    return node;
  }

  /** Its attributes as they are now, if the kernel knows it. */
  refresh(attributes: Attributes): Node | undefined {
    const node = this.#nodes.get(attributes.ino);
    if (node !== undefined) show(node, attributes);
    return node;
  }

  /** The kernel gives so many back. */
  forget(ino: number, lookups: number): void {
    const node = this.#nodes.get(ino);
    if (node === undefined || ino === ROOT_INODE) return;
    // An answer that never reached the kernel is not given back: then an entry stays longer, which does no harm.
    node.lookups -= lookups;
    if (node.lookups <= 0) this.#nodes.delete(ino);
  }
}

function show(node: Node, attributes: Attributes): void {
  node.attributes = attributes;
  node.endBytes = Math.min(node.endBytes, attributes.sizeBytes);
}

function newNode(ino: InodeNumber, attributes: Attributes | undefined): Node {
  return {
    ino,
    lookups: 0,
    attributes,
    isGone: false,
    attributesUntilMs: 0,
    namesUntilMs: 0,
    hasPages: false,
    transfers: undefined,
    stores: undefined,
    endBytes: attributes?.sizeBytes ?? 0,
  };
}
