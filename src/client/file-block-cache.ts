import type { ChunkId, ChunkVersion } from "../chunk/index.js";
import type { Attributes } from "../meta/index.js";
import type { BlockCache } from "./block-cache.js";
import type { KeptBlock } from "./core/block-cache-index.js";
import { CACHE_BLOCK_BYTES } from "./core/block-cache-layout.js";
import { mayKeepHoles } from "./core/lease-rules.js";
import type { KnownChunk } from "./core/map-cache.js";
import type { FileChunks } from "./file-chunks.js";
import type { FileLease } from "./file-lease.js";

/** What it needs of its file. */
export interface CachedFile {
  readonly lease: FileLease;
  readonly chunks: FileChunks;
  readonly chunkBytes: () => number;
  /** From the chunk servers. */
  readonly fetch: (offset: number, lengthBytes: number, signal?: AbortSignal) => Promise<Uint8Array>;
}

/** What one read may take from the cache, and under which conditions. */
interface Terms {
  readonly leaseSequence: number;
  readonly dataVersion: number;
  readonly known: KnownChunk;
  readonly chunkId: ChunkId;
  readonly chunkVersion: ChunkVersion;
}

/** A range on its way from the chunk servers: it is not stored if somebody here writes to it meanwhile. */
interface Fetching {
  readonly begin: number;
  readonly end: number;
  isDisturbed: boolean;
}

/**
 * The read cache as one open file uses it. It never returns a byte that the chunk servers would not return now:
 *
 * - It is used only under a lease that allows to cache: nobody else can write meanwhile.
 * - What others may have written before was written by a session that could write, and whose end the MDS counts in the
 *   file's `dataVersion` before this client can have such a lease. So a block of the same version is as it was.
 * - What the chunk servers agree on after a failure may differ from what they had while a write was unfinished, and after
 *   loss of power from what was not synced. Then the chunk has another version, and the block counts no more.
 * - What this client writes is dropped here when the write has ended, whatever the lease; if its process dies before that
 *   is on the disk, its session ends as that of a writer, and the version of the data moves.
 */
export class FileBlockCache {
  readonly #cache: BlockCache;
  readonly #file: CachedFile;
  readonly #fetching = new Set<Fetching>();
  #dataVersion = 0;
  /** The file's attribute `client-ssd-cache`, and chunks that are whole numbers of blocks. */
  #isAllowed = false;
  /** A write of our own ended unclear: it may still arrive. Nothing is kept until the file is opened anew. */
  #isDoubtful = false;

  constructor(cache: BlockCache, file: CachedFile) {
    this.#cache = cache;
    this.#file = file;
  }

