import { failureOf, storageError } from "../base/index.js";
import {
  BLOCK_BYTES,
  type ChainMember,
  type ChunkRequest,
  type ChunkSlice,
  REGION_BYTES,
} from "../chunk/index.js";
import type { ChunkClients } from "./chunk-client.js";
import { LocalSums, type LocatedBlocks, matchesSums } from "./core/local-sums.js";
import type { SlotMemory } from "./core/slot-memory.js";
import type { MappedChunk } from "./file-chunks.js";
import type { FileLease } from "./file-lease.js";
import type { LocalFiles } from "./local-files.js";

export interface LocalReadsWorld {
  readonly servers: ChunkClients;
  /** Undefined: every byte comes from a server. */
  readonly localFiles: LocalFiles | undefined;
  /** To read into, for whoever gives it back or not. */
  readonly memory: Pick<SlotMemory, "spare">;
}

/** What it lends from its file. */
export interface LocalReadsFile {
  readonly lease: FileLease;
  readonly chunkBytes: () => number;
}

/** For an answer with checksums. */
const LOCATE_MS = 10_000;
const NOTHING = new Uint8Array(0);

/**
 * Reads one file's chunks from the data files of servers on this host. The server says what checksums the blocks have, after
 * it has waited for writes that are not acknowledged; bytes that match them are the right ones, whatever else goes on in the
 * data file, and whichever file it is. All others are left to the server. Under a lease that keeps other writers away the
 * checksums are kept, so that reading again costs the server nothing.
 */
export class LocalReads {
  readonly #world: LocalReadsWorld;
  readonly #file: LocalReadsFile;
  readonly #sums = new LocalSums();

  constructor(world: LocalReadsWorld, file: LocalReadsFile) {
    this.#world = world;
    this.#file = file;
  }

