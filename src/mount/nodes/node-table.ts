import { type Attributes, type InodeNumber, isDirectory, ROOT_INODE } from "../../meta/index.js";

/** An inode that the kernel holds. */
export interface Node {
  readonly ino: InodeNumber;
  /** How often the kernel was told of it and has not forgotten it. */
  lookups: number;
  /** As they were told last: what is answered when the inode is gone from the cluster. */
  attributes: Attributes;
  /** The cluster has forgotten the inode: the kernel still refers to it. */
  isGone: boolean;
  /** Of a directory: where it was seen last. */
  parent: InodeNumber | undefined;
  /** Monotonic; until then the kernel may answer from the attributes it was told. */
  attributesUntilMs: number;
  /** Of a directory: until then the kernel may answer from names in it that it was told. */
  namesUntilMs: number;
  /** The kernel may have pages of the file's contents. */
  hasPages: boolean;
}

/**
 * Every inode that the kernel knows, by its number. An entry lives as long as the kernel's: from the first answer that
 * names it to the FORGET of the last.
 */
export class NodeTable {
  readonly #nodes = new Map<number, Node>();

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

  /** The kernel is being told of the inode once more, found in that directory. */
  told(attributes: Attributes, parent: InodeNumber | undefined): Node {
    const node = this.#nodes.get(attributes.ino) ?? this.#add(attributes);
    node.lookups++;
    node.attributes = attributes;
    if (parent !== undefined && isDirectory(attributes.mode)) node.parent = parent;
    return node;
  }

  /** Its attributes as they are now. The root is there without having been looked up. */
  refresh(attributes: Attributes): Node | undefined {
    const known = this.#nodes.get(attributes.ino);
    if (known !== undefined) known.attributes = attributes;
    else if (attributes.ino === ROOT_INODE) return this.#add(attributes);
    return known;
  }

  /** The kernel gives so many back. */
  forget(ino: number, lookups: number): void {
    const node = this.#nodes.get(ino);
    if (node === undefined || ino === ROOT_INODE) return;
    // An answer that never reached the kernel is not given back: then an entry stays longer, which does no harm.
    node.lookups -= lookups;
    if (node.lookups <= 0) this.#nodes.delete(ino);
  }

  #add(attributes: Attributes): Node {
    const node: Node = {
      ino: attributes.ino,
      lookups: 0,
      attributes,
      isGone: false,
      parent: undefined,
      attributesUntilMs: 0,
      namesUntilMs: 0,
      hasPages: false,
    };
    this.#nodes.set(attributes.ino, node);
    return node;
  }
}

/** The attributes of an inode that is gone, as fstat shows a removed file. */
export function goneAttributes(node: Node): Attributes {
  return node.attributes.linkCount === 0 ? node.attributes : { ...node.attributes, linkCount: 0 };
}
