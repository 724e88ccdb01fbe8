import { type FailureCode, failureOf, storageError } from "../base/index.js";
import {
  type ChainMember,
  type ChunkRequest,
  type ChunkSlice,
  type CsId,
  checksumsOf,
  findMismatch,
  type WriteId,
} from "../chunk/index.js";
import type { Clock, Random } from "../io/index.js";
import type { ChunkAnswer } from "../rpc/index.js";
import type { Logger } from "../telemetry/index.js";
import type { ChunkClient, ChunkClients } from "./chunk-client.js";
import { seekInline } from "./core/inline-image.js";
import type { KnownLevel } from "./core/known-level.js";
import type { Use } from "./core/lease-rules.js";
import type { KnownChunk } from "./core/map-cache.js";
import { chooseReplica } from "./core/replica-choice.js";
import { afterChunkFailure, type ChunkStep } from "./core/retry-policy.js";
import { type FileChunks, isMapped, type MappedChunk } from "./file-chunks.js";
import type { FileLease } from "./file-lease.js";
import { firstAnswer } from "./hedge.js";
import type { LocalReads } from "./local-reads.js";
import { throwIfAborted } from "./waiting.js";
import { type Sent, type WriteBatch, WriteBatches } from "./write-batches.js";
import type { WriteNumbers } from "./write-numbers.js";

export interface ChunkIoWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Of this machine: its own chunk servers are read from first. */
  readonly hostId: string;
  readonly servers: ChunkClients;
  readonly numbers: WriteNumbers;
  /** What all servers understand. */
  readonly level: Pick<KnownLevel, "has">;
}

/** What one open file lends to its chunk requests. */
export interface ChunkIoFile {
  readonly lease: FileLease;
  readonly chunks: FileChunks;
}

/** A chunk server that does not answer for so long is reported as failed. */
const IO_MS = 10_000;
/** A disk may take its time to write everything back. */
const SYNC_MS = 60_000;
const NOTHING = new Uint8Array(0);

/** How far one request has come in its tries. */
interface Progress {
  attempt: number;
  /** So often in a row `staleMember` called `staleVersion` stale. */
  staleCount: number;
  staleVersion: number;
  staleMember: CsId | undefined;
}

/**
 * Reads and writes parts of chunks, through every fault: a failure becomes a report to the MDS, a new map, another
 * replica, a repetition under the same name. It ends with an error only if the lease is lost, if the caller's limit
 * is reached, or if no replica has the bytes any more.
 */
export class ChunkIo {
  readonly #world: ChunkIoWorld;
  readonly #file: ChunkIoFile;
  readonly #local: Pick<LocalReads, "read" | "readAtOnce">;
  readonly #batches: WriteBatches;

  /** `local`: how bytes of a server on this host are read without it. */
  constructor(world: ChunkIoWorld, file: ChunkIoFile, local: Pick<LocalReads, "read" | "readAtOnce">) {
    this.#world = world;
    this.#file = file;
    this.#local = local;
    this.#batches = new WriteBatches(world.clock, world.numbers);
  }

