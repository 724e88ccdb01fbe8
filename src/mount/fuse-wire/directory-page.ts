import { ENTRY_BYTES, putEntry } from "./encode-attributes.js";
import { MessageWriter } from "./message-writer.js";
import type { FuseReply, WireEntry } from "./replies.js";

/** `offsetof(struct fuse_dirent, name)`. */
const DIRENT_BYTES = 24;

/** One name of a listing. */
export interface ListedName {
  readonly name: Uint8Array;
  readonly ino: number;
  /** Of which the type counts. */
  readonly mode: number;
  /** Where the next page begins when this is the last name of one; not 0. */
  readonly offset: number;
  /**
   * With attributes: counts as a lookup. Without (`.`, `..`, or what cannot be told) the kernel knows only name,
   * number and type.
   */
  readonly entry?: WireEntry | undefined;
}

/** The answer to a readDirectory, filled name by name until it is full. */
export class DirectoryPage {
  readonly #writer: MessageWriter;
  readonly #withAttributes: boolean;

  /** `sizeBytes` and `withAttributes` are those of the request. */
  constructor(sizeBytes: number, withAttributes: boolean) {
    this.#writer = new MessageWriter(sizeBytes);
    this.#withAttributes = withAttributes;
  }

  /** False, and nothing is added, if there is no room. */
  add({ name, ino, mode, offset, entry }: ListedName): boolean {
    const unpadded = (this.#withAttributes ? ENTRY_BYTES : 0) + DIRENT_BYTES + name.length;
    const lengthBytes = Math.ceil(unpadded / 8) * 8;
    const writer = this.#writer;
    if (writer.offset + lengthBytes > writer.bytes.length) return false;
    if (this.#withAttributes) {
      if (entry === undefined) writer.skip(ENTRY_BYTES);
      else putEntry(writer, entry);
    }
    writer
      .u64(ino)
      .u64(offset)
      .u32(name.length)
      .u32((mode >>> 12) & 0xf);
    writer.put(name).skip(lengthBytes - unpadded);
    return true;
  }

  get isEmpty(): boolean {
    return this.#writer.offset === 0;
  }

  /** An empty one says that the listing is over. */
  reply(): FuseReply {
    return { type: "data", parts: [this.#writer.bytes.subarray(0, this.#writer.offset)] };
  }
}
