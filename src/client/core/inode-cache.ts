import type { Attributes, InodeNumber } from "../../meta/index.js";

/** What is known of one inode. */
export interface KnownInode {
  readonly attributes: Attributes | undefined;
  /** Of a symbolic link. */
  readonly target: Uint8Array | undefined;
  readonly xattrNames: readonly Uint8Array[] | undefined;
  /** By name as Latin-1; `null`: there is none of that name. */
  readonly xattrs: ReadonlyMap<string, Uint8Array | null> | undefined;
}

interface Entry extends KnownInode {
  attributes: Attributes | undefined;
  target: Uint8Array | undefined;
  xattrNames: readonly Uint8Array[] | undefined;
  xattrs: Map<string, Uint8Array | null> | undefined;
}

/**
 * What is known of inodes. There are never more than so many, and of these the half that was used last stays: what is used of the
 * older half moves to the younger one, and when that is full, the older one is dropped and the younger one is the older one.
 */
export class InodeCache {
  readonly #halfMax: number;
  #younger = new Map<InodeNumber, Entry>();
  #older = new Map<InodeNumber, Entry>();

  constructor(countMax: number) {
    this.#halfMax = Math.max(1, Math.floor(countMax / 2));
  }

  get count(): number {
    return this.#younger.size + this.#older.size;
  }

  get(ino: InodeNumber): KnownInode | undefined {
    return this.#find(ino);
  }

  /** To be filled in. */
  at(ino: InodeNumber): Entry {
    const known = this.#find(ino);
    if (known !== undefined) return known;
    const entry: Entry = {
      attributes: undefined,
      target: undefined,
      xattrNames: undefined,
      xattrs: undefined,
    };
    this.#put(ino, entry);
    return entry;
  }

  /** What else is known stays. */
  forgetAttributes(ino: InodeNumber): void {
    const entry = this.#younger.get(ino) ?? this.#older.get(ino);
    if (entry !== undefined) entry.attributes = undefined;
  }

  forget(ino: InodeNumber): void {
    this.#younger.delete(ino);
    this.#older.delete(ino);
  }

  clear(): void {
    this.#younger.clear();
    this.#older.clear();
  }

  #find(ino: InodeNumber): Entry | undefined {
    const young = this.#younger.get(ino);
    if (young !== undefined || this.#older.size === 0) return young;
    const old = this.#older.get(ino);
    if (old === undefined) return undefined;
    this.#older.delete(ino);
    this.#put(ino, old);
    return old;
  }

  #put(ino: InodeNumber, entry: Entry): void {
    if (this.#younger.size >= this.#halfMax) {
      this.#older = this.#younger;
      this.#younger = new Map();
    }
    this.#younger.set(ino, entry);
  }
}
