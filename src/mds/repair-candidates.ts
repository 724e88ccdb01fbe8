import type { ChunkId, CsId } from "../chunk/index.js";
import type { Tables } from "./core/tables.js";
import type { MetadataStore } from "./store/metadata-store.js";
import type { Waiters } from "./waiters.js";

/** Chunks of a list that are looked at in one round. */
const PAGE = 1000;

export interface CandidatesWorld {
  readonly store: Pick<MetadataStore, "degradedPage" | "csChunksPage">;
  readonly tables: Pick<Tables, "chunkServers">;
  readonly waiters: Pick<Waiters, "chunks">;
}

/**
 * The chunks that a round of repair looks at: all that clients wait for, and a page of each of two lists that may be long and are gone
 * through again and again: those with too few replicas, and those on servers that are gone or shall go.
 */
export class RepairCandidates {
  readonly #world: CandidatesWorld;
  #degradedAfter: ChunkId | undefined;
  #leavingAfter: { readonly csId: CsId; readonly chunkId: ChunkId | undefined } | undefined;

  constructor(world: CandidatesWorld) {
    this.#world = world;
  }

  /** `isAll`: there are no others. */
  async next(): Promise<{ readonly ids: readonly ChunkId[]; readonly isAll: boolean }> {
    const isFromStart = this.#isAtStart;
    const degraded = await this.#degraded();
    const leaving = await this.#leaving();
    const ids = [...this.#world.waiters.chunks(), ...degraded, ...leaving];
    return { ids, isAll: isFromStart && this.#isAtStart };
  }

  get #isAtStart(): boolean {
    return this.#degradedAfter === undefined && this.#leavingAfter === undefined;
  }

  async #degraded(): Promise<readonly ChunkId[]> {
    const page = await this.#world.store.degradedPage(this.#degradedAfter, PAGE);
    this.#degradedAfter = page.length < PAGE ? undefined : page.at(-1);
    return page;
  }

  async #leaving(): Promise<readonly ChunkId[]> {
    const { store, tables } = this.#world;
    const begin = this.#leavingAfter;
    const servers = [...tables.chunkServers.values()]
      .filter(({ activity, administration }) => activity === "offline" || administration !== "normal")
      .map(({ csId }) => csId)
      .filter((csId) => begin === undefined || csId >= begin.csId)
      .sort((a, b) => a - b);
    const found: ChunkId[] = [];
    for (const csId of servers) {
      const after = csId === begin?.csId ? begin.chunkId : undefined;
      found.push(...(await store.csChunksPage(csId, after, PAGE - found.length)));
      if (found.length < PAGE) continue;
      this.#leavingAfter = { csId, chunkId: found.at(-1) };
      return found;
    }
    this.#leavingAfter = undefined;
    return found;
  }
}
