import type { InodeOperations } from "../../client/index.js";
import { type DirectoryEntry, type Entries, type InodeNumber, ROOT_INODE } from "../../meta/index.js";
import { DirectoryStream } from "../core/directory-stream.js";
import type { Listings } from "./listings.js";

/** Entries asked for at once. */
const PAGE_COUNT = 1000;
const PARENT = Uint8Array.of(0x2e, 0x2e);

/** One open of a directory: fetches the listing as it is read. */
export class DirectoryHandle {
  readonly ino: InodeNumber;
  readonly #inodes: InodeOperations;
  readonly #listings: Listings;
  #stream: DirectoryStream | undefined;
  /** State of the directory before the listing began, if it was known. */
  #state: number | undefined;
  /** Losses of changes that were answered early of which this handle knows. */
  #lossCount: number;
  /** One page at a time, whoever reads. */
  #turn: Promise<void> = Promise.resolve();

  constructor(inodes: InodeOperations, listings: Listings, ino: InodeNumber) {
    this.#inodes = inodes;
    this.#listings = listings;
    this.ino = ino;
    this.#lossCount = inodes.lossCount;
  }

  /** Resolves when all changes of names that were answered before are carried out. Fails once if some were lost since. */
  async commit(signal: AbortSignal): Promise<void> {
    const lossCount = this.#lossCount;
    this.#lossCount = this.#inodes.lossCount;
    await this.#inodes.commit(lossCount, { signal });
  }

  /** The entry at the position, if it has been listed. */
  at(position: number): DirectoryEntry | undefined {
    return this.#stream?.at(position);
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
    const known = this.#listings.find(this.ino, withAttributes);
    if (known !== undefined) {
      this.#stream = known;
      return;
    }
    this.#state = this.#listings.stateOf(this.ino);
    const [parent, page] = await Promise.all([
      this.#parent(signal),
      this.#inodes.readDirectory(this.ino, NOTHING, PAGE_COUNT, withAttributes, { signal }),
    ]);
    this.#stream = new DirectoryStream(this.ino, parent);
    this.#add(this.#stream, page, withAttributes);
  }

  async #more(stream: DirectoryStream, withAttributes: boolean, signal: AbortSignal): Promise<void> {
    const page = await this.#inodes.readDirectory(this.ino, stream.after, PAGE_COUNT, withAttributes, {
      signal,
    });
    this.#add(stream, page, withAttributes);
  }

  /** A listing in several pages is of no single state unless that was the same before and after. */
  #add(stream: DirectoryStream, { entries, isEnd }: Entries, withAttributes: boolean): void {
    stream.add(entries, isEnd);
    const state = this.#state;
    if (!stream.isComplete || state === undefined || state !== this.#listings.stateOf(this.ino)) return;
    this.#listings.remember(this.ino, state, stream, withAttributes);
  }

  async #parent(signal: AbortSignal): Promise<InodeNumber> {
    if (this.ino === ROOT_INODE) return ROOT_INODE;
    return (await this.#inodes.lookup(this.ino, PARENT, { signal })).ino;
  }
}

const NOTHING = new Uint8Array(0);
