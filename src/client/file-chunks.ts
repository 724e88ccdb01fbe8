import { type FailureCode, failureOf } from "../base/index.js";
import { type ChunkMap, type CsId, csId } from "../chunk/index.js";
import type { Clock, Random } from "../io/index.js";
import type { InodeNumber, LeaseGrant } from "../meta/index.js";
import { mayKeepHoles } from "./core/lease-rules.js";
import { type KnownChunk, MapCache } from "./core/map-cache.js";
import { pauseMs } from "./core/retry-policy.js";
import { bodyOf } from "./replies.js";
import type { Session } from "./session.js";
import { abortable, throwIfAborted } from "./waiting.js";

/** A chunk that was written at some time. */
export type MappedChunk = KnownChunk & { readonly map: ChunkMap };

/** Maps fetched in one query. */
const FETCH_COUNT = 64;
/** Says of a report that no member failed: the map only seems to be out of date. */
const NOBODY: CsId = csId(0);

/** What a question for maps came to. */
interface Fetched {
  /** There is a chunk at the index, or perhaps one: ask again. */
  readonly isFound: boolean;
  /** The contents of a file that has no chunks yet, if the MDS keeps them. */
  readonly inline: Uint8Array | undefined;
}

export interface FileChunksWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly session: Session;
  /** The present lease of the file. */
  readonly lease: () => LeaseGrant;
  /** Small contents that are kept here must be at the MDS before a chunk is asked for, which takes them over. */
  readonly beforeAllocating: () => Promise<void>;
}

/** Where the chunks of one open file are: asks the MDS, each question once at a time, and keeps the answers. */
export class FileChunks {
  readonly #world: FileChunksWorld;
  readonly #ino: InodeNumber;
  readonly #cache = new MapCache();
  /** Questions under way, by what they ask. */
  readonly #asking = new Map<string, Promise<void>>();
  readonly #fetching = new Map<number, Promise<Fetched>>();

  constructor(world: FileChunksWorld, ino: InodeNumber) {
    this.#world = world;
    this.#ino = ino;
  }

  get ino(): InodeNumber {
    return this.#ino;
  }

  get cache(): MapCache {
    return this.#cache;
  }

  /** What is known of the chunk; asks if nothing is. */
  async find(index: number, signal?: AbortSignal): Promise<KnownChunk> {
    for (let attempt = 0; ; attempt++) {
      const known = this.#cache.get(index);
      if (known !== undefined) return known;
      await this.#pause(attempt, signal);
      const mayKeep = mayKeepHoles(this.#world.lease().kind);
      // Where others may write too, only an answer to a question asked from here on says that nothing is there.
      const asking = mayKeep ? this.#fetchOnce(index) : this.#fetch(index);
      const { isFound, inline } = await abortable(asking, signal);
      if (inline !== undefined || !(mayKeep || isFound))
        return { index, map: undefined, inline: index === 0 ? inline : undefined, isCurrent: true };
    }
  }

  /** The chunk with a map that may be used for writing; it is made if it was never written. Waits for space. */
  async findForWriting(index: number, signal?: AbortSignal): Promise<MappedChunk> {
    for (let attempt = 0; ; attempt++) {
      const known = this.#cache.get(index);
      if (known !== undefined && isMapped(known)) {
        if (known.map.writable && this.#cache.mayWrite(known.map.chunkId)) return known;
      }
      await this.#pause(attempt, signal);
      await this.#once(`allocate ${index}`, signal, () => this.#allocate(index));
    }
  }

  /**
   * Tells the MDS that a member failed (or, without one, that the map seems out of date) and takes in the map it
   * answers with. A chunk that is gone is forgotten.
   */
  async report(
    known: MappedChunk,
    failed: CsId | undefined,
    code: FailureCode,
    signal?: AbortSignal,
  ): Promise<void> {
    const { chunkId, version } = known.map;
    const who = failed ?? NOBODY;
    await this.#once(`report ${chunkId} ${version} ${who}`, signal, async () => {
      const { epoch } = this.#cache;
      try {
        const reply = await this.#world.session.query(
          { type: "reportChunk", body: { ino: this.#ino, chunkId, version, csId: who, code } },
          { urgency: "patient", isBound: true },
        );
        for (const map of bodyOf(reply, "chunkMaps").maps) this.#cache.put(map, epoch);
      } catch (error) {
        if (failureOf(error)?.code !== "not_found") throw error;
        this.#cache.forget(known);
      }
    });
  }

  async #fetch(index: number): Promise<Fetched> {
    const { session, lease } = this.#world;
    const { epoch, changeCount } = this.#cache;
    const reply = await session.query(
      { type: "getChunkMaps", body: { ino: this.#ino, firstIndex: index, count: FETCH_COUNT } },
      { urgency: "patient", isBound: true },
    );
    const { maps, inline } = bodyOf(reply, "chunkMaps");
    // Asked before something here changed, it may be joined by one who knows of the change.
    const isStale = mayKeepHoles(lease().kind) && changeCount !== this.#cache.changeCount;
    if (inline !== undefined) return { isFound: isStale, inline: isStale ? undefined : inline };
    const found = new Set(maps.map((map) => map.index));
    if (mayKeepHoles(lease().kind)) {
      const indexes = Array.from({ length: FETCH_COUNT }, (_, i) => index + i);
      this.#cache.putHoles(
        indexes.filter((hole) => !found.has(hole) && this.#cache.get(hole) === undefined),
        changeCount,
      );
    }
    for (const map of maps) this.#cache.put(map, epoch);
    return { isFound: found.has(index), inline };
  }

  #fetchOnce(index: number): Promise<Fetched> {
    const known = this.#fetching.get(index);
    if (known !== undefined) return known;
    const fetching = this.#fetch(index).finally(() => this.#fetching.delete(index));
    this.#fetching.set(index, fetching);
    return fetching;
  }

  async #allocate(index: number): Promise<void> {
    const { session, lease, beforeAllocating } = this.#world;
    await beforeAllocating();
    const { epoch } = this.#cache;
    const { sequence: leaseSequence } = lease();
    const reply = await session.mutate(
      (id) => ({ type: "allocateChunk", body: { id, ino: this.#ino, leaseSequence, index } }),
      { urgency: "patient", isBound: true, repeat: "always" },
    );
    const isSameLease = lease().sequence === leaseSequence;
    for (const map of bodyOf(reply, "chunkMaps").maps) {
      this.#cache.put(map, epoch);
      if (isSameLease) this.#cache.noteWriter(map.chunkId);
    }
  }

  /** Joins the question if it is being asked already. A caller that gives up does not end it. */
  async #once(key: string, signal: AbortSignal | undefined, ask: () => Promise<unknown>): Promise<void> {
    let asking = this.#asking.get(key);
    if (asking === undefined) {
      asking = ask()
        .then(() => undefined)
        .finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    await abortable(asking, signal);
  }

  /** Asked again and again, a question becomes rarer. */
  async #pause(attempt: number, signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal);
    if (attempt < 2) return;
    const { clock, random } = this.#world;
    await clock.sleep("client.map", pauseMs(attempt - 1, random.uint32() / 2 ** 32), signal);
    throwIfAborted(signal);
  }
}

export function isMapped(known: KnownChunk): known is MappedChunk {
  return known.map !== undefined;
}
