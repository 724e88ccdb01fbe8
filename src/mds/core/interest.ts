import type { InodeNumber, InvalidItem, SessionId } from "../../meta/index.js";
import { entriesItem, inodeItem } from "./observed-tables.js";

/** Something that one session has to drop. */
export interface Notice {
  readonly sessionId: SessionId;
  readonly item: InvalidItem;
}

type Sessions = Map<InodeNumber, Set<SessionId>>;

/**
 * What sessions that cache may know: attributes of which inodes, and names (or their absence) of which directories.
 * Rather too much than too little: whoever was told something, and was not told since that it is untrue, is in here.
 *
 * An inode is forgotten with the notice of its change. Names of a directory are many: its sessions stay until they
 * release it. Bounded: what was asked for longest ago gives way, with a notice.
 */
export class InterestTable {
  readonly #countMax: number;
  readonly #inodes: Sessions = new Map();
  readonly #directories: Sessions = new Map();
  /** What each session knows, for its end. */
  readonly #bySession = new Map<SessionId, { inodes: Set<InodeNumber>; directories: Set<InodeNumber> }>();
  #count = 0;

  /** At most so many pairs of a session and an inode or directory. */
  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#count;
  }

  /** The session is about to be told the attributes of an inode. Returns what must give way. */
  noteInode(sessionId: SessionId, ino: InodeNumber): Notice[] {
    return this.#note("inodes", sessionId, ino);
  }

  /** The session is about to be told a name of a directory, or that there is none. Returns what must give way. */
  noteNames(sessionId: SessionId, directory: InodeNumber): Notice[] {
    return this.#note("directories", sessionId, directory);
  }

  /** Who has to be told that the item is untrue now. */
  touched(item: InvalidItem): SessionId[] {
    const isName = item.kind === "entry" || item.kind === "entries";
    const sessions = (isName ? this.#directories : this.#inodes).get(item.ino);
    if (sessions === undefined) return [];
    const told = [...sessions];
    if (!isName) for (const sessionId of told) this.#drop("inodes", sessionId, item.ino);
    return told;
  }

  /** Whether this session may know something of the inode, and no other may. */
  isOnlyOf(sessionId: SessionId, ino: InodeNumber): boolean {
    const inodes = this.#inodes.get(ino);
    if (inodes?.has(sessionId) !== true || inodes.size > 1) return false;
    const directories = this.#directories.get(ino);
    return directories === undefined || (directories.size === 1 && directories.has(sessionId));
  }

  /** The session knows no name of that directory any more. */
  release(sessionId: SessionId, directory: InodeNumber): void {
    this.#drop("directories", sessionId, directory);
  }

  /** The session knows nothing any more. */
  forget(sessionId: SessionId): void {
    const known = this.#bySession.get(sessionId);
    if (known === undefined) return;
    for (const ino of [...known.inodes]) this.#drop("inodes", sessionId, ino);
    for (const ino of [...known.directories]) this.#drop("directories", sessionId, ino);
  }

  #table(kind: "inodes" | "directories"): Sessions {
    return kind === "inodes" ? this.#inodes : this.#directories;
  }

  #note(kind: "inodes" | "directories", sessionId: SessionId, ino: InodeNumber): Notice[] {
    const table = this.#table(kind);
    const sessions = table.get(ino) ?? new Set();
    // What is asked for again is the youngest.
    table.delete(ino);
    table.set(ino, sessions);
    if (sessions.has(sessionId)) return [];
    sessions.add(sessionId);
    let known = this.#bySession.get(sessionId);
    if (known === undefined) {
      known = { inodes: new Set(), directories: new Set() };
      this.#bySession.set(sessionId, known);
    }
    known[kind].add(ino);
    this.#count++;
    return this.#count > this.#countMax ? this.#evict() : [];
  }

  /** Inodes first: they come back with one question. */
  #evict(): Notice[] {
    const kind = this.#inodes.size > 1 ? "inodes" : "directories";
    const [oldest] = this.#table(kind);
    if (oldest === undefined) return [];
    const [ino, sessions] = oldest;
    const item = kind === "inodes" ? inodeItem(ino) : entriesItem(ino);
    return [...sessions].map((sessionId) => {
      this.#drop(kind, sessionId, ino);
      return { sessionId, item };
    });
  }

  #drop(kind: "inodes" | "directories", sessionId: SessionId, ino: InodeNumber): void {
    const table = this.#table(kind);
    const sessions = table.get(ino);
    if (sessions?.delete(sessionId) !== true) return;
    if (sessions.size === 0) table.delete(ino);
    this.#count--;
    const known = this.#bySession.get(sessionId);
    known?.[kind].delete(ino);
    if (known?.inodes.size === 0 && known.directories.size === 0) this.#bySession.delete(sessionId);
  }
}