  /** The bytes, or undefined if the server must be asked for them. */
  async read(
    member: ChainMember,
    known: MappedChunk,
    { offsetInChunk, lengthBytes }: ChunkSlice,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | undefined> {
    const { localFiles, memory } = this.#world;
    if (localFiles?.mayTry(member.address) !== true || !this.#mayKeep) return undefined;
    const begin = offsetInChunk - (offsetInChunk % BLOCK_BYTES);
    const end = Math.ceil((offsetInChunk + lengthBytes) / BLOCK_BYTES) * BLOCK_BYTES;
    try {
      const buffer = memory.spare(end - begin) ?? uninitialized(end - begin);
      const parts: Promise<boolean>[] = [];
      for (let at = begin; at < end; ) {
        const to = Math.min(end, at - (at % REGION_BYTES) + REGION_BYTES);
        parts.push(
          this.#readRegion(localFiles, member, known, at, buffer.subarray(at - begin, to - begin), signal),
        );
        at = to;
      }
      for (const isRight of await Promise.all(parts)) if (!isRight) return undefined;
      return buffer.subarray(offsetInChunk - begin, offsetInChunk - begin + lengthBytes);
    } catch (error) {
      // The server is asked, and says itself what is the matter with it.
      this.#failed(localFiles, member, error);
      return undefined;
    }
  }

  /** What `read` would find, if the checksums are known and memory can be expected to have the bytes. */
  readAtOnce(
    member: ChainMember,
    { index, map }: MappedChunk,
    { offsetInChunk, lengthBytes }: ChunkSlice,
  ): Uint8Array | undefined {
    const { localFiles, memory } = this.#world;
    if (localFiles?.mayTry(member.address) !== true || !this.#mayKeep) return undefined;
    const begin = offsetInChunk - (offsetInChunk % BLOCK_BYTES);
    const end = Math.ceil((offsetInChunk + lengthBytes) / BLOCK_BYTES) * BLOCK_BYTES;
    // One region has one page of checksums.
    if (end > begin - (begin % REGION_BYTES) + REGION_BYTES) return undefined;
    const kept = this.#sums.find(index, map.version, begin, end - begin);
    if (kept === undefined) return undefined;
    const buffer = memory.spare(end - begin) ?? uninitialized(end - begin);
    if (isAllHoles(kept.checksums)) buffer.fill(0);
    else if (!localFiles.readAtOnce(kept.path, buffer, begin) || !matchesSums(buffer, kept.checksums))
      return undefined;
    return buffer.subarray(offsetInChunk - begin, offsetInChunk - begin + lengthBytes);
  }

  /** The bytes of this range of the file are others now. */
  changed(begin: number, end: number): void {
    this.#sums.changed(begin, end);
  }

  /** Nothing that was learned under the lease before is kept. */
  forgetAll(): void {
    this.#sums.forgetAll();
  }

  get #mayKeep(): boolean {
    const { lease } = this.#file;
    return (lease.kind === "exclusive" || lease.kind === "read") && lease.isReady("read");
  }

  async #readRegion(
    localFiles: LocalFiles,
    member: ChainMember,
    known: MappedChunk,
    offset: number,
    buffer: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const { index, map } = known;
    const kept = this.#sums.find(index, map.version, offset, buffer.length);
    const { path, checksums } = kept ?? (await this.#locate(member, known, offset, buffer.length, signal));
    if (isAllHoles(checksums)) {
      buffer.fill(0);
      return true;
    }
    try {
      await localFiles.read(path, buffer, offset);
      if (matchesSums(buffer, checksums)) return true;
    } catch (error) {
      // What was kept may be of a replica that has gone since.
      if (kept === undefined) throw error;
    }
    this.#sums.doubt(index, offset);
    localFiles.forget(path);
    return false;
  }

  /** Asks for the checksums of the whole region; those of its neighbours in it will be wanted too. */
  async #locate(
    member: ChainMember,
    known: MappedChunk,
    offset: number,
    lengthBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<LocatedBlocks> {
    const chunkBytes = this.#file.chunkBytes();
    const region = Math.floor(offset / REGION_BYTES);
    const begin = region * REGION_BYTES;
    const { chunkId, version, ticket } = known.map;
    const range = { offset: begin, lengthBytes: Math.min(REGION_BYTES, chunkBytes - begin) };
    const request: ChunkRequest = { type: "locate", body: { chunkId, version, ...range } };
    const question = this.#sums.ask(known.index, region, chunkBytes);
    try {
      const server = this.#world.servers.at(member.address);
      const { reply } = await server.call({ request, payload: NOTHING, ticket }, 0, LOCATE_MS, signal);
      if (reply.type !== "location" || 4 * range.lengthBytes !== reply.body.checksums.length * BLOCK_BYTES)
        throw storageError("unsupported", "checksums were asked for, and something else was answered");
      if (known.isCurrent && this.#mayKeep) this.#sums.answered(question, version, reply.body);
      const from = (4 * (offset - begin)) / BLOCK_BYTES;
      const checksums = reply.body.checksums.subarray(from, from + (4 * lengthBytes) / BLOCK_BYTES);
      return { path: reply.body.path, checksums };
    } finally {
      this.#sums.givenUp(question);
    }
  }

  /** A server that does not know the question, or whose files are not here. */
  #failed(localFiles: LocalFiles, member: ChainMember, error: unknown): void {
    const code = failureOf(error)?.code;
    if (code === undefined) throw error;
    if (HOPELESS.has(code)) localFiles.avoid(member.address);
  }
}

const HOPELESS: ReadonlySet<string> = new Set([
  "unsupported",
  "not_found",
  "io_error",
  "access_denied",
  "timed_out",
]);

/** Without data there need not be a file. */
function isAllHoles(checksums: Uint8Array): boolean {
  return checksums.every((byte) => byte === 0);
}

/** Zeroing what will be overwritten would cost as much as reading it. */
function uninitialized(lengthBytes: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafeSlow(lengthBytes);
  return new Uint8Array(buffer, byteOffset, lengthBytes);
}
