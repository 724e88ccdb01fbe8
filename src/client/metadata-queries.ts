import { failureOf, storageError, toLatin1 } from "../base/index.js";
import {
  type Attributes,
  type Entries,
  type InodeNumber,
  isSymlink,
  type MetadataQuery,
  type MetadataReply,
  ROOT_INODE,
  XATTR_NAME_BYTES_MAX,
} from "../meta/index.js";
import { type CoherentCache, isDots } from "./coherent-cache.js";
import type { Asked, MetadataCache } from "./core/metadata-cache.js";
import { componentsOf } from "./core/paths.js";
import { ListingAhead } from "./listing-ahead.js";
import { bodyOf } from "./replies.js";
import type { WaitOptions } from "./waiting.js";

/** Asks the MDS. */
export type Ask = (query: MetadataQuery, options: WaitOptions | undefined) => Promise<MetadataReply>;

/** Questions about names and attributes: answered from the cache, if there is one and it knows. */
export class MetadataQueries {
  readonly #ask: Ask;
  readonly #cache: CoherentCache | undefined;
  readonly #ahead = new ListingAhead((ino, after, limit) => this.readDirectory(ino, after, limit, true));

  constructor(ask: Ask, cache: CoherentCache | undefined) {
    this.#ask = ask;
    this.#cache = cache;
  }

  /** Without asking; null: there is none of that name, undefined: that is not known. */
  knownEntry(parent: InodeNumber, name: Uint8Array): Attributes | null | undefined {
    const known = isDots(name) ? undefined : this.#cache?.known;
    const ino = known?.entry(parent, name, this.#cache?.nowMs ?? 0);
    return ino && known?.attributes(ino);
  }

  async lookup(parent: InodeNumber, name: Uint8Array, options?: WaitOptions): Promise<Attributes> {
    const found = this.knownEntry(parent, name);
    if (found === null) throw storageError("not_found");
    if (found !== undefined) return found;
    const cache = isDots(name) ? undefined : this.#cache;
    const query = { type: "lookup", body: { parent, name } } as const;
    if (cache === undefined) return attributesIn(await this.#ask(query, options));
    this.#ahead.missed(parent, this.knownAttributes(parent)?.sizeBytes);
    return await cache.asking(async (asked, kept) => {
      try {
        const reply = await this.#ask(query, options);
        const found = attributesIn(reply);
        kept.keepEntry(asked, parent, name, found.ino, cache.nowMs);
        keepEntryReply(kept, asked, reply);
        kept.keepSole(asked, reply.coherence?.sole ?? []);
        return found;
      } catch (error) {
        if (failureOf(error)?.code === "not_found") kept.keepEntry(asked, parent, name, null, cache.nowMs);
        throw error;
      }
    });
  }

  /** Without asking; undefined: they are not known. */
  knownAttributes(ino: InodeNumber): Attributes | undefined {
    return this.#cache?.known?.attributes(ino);
  }

  async getAttributes(ino: InodeNumber, options?: WaitOptions): Promise<Attributes> {
    return (
      this.knownAttributes(ino) ??
      attributesIn(await this.#entry({ type: "getAttributes", body: { ino } }, options))
    );
  }

  async resolvePath(
    path: Uint8Array,
    followLast: boolean,
    mayBeStale: boolean,
    options?: WaitOptions,
  ): Promise<Attributes> {
    const query = { type: "resolvePath", body: { path, followLast, mayBeStale } } as const;
    if (this.#cache === undefined || mayBeStale) return attributesIn(await this.#ask(query, options));
    const cache = this.#cache;
    const found = walk(cache, path, followLast);
    if (found !== undefined) return found;
    await this.#learnPath(cache, path, options);
    return walk(cache, path, followLast) ?? attributesIn(await this.#entry(query, options));
  }

  async readDirectory(
    ino: InodeNumber,
    after: Uint8Array,
    limit: number,
    withAttributes: boolean,
    options?: WaitOptions,
  ): Promise<Entries> {
    const cache = this.#cache;
    const page = { after, limit };
    const known = cache?.known?.listing(ino, page, withAttributes, cache.nowMs);
    if (known !== undefined) return known;
    const query = { type: "readDirectory", body: { ino, after, limit, withAttributes } } as const;
    if (cache === undefined) return bodyOf(await this.#ask(query, options), "entries");
    return await cache.asking(async (asked, kept) => {
      const reply = await this.#ask(query, options);
      const entries = bodyOf(reply, "entries");
      kept.keepListing(asked, ino, page, entries, reply.coherence?.fleeting ?? [], cache.nowMs);
      kept.keepSole(asked, reply.coherence?.sole ?? []);
      return entries;
    });
  }

  async readSymlink(ino: InodeNumber, options?: WaitOptions): Promise<Uint8Array> {
    const known = this.#cache?.known?.inode(ino)?.target;
    if (known !== undefined) return known;
    return await this.#asking({ type: "readSymlink", body: { ino } }, options, (reply, asked, kept) => {
      const { value } = bodyOf(reply, "value");
      kept?.keepTarget(asked, ino, value);
      return value;
    });
  }

  /** Undefined: there is none of that name, which `ls -l` asks of every file. */
  async findXattr(
    ino: InodeNumber,
    name: Uint8Array,
    options?: WaitOptions,
  ): Promise<Uint8Array | undefined> {
    const known = this.knownXattr(ino, name);
    if (known !== undefined) return known ?? undefined;
    const query = { type: "getXattr", body: { ino, name } } as const;
    const ask = async (): Promise<Uint8Array | undefined> => {
      try {
        return bodyOf(await this.#ask(query, options), "value").value;
      } catch (error) {
        if (failureOf(error)?.code !== "no_such_attribute") throw error;
        return undefined;
      }
    };
    if (this.#cache === undefined) return await ask();
    return await this.#cache.asking(async (asked, kept) => {
      const value = await ask();
      kept.keepXattr(asked, ino, name, value ?? null);
      return value;
    });
  }

  /** Without asking; null: there is none, undefined: that is not known. */
  knownXattr(ino: InodeNumber, name: Uint8Array): Uint8Array | null | undefined {
    const kept = this.#cache?.known?.inode(ino)?.xattrs;
    const known = kept?.get(toLatin1(name));
    return known === undefined && isXattrName(name) && this.#hasNoXattrs(ino) ? null : known;
  }

  async listXattrs(ino: InodeNumber, options?: WaitOptions): Promise<readonly Uint8Array[]> {
    const known = this.#cache?.known?.inode(ino)?.xattrNames;
    if (known !== undefined) return known;
    if (this.#hasNoXattrs(ino)) return [];
    return await this.#asking({ type: "listXattrs", body: { ino } }, options, (reply, asked, kept) => {
      const { names } = bodyOf(reply, "xattrNames");
      kept?.keepXattrNames(asked, ino, names);
      return names;
    });
  }

  #hasNoXattrs(ino: InodeNumber): boolean {
    return this.knownAttributes(ino)?.noXattrs === true;
  }

  /** Looks up what is not known of the names on the way. */
  async #learnPath(cache: CoherentCache, path: Uint8Array, options: WaitOptions | undefined): Promise<void> {
    let directory = ROOT_INODE;
    for (const name of componentsOf(path)) {
      if (isDots(name)) return;
      const known = cache.known?.entry(directory, name, cache.nowMs);
      if (known === null) return;
      try {
        directory = known ?? (await this.lookup(directory, name, options)).ino;
      } catch (error) {
        const code = failureOf(error)?.code;
        // What that means for the path the MDS says.
        if (code !== "not_found" && code !== "not_directory" && code !== "name_too_long") throw error;
        return;
      }
    }
  }

  #entry(query: MetadataQuery, options: WaitOptions | undefined): Promise<MetadataReply> {
    return this.#asking(query, options, (reply, asked, kept) => {
      if (kept !== undefined) keepEntryReply(kept, asked, reply);
      kept?.keepSole(asked, reply.coherence?.sole ?? []);
      return reply;
    });
  }

  async #asking<T>(
    query: MetadataQuery,
    options: WaitOptions | undefined,
    take: (reply: MetadataReply, asked: Asked, kept: MetadataCache | undefined) => T,
  ): Promise<T> {
    if (this.#cache === undefined) return take(await this.#ask(query, options), { since: 0 }, undefined);
    return await this.#cache.asking(async (asked, kept) =>
      take(await this.#ask(query, options), asked, kept),
    );
  }
}