  /** The bytes, or undefined if the chunk was never written: zeros. */
  read(slice: ChunkSlice, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    return this.#query(
      slice.index,
      signal,
      (inline) => readInline(inline, slice),
      (member, known) => this.#readFrom(member, known, slice, signal),
    );
  }

  /** The same, if the bytes are on this host and nobody has to be asked or waited for. */
  readAtOnce(slice: ChunkSlice): Uint8Array | undefined {
    const { lease, chunks } = this.#file;
    if (!lease.isReady("read")) return undefined;
    const known = chunks.cache.get(slice.index);
    if (known === undefined || !isMapped(known) || !known.isCurrent) return undefined;
    const member = this.#chooseReplica(known, NOBODY);
    return member && this.#isHere(member) ? this.#local.readAtOnce(member, known, slice) : undefined;
  }

  /**
   * Where in the chunk the first block at or after the offset is that holds data, or with `isHole` none; the size of the
   * chunk if there is none. Undefined if the chunk was never written.
   */
  seek(index: number, offset: number, isHole: boolean, signal?: AbortSignal): Promise<number | undefined> {
    const what = isHole ? "hole" : "data";
    return this.#query(
      index,
      signal,
      (inline) => seekInline(inline, what, offset),
      async (member, { map: { chunkId, version, ticket } }) => {
        const request: ChunkRequest = { type: "seek", body: { chunkId, version, offset, isHole } };
        const call = { request, payload: NOTHING, ticket };
        const { reply } = await this.#server(member).call(call, 0, IO_MS, signal);
        if (reply.type !== "place") throw storageError("io_error", "a seek was answered by something else");
        return reply.body.offset;
      },
    );
  }

  /** What some replica answers, or follows from what the MDS keeps; undefined if the chunk was never written. */
  async #query<T>(
    index: number,
    signal: AbortSignal | undefined,
    ofInline: (bytes: Uint8Array) => T | undefined,
    ask: (member: ChainMember, known: MappedChunk) => Promise<T>,
  ): Promise<T | undefined> {
    const { lease, chunks } = this.#file;
    const progress = newProgress();
    const failed = new Map<CsId, FailureCode>();
    for (;;) {
      await this.#ready("read", signal);
      const known = await this.#find(index, signal);
      if (known === undefined) continue;
      if (!isMapped(known)) return known.inline && ofInline(known.inline);
      const member = this.#chooseReplica(known, failed);
      if (member === undefined) {
        await this.#noReplicaLeft(known, failed, progress, signal);
        continue;
      }
      try {
        const answer = await firstAnswer(
          this.#world.clock,
          () => ask(member, known),
          () => {
            const other = this.#chooseReplica(known, new Map([...failed, [member.csId, "unavailable"]]));
            return other && ask(other, known);
          },
          () => this.#world.servers.at(member.address).suspect(),
        );
        // The map was recalled, or the lease ran out, while the answer was on its way: it may be too old.
        if (!known.isCurrent || lease.kind === "none" || !lease.isInForce) continue;
        return answer;
      } catch (error) {
        const step = this.#stepAfter(error, known, member, progress);
        if (step.type === "report") {
          failed.set(member.csId, failureOf(error)?.code ?? "io_error");
          this.#world.servers.at(member.address).suspect();
          // Another replica is asked at once; what the MDS makes of the report is learned meanwhile.
          chunks.report(known, member.csId, failureOf(error)?.code ?? "io_error").catch(() => undefined);
        } else await this.#follow(step, known, member, error, signal);
      }
    }
  }

  /**
   * Resolves when every replica has the bytes; `isDurable`: when they, and all that was acknowledged before, are safe from
   * loss of power there. They must not change until then; nor later if this is false: an earlier message with them was given up, and may
   * still be on its way.
   */
  write(
    slice: ChunkSlice,
    bytes: Uint8Array,
    signal?: AbortSignal,
    use: WriteUse = "write",
    isDurable = false,
  ): Promise<Sent> {
    const checksums = checksumsOf(bytes, slice.offsetInChunk);
    const alone = (): Promise<Sent> =>
      this.#change(slice.index, bytes, use, signal, (target, id) => ({
        type: "write",
        body: { offset: slice.offsetInChunk, checksums, isDurable, ...target, ...id },
      }));
    const mayJoin = this.#world.level.has("writeExtents") && WriteBatches.mayJoin(slice);
    if (signal !== undefined || isDurable || !mayJoin) return alone();
    const together = ({ extents, payload, checksums: sums, name }: WriteBatch): Promise<Sent> =>
      this.#change(
        slice.index,
        payload,
        use,
        undefined,
        (target, id) => ({ type: "extents", body: { extents, checksums: sums, ...target, ...id } }),
        name,
      );
    const small = { offset: slice.offsetInChunk, lengthBytes: slice.lengthBytes, bytes, checksums };
    return this.#batches.write(`${use} ${slice.index}`, small, { alone, together });
  }

  /** Makes the range read as zeros; nothing is to be done where nothing was ever written. */
  async zero(slice: ChunkSlice, signal?: AbortSignal): Promise<boolean> {
    for (;;) {
      await this.#ready("write", signal);
      const known = await this.#find(slice.index, signal);
      if (known === undefined) continue;
      // What the MDS keeps is moved into a chunk first.
      if (!isMapped(known) && known.inline === undefined) return false;
      break;
    }
    await this.#change(slice.index, NOTHING, "write", signal, (target, id) => ({
      type: "zero",
      body: { offset: slice.offsetInChunk, lengthBytes: slice.lengthBytes, ...target, ...id },
    }));
    return true;
  }

  /** Makes everything acknowledged in this chunk safe from loss of power. */
  async sync(index: number, signal?: AbortSignal): Promise<void> {
    const progress = newProgress();
    for (;;) {
      await this.#ready("read", signal);
      const known = await this.#find(index, signal);
      if (known === undefined) continue;
      // Truncated meanwhile: nothing is left to be synced.
      if (!isMapped(known)) return;
      const head = known.map.chain[0];
      if (head === undefined) {
        await this.#follow({ type: "refresh", delayMs: 200 }, known, undefined, undefined, signal);
        continue;
      }
      const { chunkId, version, ticket } = known.map;
      try {
        const request: ChunkRequest = { type: "sync", body: { chunkId, version } };
        await this.#server(head).call({ request, payload: NOTHING, ticket }, 0, SYNC_MS, signal);
        return;
      } catch (error) {
        await this.#follow(this.#stepAfter(error, known, head, progress), known, head, error, signal);
      }
    }
  }

  /** Carries out a write at the head of the chain, under one name however often it must be sent. */
  async #change(
    index: number,
    payload: Uint8Array,
    use: WriteUse,
    signal: AbortSignal | undefined,
    make: (target: Target, id: WriteId) => ChunkRequest,
    name = this.#world.numbers.begin(),
  ): Promise<Sent> {
    const progress = newProgress();
    try {
      for (;;) {
        await this.#ready(use, signal);
        const known = await this.#findForWriting(index, signal);
        // A write named by a session that is over must not be made in the name of the next one.
        if (!name.isValid()) throw storageError("lease_lost", "the session was lost during a write");
        if (known === undefined || !known.isCurrent) continue;
        const head = known.map.chain[0];
        if (head === undefined) {
          await this.#follow({ type: "refresh", delayMs: 200 }, known, undefined, undefined, signal);
          continue;
        }
        if (!this.#file.lease.tryEnterWrite(use)) continue;
        let failure: unknown;
        try {
          const { chunkId, version, ticket } = known.map;
          const request = make({ chunkId, version }, name.now());
          // Not given up while it is on its way: it might arrive when the lease is somebody else's.
          const { reply } = await this.#server(head).call(
            { request, payload, ticket },
            payload.length,
            IO_MS,
          );
          const carried = reply.type === "done" ? (reply.body.carriedVersion ?? version) : version;
          return { isFirstTry: progress.attempt === 0, chunkId, version: carried };
        } catch (error) {
          failure = error;
        } finally {
          this.#file.lease.leaveWrite();
        }
        await this.#follow(this.#stepAfter(failure, known, head, progress), known, head, failure, signal);
      }
    } finally {
      // Done, or given up: a copy that arrives late must not be carried out after a later write.
      name.settle();
    }
  }

  async #readFrom(
    member: ChainMember,
    known: MappedChunk,
    slice: ChunkSlice,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const bytes = this.#isHere(member) ? await this.#local.read(member, known, slice, signal) : undefined;
    return bytes ?? (await this.#readByServer(member, known, slice, signal));
  }

  #isHere(member: ChainMember): boolean {
    const { hostId } = this.#world;
    return hostId !== "" && member.hostId === hostId;
  }

  async #readByServer(
    member: ChainMember,
    { map: { chunkId, version, ticket } }: MappedChunk,
    { offsetInChunk, lengthBytes }: ChunkSlice,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const request: ChunkRequest = {
      type: "read",
      body: { chunkId, version, offset: offsetInChunk, lengthBytes, background: false },
    };
    const answer: ChunkAnswer = await this.#server(member).call(
      { request, payload: NOTHING, ticket },
      lengthBytes,
      IO_MS,
      signal,
    );
    const { reply, payload } = answer;
    if (reply.type !== "data" || payload.length !== lengthBytes)
      throw storageError("io_error", "a read was answered by something else");
    if (findMismatch(payload, offsetInChunk, reply.body.checksums) !== undefined)
      // Not `chunk_corrupt`: that is what a server says of its disk, and looks after by itself.
      throw storageError("io_error", "the bytes that arrived do not match their checksums");
    return payload;
  }

  #chooseReplica(known: MappedChunk, failed: ReadonlyMap<CsId, FailureCode>): ChainMember | undefined {
    const { servers, hostId } = this.#world;
    return chooseReplica({
      chain: known.map.chain,
      hostId,
      excluded: failed,
      loadOf: (member) => servers.at(member.address).load,
    });
  }

  /** Every replica failed this read. Only if all of them have bad bytes, or no readable disk, is that the end. */
  async #noReplicaLeft(
    known: MappedChunk,
    failed: Map<CsId, FailureCode>,
    progress: Progress,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const [first] = failed.keys();
    const before = known.map.version;
    const isHopeless =
      failed.size > 0 &&
      [...failed.values()].every((code) => code === "chunk_corrupt" || code === "io_error");
    // None of them is worse than the others then: whoever is left out takes its other blocks along.
    const who = isHopeless ? undefined : first;
    await this.#tolerant(() => this.#file.chunks.report(known, who, "unavailable", signal));
    const now = this.#file.chunks.cache.get(known.index)?.map?.version;
    if (isHopeless && now === before && ++progress.attempt > HOPELESS_TRIES)
      throw storageError("chunk_corrupt", `no replica of chunk ${known.map.chunkId} has these bytes`);
    failed.clear();
    await this.#world.clock.sleep("client.no-replica", NO_REPLICA_MS, signal);
    throwIfAborted(signal);
  }

  #stepAfter(error: unknown, known: MappedChunk, member: ChainMember, progress: Progress): ChunkStep {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    const { version, chunkId } = known.map;
    const isStale = failure.code === "stale_map";
    const isSame = progress.staleVersion === version && progress.staleMember === member.csId;
    progress.staleCount = isStale ? (isSame ? progress.staleCount + 1 : 1) : 0;
    progress.staleVersion = version;
    progress.staleMember = member.csId;
    const chance = this.#world.random.uint32() / 2 ** 32;
    const step = afterChunkFailure(failure.code, progress.attempt++, progress.staleCount, chance);
    this.#world.log.debug("chunk request failed", {
      chunkId,
      version,
      csId: member.csId,
      code: failure.code,
      next: step.type,
    });
    return step;
  }

  async #follow(
    step: ChunkStep,
    known: MappedChunk,
    member: ChainMember | undefined,
    error: unknown,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    throwIfAborted(signal);
    if (step.type === "fail") throw error;
    if (step.delayMs > 0) await this.#world.clock.sleep("client.chunk-retry", step.delayMs, signal);
    throwIfAborted(signal);
    if (step.type === "again") return;
    const code = failureOf(error)?.code ?? "stale_map";
    const failed = step.type === "report" ? member?.csId : undefined;
    // Somebody else may have been faster: the map is not the one that failed any more.
    if (!known.isCurrent) return;
    await this.#tolerant(() => this.#file.chunks.report(known, failed, code, signal));
  }

  /** The map for the chunk, or undefined if the session was lost while asking: see how the lease is, and ask again. */
  async #find(index: number, signal: AbortSignal | undefined): Promise<KnownChunk | undefined> {
    return await this.#tolerant(() => this.#file.chunks.find(index, signal));
  }

  async #findForWriting(index: number, signal: AbortSignal | undefined): Promise<MappedChunk | undefined> {
    return await this.#tolerant(() => this.#file.chunks.findForWriting(index, signal));
  }

  /** A question asked under a lease that ended meanwhile has no answer; `ready` says how it goes on. */
  async #tolerant<T>(ask: () => Promise<T>): Promise<T | undefined> {
    const { sequence } = this.#file.lease.grant;
    try {
      return await ask();
    } catch (error) {
      const code = failureOf(error)?.code;
      if (code === "lease_lost") this.#file.lease.refused(sequence);
      else if (code !== "session_lost") throw error;
      return undefined;
    }
  }

  #ready(use: Use, signal: AbortSignal | undefined): Promise<void> {
    return this.#file.lease.ready(use, signal);
  }

  #server(member: ChainMember): ChunkClient {
    return this.#world.servers.at(member.address);
  }
}

const NOBODY: ReadonlyMap<CsId, FailureCode> = new Map();

function readInline(bytes: Uint8Array, { offsetInChunk, lengthBytes }: ChunkSlice): Uint8Array {
  const result = new Uint8Array(lengthBytes);
  result.set(bytes.subarray(offsetInChunk, offsetInChunk + lengthBytes));
  return result;
}

type WriteUse = "write" | "writeBack";
type Target = Pick<MappedChunk["map"], "chunkId" | "version">;

/** A read of bytes that no replica has is tried so often, since a replica may be repaired meanwhile. */
const HOPELESS_TRIES = 5;
const NO_REPLICA_MS = 200;

function newProgress(): Progress {
  return { attempt: 0, staleCount: 0, staleVersion: 0, staleMember: undefined };
}
