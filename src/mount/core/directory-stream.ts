import { type DirectoryEntry, type InodeNumber, MODE_DIRECTORY } from "../../meta/index.js";

/** Bytes after which a listing goes on; empty for the beginning. */
export type ListingPosition = Uint8Array;

/**
 * One opened directory as its reader sees it: a growing list of entries whose positions never change, so that
 * telldir and seekdir lead back to the same entry whatever has been added or removed meanwhile. The entry at index `i`
 * is at position `i`, and the position after it is `i + 1`. The first two are `.` and `..`.
 */
export class DirectoryStream {
  readonly #self: InodeNumber;
  readonly #parent: InodeNumber;
  #entries: DirectoryEntry[] = [];
  #isComplete = false;

  constructor(self: InodeNumber, parent: InodeNumber) {
    this.#self = self;
    this.#parent = parent;
    this.rewind();
  }

  /** Nothing is to be added: the listing has reached the end of the directory. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** One more than the last position that has an entry, as far as it has been listed. */
  get length(): number {
    return this.#entries.length;
  }

  /** Undefined beyond what has been listed. */
  at(position: number): DirectoryEntry | undefined {
    return this.#entries[position];
  }

  /** The listing goes on after this name. */
  get after(): ListingPosition {
    return this.#entries.length > DOTS.length ? (this.#entries.at(-1)?.name ?? NOTHING) : NOTHING;
  }

  add(entries: readonly DirectoryEntry[], isEnd: boolean): void {
    for (const { name, ino, mode } of entries) this.#entries.push({ name, ino, mode });
    this.#isComplete = isEnd;
  }

  /** From the beginning, as the directory is now. */
  rewind(): void {
    const inodes = [this.#self, this.#parent];
    this.#entries = DOTS.map((name, i) => ({ name, ino: inodes[i] ?? this.#self, mode: MODE_DIRECTORY }));
    this.#isComplete = false;
  }
}

const DOTS = [Uint8Array.of(0x2e), Uint8Array.of(0x2e, 0x2e)];
const NOTHING = new Uint8Array(0);