/** What is wrong with another one the MDS says. */
const isXattrName = (name: Uint8Array): boolean =>
  name.length > 0 && name.length <= XATTR_NAME_BYTES_MAX && !name.includes(0);

const attributesIn = (reply: MetadataReply): Attributes => bodyOf(reply, "entry").attributes;

function keepEntryReply(kept: MetadataCache, asked: Asked, reply: MetadataReply): void {
  const { attributes } = bodyOf(reply, "entry");
  if (reply.coherence?.fleeting.includes(attributes.ino) === false) kept.keepAttributes(asked, attributes);
}

/**
 * Follows a path through what is known, all in one moment. Undefined if that does not decide it: something is not known,
 * or is a symbolic link or `..`.
 */
function walk(cache: CoherentCache, path: Uint8Array, followLast: boolean): Attributes | undefined {
  const { known, nowMs } = cache;
  if (known === undefined) return undefined;
  let ino = ROOT_INODE;
  for (const name of componentsOf(path)) {
    if (isDots(name)) return undefined;
    const next = known.entry(ino, name, nowMs);
    if (next === null) throw storageError("not_found");
    if (next === undefined) return undefined;
    ino = next;
  }
  const attributes = known.attributes(ino);
  const isUndecided = attributes !== undefined && followLast && isSymlink(attributes.mode);
  return isUndecided ? undefined : attributes;
}