  /** These attributes came with a lease. */
  leaseChanged({ dataVersion = 0, storage }: Attributes): void {
    this.#isAllowed = storage.clientSsdCache && storage.chunkBytes % CACHE_BLOCK_BYTES === 0;
    // An answer that was overtaken tells of an older one.
    this.#dataVersion = Math.max(this.#dataVersion, dataVersion);
    if (this.#isAllowed) this.#cache.fileIsAt(this.#file.chunks.ino, this.#dataVersion);
    else this.#cache.dropFile(this.#file.chunks.ino);
  }

  /** The MDS counted that this client stopped writing. If nothing else was counted, what is here is as it was. */
  writingEnded({ dataVersion = 0 }: Attributes): void {
    if (dataVersion !== this.#dataVersion + 1) return;
    this.#cache.fileMoved(this.#file.chunks.ino, this.#dataVersion, dataVersion);
    this.#dataVersion = dataVersion;
  }

  /** The bytes of the range, from the cache if all of them are there. They are shared: nobody may change them. */
  async read(begin: number, end: number, sizeBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
    const terms = await this.#terms(begin, end, signal);
    if (terms === undefined) return await this.#file.fetch(begin, end - begin, signal);
    const ino = this.#file.chunks.ino;
    const found: KeptBlock[] = [];
    const wanted: number[] = [];
    const last = blockOf(end - 1);
    for (let block = blockOf(begin); block <= last; block++) {
      const kept = this.#cache.find(ino, block, terms);
      const isLongEnough =
        kept !== undefined && kept.lengthBytes >= Math.min(end - startOf(block), CACHE_BLOCK_BYTES);
      if (isLongEnough) found.push(kept);
      else if (this.#cache.isWanted(ino, block)) wanted.push(block);
    }
    if (found.length === last - blockOf(begin) + 1) {
      const bytes = await this.#readKept(found, begin, end, terms);
      if (bytes !== undefined) return bytes;
    }
    if (wanted.length === 0) return await this.#file.fetch(begin, end - begin, signal);
    return await this.#fetchAndStore(begin, end, sizeBytes, wanted, terms, signal);
  }

  /** The bytes of the range are others now, or may be. */
  changed(begin: number, end: number): void {
    this.#cache.drop(this.#file.chunks.ino, blockOf(begin), blockOf(end - 1));
    for (const fetching of this.#fetching) {
      if (fetching.begin < end && begin < fetching.end) fetching.isDisturbed = true;
    }
  }

  /** A write of our own failed, or was given up: it may have been carried out, or be yet. */
  doubt(): void {
    this.#isDoubtful = true;
    this.changed(0, Number.MAX_SAFE_INTEGER);
  }

  /** Undefined if the range cannot be cached. */
  async #terms(begin: number, end: number, signal: AbortSignal | undefined): Promise<Terms | undefined> {
    const { chunks, lease, chunkBytes } = this.#file;
    const index = Math.floor(begin / chunkBytes());
    if (!this.#mayKeep || Math.floor((end - 1) / chunkBytes()) !== index) return undefined;
    const leaseSequence = lease.grant.sequence;
    // Whatever goes wrong there goes wrong for who reads from the servers too, and is told by that.
    const known = chunks.cache.get(index) ?? (await chunks.find(index, signal).catch(() => undefined));
    if (known?.map === undefined || !known.isCurrent) return undefined;
    const { chunkId, version: chunkVersion } = known.map;
    const terms = { leaseSequence, dataVersion: this.#dataVersion, known, chunkId, chunkVersion };
    return this.#isSo(terms) ? terms : undefined;
  }

  get #mayKeep(): boolean {
    const { lease } = this.#file;
    return this.#isAllowed && !this.#isDoubtful && mayKeepHoles(lease.kind) && lease.isReady("read");
  }

  /** Nothing has happened since that could make the bytes others. */
  #isSo({ leaseSequence, known, dataVersion }: Terms): boolean {
    const isSameLease = this.#file.lease.grant.sequence === leaseSequence && this.#mayKeep;
    return isSameLease && known.isCurrent && dataVersion === this.#dataVersion;
  }

  async #readKept(
    found: readonly KeptBlock[],
    begin: number,
    end: number,
    terms: Terms,
  ): Promise<Uint8Array | undefined> {
    const parts = await Promise.all(found.map((kept) => this.#cache.read(kept)));
    if (!this.#isSo(terms)) return undefined;
    const [only] = parts;
    const offset = begin - startOf(blockOf(begin));
    if (parts.length === 1) return only?.subarray(offset, offset + end - begin);
    const result = new Uint8Array(end - begin);
    for (const [i, part] of parts.entries()) {
      if (part === undefined) return undefined;
      const at = startOf(blockOf(begin) + i);
      const from = Math.max(begin, at);
      result.set(part.subarray(from - at, end - at), from - begin);
    }
    return result;
  }

  /** Reads the wanted blocks whole. */
  async #fetchAndStore(
    begin: number,
    end: number,
    sizeBytes: number,
    wanted: readonly number[],
    terms: Terms,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const from = Math.min(begin, startOf(wanted[0] ?? 0));
    const to = Math.max(end, Math.min(sizeBytes, startOf((wanted.at(-1) ?? 0) + 1)));
    const fetching: Fetching = { begin: from, end: to, isDisturbed: false };
    this.#fetching.add(fetching);
    try {
      const bytes = await this.#file.fetch(from, to - from, signal);
      if (!fetching.isDisturbed && this.#isSo(terms)) {
        const { dataVersion, chunkId, chunkVersion } = terms;
        const proof = { dataVersion, chunkId, chunkVersion };
        for (const block of wanted) {
          const part = bytes.subarray(startOf(block) - from, startOf(block + 1) - from);
          this.#cache.store({ ino: this.#file.chunks.ino, block, proof, bytes: part });
        }
      }
      return bytes.subarray(begin - from, end - from);
    } finally {
      this.#fetching.delete(fetching);
    }
  }
}

const blockOf = (offset: number): number => Math.floor(offset / CACHE_BLOCK_BYTES);
const startOf = (block: number): number => block * CACHE_BLOCK_BYTES;
