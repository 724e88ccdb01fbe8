import { type DirectoryEntry, type InodeNumber, MODE_DIRECTORY } from "../../meta/index.js";

/**
 * One opened directory as its reader sees it: a growing list of entries whose positions never change, so that
 * telldir and seekdir lead back to the same entry whatever has been added or removed meanwhile. Positions count from 0;
 * the first two entries are `.` and `..`.
 */
export class DirectoryStream {
  readonly #entries: DirectoryEntry[];
  #isComplete = false;

  constructor(self: InodeNumber, parent: InodeNumber) {
    this.#entries = [
      { name: DOT, ino: self, mode: MODE_DIRECTORY },
      { name: DOT_DOT, ino: parent, mode: MODE_DIRECTORY },
    ];
  }

  /** Nothing is to be added: the listing has reached the end of the directory. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** How many have been listed. */
  get length(): number {
    return this.#entries.length;
  }

  /** Undefined beyond what has been listed. */
  at(position: number): DirectoryEntry | undefined {
    return this.#entries[position];
  }

  /** The listing goes on after this name; empty: it begins. */
  get after(): Uint8Array {
    return this.#entries.length > DOTS_COUNT ? (this.#entries.at(-1)?.name ?? NOTHING) : NOTHING;
  }

  /** One more page. Whoever hands attributes on asks first whether they still hold. */
  add(entries: readonly DirectoryEntry[], isEnd: boolean): void {
    for (const entry of entries) this.#entries.push(entry);
    this.#isComplete = isEnd || entries.length === 0;
  }
}

const DOT = Uint8Array.of(0x2e);
const DOT_DOT = Uint8Array.of(0x2e, 0x2e);
const DOTS_COUNT = 2;
const NOTHING = new Uint8Array(0);
