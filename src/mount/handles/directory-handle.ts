import type { InodeOperations } from "../../client/index.js";
import {
  type Attributes,
  type DirectoryEntry,
  type Entries,
  type InodeNumber,
  ROOT_INODE,
} from "../../meta/index.js";
import { DirectoryStream } from "../core/directory-stream.js";

/** Entries asked for at once. */
const PAGE_COUNT = 1000;
const PARENT = Uint8Array.of(0x2e, 0x2e);

/** One open of a directory: fetches the listing as it is read. */
export class DirectoryHandle {
  readonly ino: InodeNumber;
  readonly #inodes: InodeOperations;
  #stream: DirectoryStream | undefined;
  /** The page listed last, and where it begins. */
  #page: { readonly position: number; readonly entries: readonly DirectoryEntry[] } = NO_PAGE;
  /** One page at a time, whoever reads. */
  #turn: Promise<void> = Promise.resolve();

  constructor(inodes: InodeOperations, ino: InodeNumber) {
    this.#inodes = inodes;
    this.ino = ino;
  }

  /** The entry at the position, if it has been listed. */
  at(position: number): DirectoryEntry | undefined {
    return this.#stream?.at(position);
  }

  /** As they were listed, if that was not long ago: whoever hands them on asks whether they still hold. */
  attributesAt(position: number): Attributes | undefined {
    return this.#page.entries[position - this.#page.position]?.attributes;
  }

  /**
   * Resolves when the entry at the position is listed, or there is none. Position 0 begins anew: what was added and
   * removed since is seen.
   */
  list(position: number, withAttributes: boolean, signal: AbortSignal): Promise<void> {
    const listing = this.#turn.then(async () => {
      if (position === 0 || this.#stream === undefined) await this.#begin(withAttributes, signal);
      const stream = this.#stream;
      while (stream !== undefined && stream.at(position) === undefined && !stream.isComplete)
        await this.#more(stream, withAttributes, signal);
    });
    this.#turn = listing.catch(() => undefined);
    return listing;
  }

  async #begin(withAttributes: boolean, signal: AbortSignal): Promise<void> {
    const [parent, page] = await Promise.all([
      this.#parent(signal),
      this.#inodes.readDirectory(this.ino, NOTHING, PAGE_COUNT, withAttributes, { signal }),
    ]);
    const stream = new DirectoryStream(this.ino, parent);
    this.#stream = stream;
    this.#add(stream, page);
  }

  async #more(stream: DirectoryStream, withAttributes: boolean, signal: AbortSignal): Promise<void> {
    const page = await this.#inodes.readDirectory(this.ino, stream.after, PAGE_COUNT, withAttributes, {
      signal,
    });
    this.#add(stream, page);
  }

  #add(stream: DirectoryStream, { entries, isEnd }: Entries): void {
    this.#page = { position: stream.length, entries };
    stream.add(entries, isEnd);
  }

  async #parent(signal: AbortSignal): Promise<InodeNumber> {
    if (this.ino === ROOT_INODE) return ROOT_INODE;
    return (await this.#inodes.lookup(this.ino, PARENT, { signal })).ino;
  }
}

const NO_PAGE = { position: 0, entries: [] };
const NOTHING = new Uint8Array(0);
