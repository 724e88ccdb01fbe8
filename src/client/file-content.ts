import { type StorageError, storageError } from "../base/index.js";
import { IO_BYTES_MAX, sliceRange, WRITE_BYTES_MAX } from "../chunk/index.js";
import type { Attributes, WrittenChunk } from "../meta/index.js";
import type { BlockCache } from "./block-cache.js";
import type { CacheListener } from "./cache-listener.js";
import { ChunkIo, type ChunkIoFile, type ChunkIoWorld } from "./chunk-io.js";
import type { InlineImage } from "./core/inline-image.js";
import { ioSlices } from "./core/io-slices.js";
import type { Loan } from "./core/lent-block.js";
import type { SyncTracker } from "./core/sync-tracker.js";
import { FileBlockCache } from "./file-block-cache.js";
import type { FileSize } from "./file-size.js";
import type { LocalFiles } from "./local-files.js";
import { LocalReads } from "./local-reads.js";
import { ReadAhead, type ReadAheadMemory } from "./read-ahead.js";
import { abortable } from "./waiting.js";
import { WriteBehind, type WriteBehindWorld } from "./write-behind.js";

export interface FileContentWorld extends ChunkIoWorld {
  /** What may wait in this client before it is in the cluster. */
  readonly writeBehind: Pick<WriteBehindWorld, "limits" | "room" | "memory">;
  readonly readAhead: ReadAheadMemory;
  readonly blockCache?: BlockCache | undefined;
  /** Of chunk servers on this host, if it can read them. */
  readonly localFiles?: LocalFiles | undefined;
  /** See `CacheListener`. */
  readonly leaseComesDown?: CacheListener["leaseComesDown"] | undefined;
}

/** What the content lends from its file. */
export interface ContentFile extends ChunkIoFile {
  readonly size: FileSize;
  readonly syncs: SyncTracker;
  readonly chunkBytes: () => number;
  readonly image: InlineImage;
}

/** The ways to and from chunks, made when the first byte goes one: small files have none. */
interface ChunkPaths {
  readonly local: LocalReads;
  readonly io: ChunkIo;
  readonly behind: WriteBehind;
  readonly ahead: ReadAhead;
}

/** Of one request that makes zeros. */
const ZERO_BYTES_MAX = 64 << 20;
/** Of a read whose bytes were carried to the cluster while they were fetched from there. */
const TRIES_MAX = 3;

/**
 * The bytes of one open file: what the chunk servers have, with what waits here laid over it. The caller sees to it
 * that nothing that overlaps a write, zeros or a truncation runs beside it.
 */
export class FileContent {
  readonly #world: FileContentWorld;
  readonly #file: ContentFile;
  readonly #kept: FileBlockCache | undefined;
  #paths: ChunkPaths | undefined;

  constructor(world: FileContentWorld, file: ContentFile) {
    this.#world = world;
    this.#file = file;
    if (world.blockCache?.isOn !== true) return;
    const fetch = this.#fetch.bind(this);
    const { lease, chunks, chunkBytes } = file;
    this.#kept = new FileBlockCache(world.blockCache, { lease, chunks, chunkBytes, fetch });
  }

