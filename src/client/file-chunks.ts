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

export interface FileChunksWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly session: Session;
  /** The present lease of the file. */
  readonly lease: () => LeaseGrant;
}

/** Where the chunks of one open file are: asks the MDS, each question once at a time, and keeps the answers. */
export class FileChunks {
  readonly #world: FileChunksWorld;
  readonly #ino: InodeNumber;
  readonly #cache = new MapCache();
  /** Questions under way, by what they ask. */
  readonly #asking = new Map<string, Promise<void>>();

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
      if (mayKeepHoles(this.#world.lease().kind)) {
        await this.#once(`find ${index}`, signal, () => this.#fetch(index));
        continue;
      }
      // Where others may write too, only an answer to a question asked from here on says that nothing is there.
      const found = await abortable(this.#fetch(index), signal);
      if (!found) return { index, map: undefined, isCurrent: true };
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

  /** True if the chunk was ever written. */
  async #fetch(index: number): Promise<boolean> {
    const { session, lease } = this.#world;
    const { epoch, changeCount } = this.#cache;
    const reply = await session.query(
      { type: "getChunkMaps", body: { ino: this.#ino, firstIndex: index, count: FETCH_COUNT } },
      { urgency: "patient", isBound: true },
    );
    const { maps } = bodyOf(reply, "chunkMaps");
    const found = new Set(maps.map((map) => map.index));
    if (mayKeepHoles(lease().kind)) {
      const indexes = Array.from({ length: FETCH_COUNT }, (_, i) => index + i);
      this.#cache.putHoles(
        indexes.filter((hole) => !found.has(hole) && this.#cache.get(hole) === undefined),
        changeCount,
      );
    }
    for (const map of maps) this.#cache.put(map, epoch);
    return found.has(index);
  }

  async #allocate(index: number): Promise<void> {
    const { session, lease } = this.#world;
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
