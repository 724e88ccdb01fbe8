import { fromLatin1, toLatin1 } from "../../base/index.js";
import {
  type Attributes,
  type Coherence,
  type DirectoryEntry,
  type Entries,
  type InodeNumber,
  type InvalidItem,
  isDirectory,
  MODE_TYPE,
  NAME_BYTES_MAX,
} from "../../meta/index.js";
import type { Prediction } from "./early-predictions.js";
import { InodeCache, type KnownInode } from "./inode-cache.js";
import { KeptNames } from "./kept-names.js";
import type { OwnChange } from "./own-changes.js";
import { SoleInodes } from "./sole-inodes.js";

/** What is asked at this moment. Its answer is kept only if nothing came in between that makes it doubtful. */
export interface Asked {
  readonly since: number;
}

/** A mutation of this session under way. What it may change is neither answered from here nor kept. */
export interface ChangeUnderWay extends Asked {
  readonly change: OwnChange;
  /** It may concern any inode. */
  isWild: boolean;
}

export interface CacheLimits {
  readonly inodesMax: number;
  readonly namesMax: number;
}

/** Some 100 MB when all of it is used. */
export const CACHE_LIMITS: CacheLimits = { inodesMax: 100_000, namesMax: 200_000 };

/** So many names at most are put in order for a listing that was never asked for. */
const SORTED_MAX = 4096;
/** What is spoiled while something is asked: beyond that everything is. */
const SPOILED_MAX = 10_000;
const XATTRS_MAX = 32;
const XATTR_BYTES_MAX = 4096;

/**
 * Names and attributes as the MDS told them, and that they are not there. The MDS has untrue things dropped here before
 * it lets anybody see the change, so that whatever is in here is true, as long as the session is.
 *
 * Answers and invalidations cross: every invalidation spoils its keys for what was asked before it. Changes of this
 * session are not pushed to it: their keys are closed from before they are sent until they are answered, and the answer
 * says what is true now.
 */
export class MetadataCache {
  readonly #inodes: InodeCache;
  readonly #names: KeptNames;
  #epoch = 1;
  /** Asked before it: nothing of it is kept. */
  #floor = 0;
  readonly #spoiled = new Map<string, number>();
  #askedCount = 0;
  readonly #closed = new Map<string, number>();
  readonly #changes = new Set<ChangeUnderWay>();
  /** Those that may concern any inode. */
  #wildCount = 0;
  readonly #alone = new SoleInodes();

  constructor(limits: CacheLimits = CACHE_LIMITS) {
    this.#inodes = new InodeCache(limits.inodesMax);
    this.#names = new KeptNames(limits.namesMax);
  }

