import type { Attributes, InodeNumber } from "../../meta/index.js";

/** What is known of one inode. */
export interface KnownInode {
  readonly attributes: Attributes | undefined;
  /** Of a symbolic link. */
  readonly target: Uint8Array | undefined;
  readonly xattrNames: readonly Uint8Array[] | undefined;
  /** By name as Latin-1; `null`: there is none of that name. */
  readonly xattrs: ReadonlyMap<string, Uint8Array | null>;
}

interface Entry extends KnownInode {
  attributes: Attributes | undefined;
  target: Uint8Array | undefined;
  xattrNames: readonly Uint8Array[] | undefined;
  readonly xattrs: Map<string, Uint8Array | null>;
}

/** What is known of inodes; whatever was used longest ago gives way. */
export class InodeCache {
  readonly #countMax: number;
  readonly #entries = new Map<InodeNumber, Entry>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  get count(): number {
    return this.#entries.size;
  }

  get(ino: InodeNumber): KnownInode | undefined {
    const entry = this.#entries.get(ino);
    if (entry === undefined) return undefined;
    this.#entries.delete(ino);
    this.#entries.set(ino, entry);
    return entry;
  }

  /** To be filled in. */
  at(ino: InodeNumber): Entry {
    const known = this.#entries.get(ino);
    if (known !== undefined) return known;
    const entry: Entry = {
      attributes: undefined,
      target: undefined,
      xattrNames: undefined,
      xattrs: new Map(),
    };
    this.#entries.set(ino, entry);
    if (this.#entries.size > this.#countMax) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    return entry;
  }

  /** What else is known stays. */
  forgetAttributes(ino: InodeNumber): void {
    const entry = this.#entries.get(ino);
    if (entry !== undefined) entry.attributes = undefined;
  }

  forget(ino: InodeNumber): void {
    this.#entries.delete(ino);
  }

  clear(): void {
    this.#entries.clear();
  }
}
