import type { ChunkId, CsId } from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import type { ReconfigureChunk } from "./core/command.js";
import { type LostEvidence, planSuspects } from "./core/inventory.js";
import type { ChunkRecord } from "./core/records.js";
import type { Tables } from "./core/tables.js";
import type { CsLinks } from "./cs-links.js";

/** How long the other members of a chain are waited for before one of the doubtful is believed. */
const GRACE_MS = 5000;

interface Doubt {
  readonly sinceMs: number;
  readonly members: Map<CsId, { readonly hostCrashed: boolean }>;
}

export interface SuspectsWorld {
  readonly clock: Clock;
  readonly tables: Tables;
  readonly links: CsLinks;
  /** What is known of a lost replica of the chunk. */
  readonly evidenceOf: (csId: CsId, record: ChunkRecord) => LostEvidence;
}

/**
 * Replicas that may differ from their peers because their servers stopped uncleanly, as reported to this leader. They
 * serve nothing until a new version settles what is right. A new leader hears of them again, with the inventories.
 */
export class Suspects {
  readonly #world: SuspectsWorld;
  readonly #doubts = new Map<ChunkId, Doubt>();

  constructor(world: SuspectsWorld) {
    this.#world = world;
  }

  /** What a server's inventory said; what it said before is forgotten. */
  reported(csId: CsId, suspects: ReadonlyMap<ChunkId, { readonly hostCrashed: boolean }>): void {
    this.forget(csId);
    for (const [chunkId, suspect] of suspects) {
      const doubt = this.#doubts.get(chunkId) ?? {
        sinceMs: this.#world.clock.monotonicMs(),
        members: new Map(),
      };
      doubt.members.set(csId, suspect);
      this.#doubts.set(chunkId, doubt);
    }
  }

  forget(csId: CsId): void {
    for (const [chunkId, { members }] of this.#doubts) {
      if (members.delete(csId) && members.size === 0) this.#doubts.delete(chunkId);
    }
  }

  /** The replica must not become a full member by an installation that does not know of the doubt. */
  isSuspect(chunkId: ChunkId, csId: CsId): boolean {
    return this.#doubts.get(chunkId)?.members.has(csId) === true;
  }

  /** What can be settled now. A step that is carried out ends the doubt (`settled`). */
  steps(): ReconfigureChunk[] {
    const steps: ReconfigureChunk[] = [];
    for (const [chunkId, doubt] of this.#doubts) {
      const record = this.#world.tables.chunks.get(chunkId);
      if (record === undefined) {
        this.#doubts.delete(chunkId);
        continue;
      }
      if (!this.#isComplete(record, doubt)) continue;
      const { tables, evidenceOf } = this.#world;
      const step = planSuspects(tables, record, doubt.members, (csId) => evidenceOf(csId, record));
      if (step !== undefined) steps.push(step);
      else if (!record.chain.some(({ csId }) => doubt.members.has(csId))) this.#doubts.delete(chunkId);
    }
    return steps;
  }

  settled(chunkId: ChunkId): void {
    this.#doubts.delete(chunkId);
  }

  /** Everybody who may know better is there, or had time enough to come. */
  #isComplete(record: ChunkRecord, { sinceMs }: Doubt): boolean {
    if (this.#world.clock.monotonicMs() - sinceMs > GRACE_MS) return true;
    return record.chain.every(({ csId, syncing }) => syncing || this.#world.links.isConnected(csId));
  }
}
