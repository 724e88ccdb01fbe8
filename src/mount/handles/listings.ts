import type { InodeOperations } from "../../client/index.js";
import type { InodeNumber } from "../../meta/index.js";
import type { DirectoryStream } from "../core/directory-stream.js";
import type { NodeTable } from "../nodes/node-table.js";

/** Entries of all listings that are remembered; the one used longest ago goes first. */
const ENTRIES_MAX = 50_000;
/** Attributes looked at to see whether those of a listing are worth having. */
const SAMPLE_COUNT = 64;

interface Remembered {
  readonly changeCount: number;
  readonly stream: DirectoryStream;
  readonly withAttributes: boolean;
}

/**
 * Complete listings of directories that have not changed since: another look costs no round trip. A directory's
 * `changeCount` tells, as long as the client library vouches for the attributes it is in.
 */
export class Listings {
  readonly #inodes: Pick<InodeOperations, "attributesValidMs">;
  readonly #nodes: NodeTable;
  readonly #remembered = new Map<InodeNumber, Remembered>();
  #entryCount = 0;

  constructor(inodes: Pick<InodeOperations, "attributesValidMs">, nodes: NodeTable) {
    this.#inodes = inodes;
    this.#nodes = nodes;
  }

  /** Which state of the directory is the present one, to be asked before it is listed; undefined: nobody here knows. */
  stateOf(ino: InodeNumber): number | undefined {
    const attributes = this.#nodes.get(ino)?.attributes;
    if (attributes === undefined || this.#inodes.attributesValidMs(attributes) <= 0) return undefined;
    return attributes.changeCount;
  }

  /** The listing of the directory as it is at this moment, if it is known. */
  find(ino: InodeNumber, withAttributes: boolean): DirectoryStream | undefined {
    const found = this.#remembered.get(ino);
    if (found === undefined) return undefined;
    this.#forget(ino, found);
    if (found.changeCount !== this.stateOf(ino)) return undefined;
    this.#keep(ino, found);
    return withAttributes && !this.#hasAttributes(found) ? undefined : found.stream;
  }

  /** A complete listing of what the directory was when it was in that state, or a little later. */
  remember(ino: InodeNumber, changeCount: number, stream: DirectoryStream, withAttributes: boolean): void {
    const old = this.#remembered.get(ino);
    if (old !== undefined) this.#forget(ino, old);
    if (stream.length > ENTRIES_MAX) return;
    this.#keep(ino, { changeCount, stream, withAttributes });
    for (const [oldest, listing] of this.#remembered) {
      if (this.#entryCount <= ENTRIES_MAX) break;
      this.#forget(oldest, listing);
    }
  }

  /** If most of them grew old, one listing is cheaper than asking for each. */
  #hasAttributes({ stream, withAttributes }: Remembered): boolean {
    if (!withAttributes) return false;
    const last = Math.min(stream.length, FIRST_NAME + SAMPLE_COUNT);
    let staleCount = 0;
    for (let position = FIRST_NAME; position < last; position++) {
      const attributes = stream.at(position)?.attributes;
      if (attributes === undefined || this.#inodes.attributesValidMs(attributes) <= 0) staleCount++;
    }
    return staleCount * 2 <= last - FIRST_NAME;
  }

  #keep(ino: InodeNumber, listing: Remembered): void {
    this.#remembered.set(ino, listing);
    this.#entryCount += listing.stream.length;
  }

  #forget(ino: InodeNumber, listing: Remembered): void {
    this.#remembered.delete(ino);
    this.#entryCount -= listing.stream.length;
  }
}

/** Behind `.` and `..`. */
const FIRST_NAME = 2;