  /** For tests and statistics. */
  get counts(): { readonly inodes: number; readonly names: number } {
    return { inodes: this.#inodes.count, names: this.#names.count };
  }

  /** To be followed by `answered`, whatever comes of it. */
  ask(): Asked {
    this.#askedCount++;
    return { since: this.#epoch };
  }

  /** What was asked is over; its answer was kept before. */
  answered(): void {
    this.#askedCount--;
    if (this.#askedCount === 0) this.#spoiled.clear();
  }

  inode(ino: InodeNumber): KnownInode | undefined {
    if (this.#wildCount > 0 || (this.#closed.size > 0 && !this.#isOpen(inodeKey(ino)))) return undefined;
    return this.#inodes.get(ino);
  }

  attributes(ino: InodeNumber): Attributes | undefined {
    return this.inode(ino)?.attributes;
  }

  /** What a name stands for: `null` if there is no such name; undefined: not known here. */
  entry(directory: InodeNumber, name: Uint8Array, nowMs: number): InodeNumber | null | undefined {
    const text = toLatin1(name);
    if (this.#closed.size > 0 && !this.#isOpen(nameKey(directory, text))) return undefined;
    const known = this.#names.get(directory, text, nowMs);
    if (known !== undefined || name.length > NAME_BYTES_MAX || !this.#isComplete(directory)) return known;
    this.#names.use(directory, nowMs);
    return null;
  }

  /** A page of a directory, as it was answered or because all names are known; with attributes only if all of them are known. */
  listing(
    directory: InodeNumber,
    { after, limit }: Page,
    withAttributes: boolean,
    nowMs: number,
  ): Entries | undefined {
    if (!this.#isOpen(pageKey(directory))) return undefined;
    const known = this.#names.page(directory, pageName({ after, limit }), nowMs);
    if (known === undefined) return this.#allNames(directory, { after, limit }, nowMs);
    if (!withAttributes) return known;
    const entries: DirectoryEntry[] = [];
    for (const entry of known.entries) {
      const attributes = this.attributes(entry.ino);
      if (attributes === undefined) return undefined;
      entries.push({ attributes, ...entry });
    }
    return { entries, isEnd: known.isEnd };
  }

  keepAttributes(asked: Asked, attributes: Attributes): void {
    if (this.#mayKeepInode(asked, attributes.ino)) this.#putAttributes(attributes);
  }

  keepEntry(
    asked: Asked,
    directory: InodeNumber,
    name: Uint8Array,
    ino: InodeNumber | null,
    nowMs: number,
  ): void {
    const text = toLatin1(name);
    if (this.#mayKeepName(asked, directory, text)) this.#names.put(directory, text, ino, nowMs);
  }

  /** Attributes of `fleeting` inodes are not kept. */
  keepListing(
    asked: Asked,
    directory: InodeNumber,
    page: Page,
    { entries, isEnd }: Entries,
    fleeting: readonly InodeNumber[],
    nowMs: number,
  ): void {
    const bare: DirectoryEntry[] = [];
    for (const { name, ino, mode, attributes } of entries) {
      bare.push({ name, ino, mode });
      if (attributes === undefined) continue;
      this.keepEntry(asked, directory, name, ino, nowMs);
      if (!fleeting.includes(ino)) this.keepAttributes(asked, attributes);
    }
    const isSpoiled =
      !this.#mayKeep(asked, pageKey(directory)) || !this.#mayKeep(asked, directoryKey(directory));
    if (!isSpoiled) this.#names.putPage(directory, pageName(page), { entries: bare, isEnd }, nowMs);
  }

  keepTarget(asked: Asked, ino: InodeNumber, target: Uint8Array): void {
    if (this.#mayKeep(asked, inodeKey(ino))) this.#inodes.at(ino).target = target;
  }

  keepXattrNames(asked: Asked, ino: InodeNumber, names: readonly Uint8Array[]): void {
    if (this.#mayKeep(asked, inodeKey(ino))) this.#inodes.at(ino).xattrNames = names;
  }

  /** `null`: there is no such attribute. */
  keepXattr(asked: Asked, ino: InodeNumber, name: Uint8Array, value: Uint8Array | null): void {
    if (!this.#mayKeep(asked, inodeKey(ino)) || (value?.length ?? 0) > XATTR_BYTES_MAX) return;
    const entry = this.#inodes.at(ino);
    entry.xattrs ??= new Map();
    if (entry.xattrs.size < XATTRS_MAX) entry.xattrs.set(toLatin1(name), value);
  }

  /** The MDS says that nobody else knows anything of these. */
  keepSole(asked: Asked, inos: readonly InodeNumber[]): void {
    for (const ino of inos) if (this.#mayKeep(asked, soleKey(ino))) this.#alone.add(ino);
  }

  /** This session is alone with it, and nothing that it does now is in doubt. */
  isSole(ino: InodeNumber): boolean {
    return this.#alone.has(ino);
  }

  /** A change of ours was answered before the MDS has heard of it. To be followed by `confirm`. */
  foretell({ inodes, gone, names, created, target }: Prediction, nowMs: number): void {
    this.#epoch++;
    for (const { directory, name, ino } of names) {
      this.#dropName(directory, toLatin1(name));
      this.#names.put(directory, toLatin1(name), ino, nowMs);
    }
    for (const ino of gone) {
      this.#spoilInode(ino, false);
      this.#alone.delete(ino);
      this.#alone.changed(ino);
    }
    for (const attributes of inodes) {
      this.#spoilInode(attributes.ino, true);
      this.#putAttributes(attributes);
      this.#alone.changed(attributes.ino);
    }
    if (created !== undefined) this.#alone.add(created);
    if (created !== undefined && target !== undefined) this.#inodes.at(created).target = target;
  }

  /** The MDS has carried it out, or never will. */
  confirm({ inodes, gone }: Prediction): void {
    for (const ino of gone) this.#alone.confirmed(ino);
    for (const { ino } of inodes) this.#alone.confirmed(ino);
  }

  /** The MDS may not know the inode, or names in the directory, as they are known here. */
  isUnconfirmed(ino: InodeNumber): boolean {
    return this.#alone.isUnconfirmed(ino);
  }

  get isAllConfirmed(): boolean {
    return this.#alone.isAllConfirmed;
  }

  /** The MDS says that this is not true any more. True: this session was alone with some of it. */
  invalidate(items: readonly InvalidItem[]): boolean {
    this.#epoch++;
    let wasSole = false;
    for (const item of items) {
      if (this.#alone.delete(item.ino) || item.kind === "sole") wasSole = true;
      this.#spoil(soleKey(item.ino));
      this.#drop(item);
      this.#unsettle(item);
    }
    return wasSole;
  }

  /**
   * Gives directories up that nobody here has asked about for `idleMs`, longer than a kernel was told to believe
   * anything: the MDS need not tell us of their names any more. Not while anything is asked, which may be of them.
   */
  release(items: readonly InvalidItem[], nowMs: number, idleMs: number): InodeNumber[] {
    if (this.#askedCount > 0) return [];
    const released = new Set<InodeNumber>();
    for (const { kind, ino } of items) {
      if (kind !== "entry" && kind !== "entries") continue;
      if (this.isSole(ino) || this.isUnconfirmed(ino)) continue;
      if (this.#names.usedMs(ino) + idleMs < nowMs) released.add(ino);
    }
    for (const directory of released) {
      this.#names.forget(directory);
      // From how many names it has and that we know as many we would conclude which there are not.
      this.#inodes.forgetAttributes(directory);
    }
    return [...released];
  }

  /** Nothing is known any more, and nothing that was asked before will be. */
  forgetAll(): void {
    this.#floor = ++this.#epoch;
    this.#inodes.clear();
    this.#names.clear();
    this.#spoiled.clear();
    this.#alone.clear();
  }

  /** A mutation is about to be sent. To be followed by `endChange`. */
  beginChange(change: OwnChange): ChangeUnderWay {
    for (const key of keysOf(change)) this.#closed.set(key, (this.#closed.get(key) ?? 0) + 1);
    if (change.isWild) this.#wildCount++;
    const underWay = { change, isWild: change.isWild, ...this.ask() };
    this.#changes.add(underWay);
    return underWay;
  }

  /** It was answered, and changed these names; or it failed or its outcome is unknown, without `coherence`. */
  endChange(
    underWay: ChangeUnderWay,
    coherence: Coherence | undefined,
    names: readonly OwnName[],
    nowMs: number,
  ): void {
    const { since, change } = underWay;
    for (const key of keysOf(change)) this.#open(key);
    this.#changes.delete(underWay);
    if (underWay.isWild) this.#wildCount--;
    // What others changed meanwhile was pushed before this answer.
    const changed = (coherence?.changed ?? []).filter(({ ino }) => this.#mayKeepInode({ since }, ino));
    const kept = names.filter(({ directory, name }) =>
      this.#mayKeepName({ since }, directory, toLatin1(name)),
    );
    this.#epoch++;
    for (const item of coherence?.dropped ?? []) this.#drop(item);
    for (const ino of change.inos) this.#spoilInode(ino, coherence !== undefined && change.keepsXattrs);
    for (const { directory, name } of change.names) this.#dropName(directory, toLatin1(name));
    if (coherence !== undefined) {
      for (const attributes of changed) this.#putAttributes(attributes);
      for (const { directory, name, ino } of kept) this.#names.put(directory, toLatin1(name), ino, nowMs);
      this.keepSole({ since }, coherence.sole);
    }
    this.answered();
  }

  /** As many of its names are known as it has: the MDS tells us of the names of each directory whose attributes we know. */
  #isComplete(directory: InodeNumber): boolean {
    const attributes = this.attributes(directory);
    if (attributes === undefined || !isDirectory(attributes.mode)) return false;
    return attributes.sizeBytes === this.#names.presentCount(directory);
  }

  #allNames(directory: InodeNumber, { after, limit }: Page, nowMs: number): Entries | undefined {
    if (!this.#isComplete(directory) || this.#names.presentCount(directory) > SORTED_MAX) return undefined;
    this.#names.use(directory, nowMs);
    const countMax = limit === 0 ? SORTED_MAX : limit;
    const found = this.#names.present(directory, toLatin1(after), countMax + 1);
    const entries: DirectoryEntry[] = [];
    for (const [text, ino] of found.slice(0, countMax)) {
      const attributes = this.attributes(ino);
      if (attributes === undefined || !this.#isOpen(nameKey(directory, text))) return undefined;
      entries.push({ name: fromLatin1(text), ino, mode: attributes.mode & MODE_TYPE, attributes });
    }
    return { entries, isEnd: found.length <= countMax };
  }

  /** A name that a change of ours is about stands for something else now, and so may the change. */
  #unsettle({ kind, ino, name }: InvalidItem): void {
    if (kind !== "entry" && kind !== "entries") return;
    const text = toLatin1(name);
    for (const underWay of this.#changes) {
      if (underWay.isWild) continue;
      const { names } = underWay.change;
      const isAbout = names.some(
        (about) => about.directory === ino && (kind === "entries" || toLatin1(about.name) === text),
      );
      if (!isAbout) continue;
      underWay.isWild = true;
      this.#wildCount++;
    }
  }

  #putAttributes(attributes: Attributes): void {
    this.#inodes.at(attributes.ino).attributes = attributes;
  }

  #drop({ kind, ino, name }: InvalidItem): void {
    switch (kind) {
      case "inode":
      case "contents":
        this.#spoilInode(ino, false);
        return;
      case "entry":
        this.#dropName(ino, toLatin1(name));
        return;
      case "entries":
        this.#names.forget(ino);
        this.#spoil(directoryKey(ino));
        this.#spoilInode(ino, true);
        return;
      case "sole":
        return;
    }
  }

  #spoilInode(ino: InodeNumber, keepsXattrs: boolean): void {
    if (keepsXattrs) this.#inodes.forgetAttributes(ino);
    else this.#inodes.forget(ino);
    if (this.#askedCount > 0) this.#spoil(inodeKey(ino));
  }

  #dropName(directory: InodeNumber, text: string): void {
    this.#names.drop(directory, text);
    if (this.#askedCount === 0) return;
    this.#spoil(nameKey(directory, text));
    this.#spoil(pageKey(directory));
  }

  #spoil(key: string): void {
    if (this.#askedCount === 0) return;
    this.#spoiled.set(key, this.#epoch);
    if (this.#spoiled.size <= SPOILED_MAX) return;
    this.#spoiled.clear();
    this.#floor = this.#epoch;
  }

  #isOpen(key: string): boolean {
    return !this.#closed.has(key);
  }

  #open(key: string): void {
    const count = this.#closed.get(key) ?? 0;
    if (count > 1) this.#closed.set(key, count - 1);
    else this.#closed.delete(key);
  }

  #mayKeep({ since }: Asked, key: string): boolean {
    if (since < this.#floor || (this.#spoiled.get(key) ?? 0) > since) return false;
    return this.#isOpen(key) && (this.#wildCount === 0 || !key.startsWith("i"));
  }

  /** What the MDS says of one that it does not know as it is known here is older. */
  #mayKeepInode(asked: Asked, ino: InodeNumber): boolean {
    return (this.#mayKeepAll(asked) || this.#mayKeep(asked, inodeKey(ino))) && !this.isUnconfirmed(ino);
  }

  #mayKeepName(asked: Asked, directory: InodeNumber, text: string): boolean {
    if (this.#mayKeepAll(asked)) return true;
    return this.#mayKeep(asked, nameKey(directory, text)) && this.#mayKeep(asked, directoryKey(directory));
  }

  /** Nothing came in between, as mostly: no key needs to be made. */
  #mayKeepAll({ since }: Asked): boolean {
    const isQuiet = this.#spoiled.size === 0 && this.#closed.size === 0 && this.#wildCount === 0;
    return isQuiet && since >= this.#floor;
  }
}

/** What a name stands for after a change of ours. */
export interface OwnName {
  readonly directory: InodeNumber;
  readonly name: Uint8Array;
  /** `null`: there is no such name any more. */
  readonly ino: InodeNumber | null;
}

/** What is asked of a directory: so many names that come after that one, or as many as are told at a time if `limit` is 0. */
export interface Page {
  readonly after: Uint8Array;
  readonly limit: number;
}

const pageName = ({ after, limit }: Page): string => `${limit} ${toLatin1(after)}`;

/** Of being alone with it. */
const soleKey = (ino: InodeNumber): string => `s${ino}`;
const inodeKey = (ino: InodeNumber): string => `i${ino}`;
const nameKey = (directory: InodeNumber, text: string): string => `n${directory}/${text}`;
/** Of the listing of a directory. */
const pageKey = (directory: InodeNumber): string => `p${directory}`;
/** Of all names of a directory. */
const directoryKey = (directory: InodeNumber): string => `d${directory}`;

function keysOf({ inos, names }: OwnChange): string[] {
  const keys = inos.map(inodeKey);
  for (const { directory, name } of names) keys.push(nameKey(directory, toLatin1(name)), pageKey(directory));
  return keys;
}