  get #chunked(): ChunkPaths {
    this.#paths ??= this.#makePaths();
    return this.#paths;
  }

  #makePaths(): ChunkPaths {
    const [world, file] = [this.#world, this.#file];
    const { clock, log, servers, localFiles, readAhead } = world;
    const local = new LocalReads({ servers, localFiles, memory: readAhead.spare }, file);
    const behind = new WriteBehind(
      { clock, log, ...world.writeBehind },
      {
        ino: file.chunks.ino,
        store: ({ offset, bytes }, isDurable) =>
          this.#store(offset, bytes, undefined, "writeBack", isDurable).then(({ isFirstTry }) => isFirstTry),
        landed: (begin, end) => this.#changed(begin, end),
      },
    );
    const ahead = new ReadAhead(readAhead, {
      lease: file.lease,
      fetch: (offset, lengthBytes, signal) => this.#fetch(offset, lengthBytes, signal),
    });
    return { local, io: new ChunkIo(world, file, local), behind, ahead };
  }

  /** Nothing that was accepted here is still on its way. */
  get isSettled(): boolean {
    return this.#paths?.behind.isEmpty ?? true;
  }

  /** How often what was accepted could not be stored, and why at last. */
  get writeFailures(): { readonly count: number; readonly last: StorageError | undefined } {
    const behind = this.#paths?.behind;
    return { count: behind?.failureCount ?? 0, last: behind?.lastFailure };
  }

  /**
   * Exactly these bytes; the range lies inside the file. `sizeBytes`, that of the file: others are read ahead of one who
   * reads in sequence, and then the bytes returned are shared and must not be changed; with a loan they are lent.
   */
  async read(
    offset: number,
    lengthBytes: number,
    sizeBytes: number | undefined,
    signal?: AbortSignal,
    loan?: Loan,
  ): Promise<Uint8Array> {
    const end = offset + lengthBytes;
    const { image, lease } = this.#file;
    while (image.isKnown) {
      if (lease.isReady("read")) return image.read(offset, lengthBytes);
      await lease.ready("read", signal);
    }
    for (let attempt = 1; !this.isSettled; attempt++) {
      const gap = this.#chunked.behind.gap(offset, end);
      const result = new Uint8Array(lengthBytes);
      if (gap === undefined) {
        this.#chunked.behind.overlay(result, offset);
        return result;
      }
      // Bytes that leave the buffer meanwhile may or may not be among those that are fetched, or were not asked for.
      const watch = this.#chunked.behind.watch(offset, end);
      try {
        result.set(await this.#stored(gap.begin, gap.end, sizeBytes, signal, loan), gap.begin - offset);
        if (!watch.isDisturbed) {
          this.#chunked.behind.overlay(result, offset);
          return result;
        }
      } finally {
        this.#chunked.behind.unwatch(watch);
      }
      if (attempt % TRIES_MAX === 0) await this.#chunked.behind.drain(offset, end, signal);
    }
    return await this.#stored(offset, end, sizeBytes, signal, loan);
  }

  /**
   * Writes, and makes the new end known where it must be. A buffered write resolves when the bytes were copied, if
   * nobody else has the file open for writing; every other one when all replicas have them.
   */
  async write(offset: number, bytes: Uint8Array, isBuffered: boolean, signal?: AbortSignal): Promise<void> {
    if (await this.#writeSmall(offset, bytes, isBuffered, signal)) return;
    for (let done = 0; done < bytes.length; ) {
      const piece = isBuffered
        ? bytes.subarray(done, done + this.#chunked.behind.pieceAt(offset + done, bytes.length - done))
        : bytes;
      if (!isBuffered || !(await this.#put(offset + done, piece, signal))) {
        await this.#writeThrough(offset + done, bytes.subarray(done), signal);
        return;
      }
      done += piece.length;
    }
  }

  /** What `read` would find, if it is here or on this host, and nobody has to be waited for; else undefined. */
  readAtOnce(
    offset: number,
    lengthBytes: number,
    sizeBytes: number | undefined,
    loan?: Loan,
  ): Uint8Array | undefined {
    const { image, lease } = this.#file;
    if (image.isKnown) return lease.isReady("read") ? image.read(offset, lengthBytes) : undefined;
    const end = offset + lengthBytes;
    if (this.isSettled) return this.#storedAtOnce(offset, end, sizeBytes, loan);
    const gap = this.#chunked.behind.gap(offset, end);
    const stored = gap && this.#storedAtOnce(gap.begin, gap.end, sizeBytes, loan);
    if (gap !== undefined && stored === undefined) return undefined;
    const result = new Uint8Array(lengthBytes);
    if (gap !== undefined && stored !== undefined) result.set(stored, gap.begin - offset);
    this.#chunked.behind.overlay(result, offset);
    return result;
  }

  /** A buffered write for which nothing has to be waited. False: it is for `write`, and nothing was done. */
  writeAtOnce(offset: number, bytes: Uint8Array): boolean {
    const { image, lease, size } = this.#file;
    const end = offset + bytes.length;
    if (bytes.length === 0 || lease.kind !== "exclusive" || !lease.isReady("write")) return false;
    if (image.isKnown) {
      if (!image.fits(end)) return false;
      size.wroteUpTo(end, bytes.length);
      image.write(offset, bytes);
      return true;
    }
    if (this.#chunked.behind.pieceAt(offset, bytes.length) < bytes.length) return false;
    if (!this.#chunked.behind.reserveAtOnce(bytes.length)) return false;
    this.#chunked.behind.put(offset, bytes);
    size.wroteUpTo(end, bytes.length);
    return true;
  }

  /** Makes the range read as zeros; nothing is stored where nothing was. */
  async zero(begin: number, end: number, signal?: AbortSignal): Promise<void> {
    if (await this.#changeImage((image) => image.zero(begin, end), signal)) return;
    await this.#paths?.behind.drain(begin, end, signal);
    const slices = sliceRange(begin, end - begin, this.#file.chunkBytes(), ZERO_BYTES_MAX);
    await allDone(
      slices.map(async (slice) => {
        if (await this.#chunked.io.zero(slice, signal)) this.#file.syncs.wrote(slice.index);
      }),
    )
      .catch((error) => this.#unclear(error))
      .finally(() => this.#changed(begin, end));
  }

  /** What was accepted for the range before the call has arrived, or could not be stored. */
  async drain(begin: number, end: number, signal?: AbortSignal): Promise<void> {
    if (!this.isSettled) await this.#chunked.behind.drain(begin, end, signal);
  }

  /** Everything accepted before the call survives the loss of power everywhere. */
  async sync(signal?: AbortSignal): Promise<void> {
    await this.#paths?.behind.drainDurably(signal);
    const { syncs } = this.#file;
    await allDone(
      syncs.pending().map(async (unsynced) => {
        await this.#chunked.io.sync(unsynced.index, signal);
        syncs.synced(unsynced);
      }),
    );
  }

  /** Where data, or a hole, begin in a range of the file; its end if nowhere. */
  async seek(what: "data" | "hole", begin: number, end: number, signal?: AbortSignal): Promise<number> {
    const { image, lease } = this.#file;
    while (image.isKnown) {
      if (lease.isReady("read")) return Math.min(end, image.seek(what, begin) ?? end);
      await lease.ready("read", signal);
    }
    await this.drain(begin, end, signal);
    const chunkBytes = this.#file.chunkBytes();
    for (let at = begin; at < end; ) {
      const index = Math.floor(at / chunkBytes);
      const isHole = what === "hole";
      const found = await this.#chunked.io.seek(index, at % chunkBytes, isHole, signal);
      if (found === undefined && isHole) return at;
      if (found !== undefined && found < chunkBytes) return Math.min(end, index * chunkBytes + found);
      at = (index + 1) * chunkBytes;
    }
    return end;
  }

  /** The lease is lost: what was accepted and has not arrived never will. */
  drop(failure: StorageError): void {
    if (!this.isSettled) this.#kept?.doubt();
    if (this.#file.image.forget()) this.#chunked.behind.lost(failure);
    this.#paths?.behind.drop(failure);
  }

  /** The file was cut there, or made longer: what was read ahead beyond is not so any more. */
  cut(sizeBytes: number): void {
    this.#file.image.cut(sizeBytes);
    this.#changed(sizeBytes, Number.MAX_SAFE_INTEGER);
  }

  /** These attributes came with a lease. */
  leaseChanged(attributes: Attributes): void {
    this.#kept?.leaseChanged(attributes);
  }

  /** The last handle that could write was closed, and so the MDS says. */
  writingEnded(attributes: Attributes): void {
    this.#kept?.writingEnded(attributes);
  }

  /** Nothing that was read under the lease before is kept. */
  forgetReads(): void {
    this.#paths?.ahead.forgetAll();
    this.#paths?.local.forgetAll();
  }

  /** No timer may be left. */
  dispose(): void {
    this.#paths?.ahead.forgetAll();
    this.#paths?.behind.dispose();
  }

  /** The contents are not kept here any more; the MDS has them. */
  async leaveImage(): Promise<void> {
    const { image, size, lease, chunks } = this.#file;
    while (image.isDirty && lease.kind === "exclusive") await size.report();
    if (!image.isKnown) return;
    image.forget();
    // That nothing is in any chunk, as somebody was told before what was written here, does not mean that there are zeros.
    chunks.cache.forgetFrom(0);
  }

  /** Writes into contents that are kept here; false if they are not, or not any more because they grow. */
  async #writeSmall(
    offset: number,
    bytes: Uint8Array,
    isBuffered: boolean,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { image, size, lease } = this.#file;
    const end = offset + bytes.length;
    if (bytes.length === 0) return true;
    const change = (): number => {
      size.wroteUpTo(end, bytes.length);
      return image.write(offset, bytes);
    };
    while (image.isKnown) {
      if (!image.fits(end)) {
        await abortable(this.leaveImage(), signal);
        return false;
      }
      if (!isBuffered) return await this.#changeImage(change, signal);
      if (!lease.isReady("write")) await lease.ready("write", signal);
      // From here on nothing is awaited: a recall finds the change either not made, or here.
      else if (lease.kind !== "exclusive") return false;
      else {
        change();
        return true;
      }
    }
    return false;
  }

  /** Changes contents that are kept here, and resolves when the MDS has the change. False if they are not kept here. */
  async #changeImage(
    change: (image: InlineImage) => number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { image, size, lease } = this.#file;
    while (image.isKnown) {
      await lease.ready("write", signal);
      if (!image.isKnown || lease.kind !== "exclusive") return false;
      if (!lease.tryEnterWrite("write")) continue;
      const mark = change(image);
      // Not given up while it is on its way, as with every write.
      await abortable(
        size.report().finally(() => lease.leaveWrite()),
        signal,
      );
      if (!image.isTold(mark)) throw storageError("lease_lost", "the lease was lost during a write");
      return true;
    }
    return false;
  }

  /** False if the lease does not allow to keep it here. */
  async #put(offset: number, piece: Uint8Array, signal: AbortSignal | undefined): Promise<boolean> {
    const { lease, size } = this.#file;
    for (;;) {
      if (!lease.isReady("write")) await lease.ready("write", signal);
      // A lease that came meanwhile may have brought the contents.
      if (lease.kind !== "exclusive" || this.#file.image.isKnown) return false;
      const waiting = this.#chunked.behind.reserve(piece.length, signal);
      if (waiting !== undefined) await waiting;
      // From here on nothing is awaited: a recall finds the bytes either not here, or in the buffer.
      if (lease.isReady("write") && lease.kind === "exclusive" && !this.#file.image.isKnown) {
        this.#chunked.behind.put(offset, piece);
        size.wroteUpTo(offset + piece.length, piece.length);
        return true;
      }
      this.#chunked.behind.giveUp(piece.length);
    }
  }

  async #writeThrough(offset: number, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    await this.drain(offset, offset + bytes.length, signal);
    const end = offset + bytes.length;
    const stored = await this.#store(offset, bytes, signal, "write").finally(() =>
      this.#changed(offset, end),
    );
    await this.#file.size.noteWritten(end, signal, bytes.length, stored.written);
  }

  /** `isFirstTry`: each message was sent once only, nobody will look at the bytes any more. */
  async #store(
    offset: number,
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
    use: "write" | "writeBack",
    isDurable = false,
  ): Promise<{ readonly isFirstTry: boolean; readonly written: readonly WrittenChunk[] }> {
    const { syncs } = this.#file;
    const messageBytesMax = this.#world.level.has("longWrites") ? WRITE_BYTES_MAX : IO_BYTES_MAX;
    const all = await allDone(
      ioSlices(offset, bytes.length, this.#file.chunkBytes(), messageBytesMax).map(async (slice) => {
        const part = bytes.subarray(slice.offsetInRequest, slice.offsetInRequest + slice.lengthBytes);
        const mark = syncs.markOf(slice.index);
        const sent = await this.#chunked.io.write(slice, part, signal, use, isDurable);
        // What was acknowledged meanwhile may have come to the servers later than this.
        const isCovered = isDurable && syncs.markOf(slice.index) === mark;
        if (!isCovered) syncs.wrote(slice.index);
        else if (mark !== undefined) syncs.synced({ index: slice.index, mark });
        return { endBytes: offset + slice.offsetInRequest + slice.lengthBytes, ...sent };
      }),
    ).catch((error) => this.#unclear(error));
    return { isFirstTry: all.every(({ isFirstTry }) => isFirstTry), written: all };
  }

  /** The bytes of the range are others now. */
  #changed(begin: number, end: number): void {
    this.#paths?.ahead.changed(begin, end);
    this.#paths?.local.changed(begin, end);
    this.#kept?.changed(begin, end);
  }

  /** A change that failed, or was given up, may have been carried out, or be yet. */
  #unclear(error: unknown): never {
    this.#kept?.doubt();
    throw error;
  }

  /** As the chunk servers have it, or had it when it was read and nobody could change it since. */
  async #stored(
    begin: number,
    end: number,
    sizeBytes: number | undefined,
    signal: AbortSignal | undefined,
    loan: Loan | undefined,
  ): Promise<Uint8Array> {
    if (sizeBytes !== undefined && end > begin) {
      const found = await this.#chunked.ahead.read(begin, end, sizeBytes, signal, loan);
      if (found !== undefined) return found;
      if (this.#kept !== undefined) return await this.#kept.read(begin, end, sizeBytes, signal);
    }
    return await this.#fetch(begin, end - begin, signal);
  }

  #storedAtOnce(
    begin: number,
    end: number,
    sizeBytes: number | undefined,
    loan: Loan | undefined,
  ): Uint8Array | undefined {
    // What is kept on a disk of this host is looked after by `read`.
    if (this.#kept !== undefined || end <= begin) return undefined;
    const found =
      sizeBytes === undefined ? undefined : this.#chunked.ahead.readAtOnce(begin, end, sizeBytes, loan);
    if (found !== undefined) return found === "wait" ? undefined : found;
    const [slice, other] = ioSlices(begin, end - begin, this.#file.chunkBytes(), IO_BYTES_MAX);
    return slice === undefined || other !== undefined ? undefined : this.#chunked.io.readAtOnce(slice);
  }

  /** As the chunk servers have it. */
  async #fetch(offset: number, lengthBytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const slices = ioSlices(offset, lengthBytes, this.#file.chunkBytes(), IO_BYTES_MAX);
    const parts = await allDone(slices.map((slice) => this.#chunked.io.read(slice, signal)));
    const [only] = parts;
    if (parts.length === 1 && only !== undefined) return only;
    const result = new Uint8Array(lengthBytes);
    slices.forEach((slice, i) => {
      const part = parts[i];
      if (part !== undefined) result.set(part, slice.offsetInRequest);
    });
    return result;
  }
}

/** All outcomes, or the first failure, but not before everything has ended: what was begun is still under the lock. */
async function allDone<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results: T[] = [];
  for (const outcome of await Promise.allSettled(promises)) {
    if (outcome.status === "rejected") throw outcome.reason;
    results.push(outcome.value);
  }
  return results;
}
