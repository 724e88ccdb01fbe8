import type { CsId } from "../../chunk/index.js";
import { isSound, misplacement, rankForRemoval } from "./chunk-settle.js";
import { configNumber } from "./cluster-config.js";
import type { ReconfigureChunk } from "./command.js";
import { domainOf } from "./failure-domain.js";
import { mayTakeReplicas, type Registry } from "./placement.js";
import type { ChunkRecord, CsRecord } from "./records.js";

/**
 * Moves of healthy replicas: to where their file wants them (failure domain, tier), and from fuller disks to emptier ones. A move is
 * one more replica: when it is filled and verified, the chunk has one too many, and the worst placed of them, else the one on the
 * fullest disk, leaves (`chunk-settle.ts`). So nothing is dropped before its copy is proven.
 */
export interface Move {
  readonly step: ReconfigureChunk;
  readonly source: CsId;
  readonly target: CsId;
  readonly bytes: number;
}

/** A server and how full it will be when what is under way has been moved. */
interface Level {
  readonly server: CsRecord;
  usedBytes: number;
}

/** How full every server is, moves under way counted in. */
export class FillLevels {
  readonly #registry: Registry;
  readonly #levels = new Map<CsId, Level>();
  readonly #marginFraction: number;
  /** Of all disks of a tier together: moves do not change it. */
  readonly #meanOfTier = new Map<number, number>();

  constructor(registry: Registry, underWay: Iterable<Pick<Move, "source" | "target" | "bytes">>) {
    this.#registry = registry;
    this.#marginFraction = configNumber(registry, "mds.rebalance.margin") / 100;
    for (const server of registry.chunkServers.values()) {
      if (!isSound(server) || server.totalBytes <= 0) continue;
      this.#levels.set(server.csId, { server, usedBytes: server.totalBytes - server.freeBytes });
    }
    for (const move of underWay) this.#moved(move);
    for (const { server } of this.#levels.values()) {
      if (!this.#meanOfTier.has(server.tier)) this.#meanOfTier.set(server.tier, this.#mean(server.tier));
    }
  }

  /** Some tier has a disk that is so much fuller than another that replicas should move. */
  get isUneven(): boolean {
    const byTier = new Map<number, number[]>();
    for (const level of this.#levels.values()) {
      const fractions = byTier.get(level.server.tier) ?? [];
      byTier.set(level.server.tier, [...fractions, fractionOf(level)]);
    }
    return [...byTier.values()].some(
      (fractions) => Math.max(...fractions) - Math.min(...fractions) > this.#marginFraction,
    );
  }

  /** The move of one replica of this chunk, or undefined; it counts from now on. `isBusy`: takes part in a move already. */
  plan(record: ChunkRecord, isBusy: (csId: CsId) => boolean): Move | undefined {
    if (!this.#isSettled(record)) return undefined;
    const worst = rankForRemoval(this.#registry, record, record.chain)[0];
    const source = worst === undefined ? undefined : this.#levels.get(worst.csId);
    if (source === undefined || isBusy(source.server.csId)) return undefined;
    const isMisplaced = misplacement(this.#registry, record, source.server.csId) > 0;
    if (!isMisplaced && fractionOf(source) <= this.#meanFor(source)) return undefined;
    const target = this.#target(record, source, isMisplaced, isBusy);
    if (target === undefined) return undefined;
    const move = moveOf(record, source, target, isMisplaced);
    this.#moved(move);
    return move;
  }

  /** Every replica is where it was wanted, and there. */
  #isSettled({ installed, doubt, chain, policy }: ChunkRecord): boolean {
    if (!installed || doubt !== undefined || chain.length !== policy.replicas) return false;
    return chain.every(({ csId, syncing }) => !syncing && this.#levels.has(csId));
  }

  /** The emptiest server that may have the replica instead of the source. */
  #target(
    { chain, policy }: ChunkRecord,
    source: Level,
    isMisplaced: boolean,
    isBusy: (csId: CsId) => boolean,
  ): Level | undefined {
    const staying = chain.filter(({ csId }) => csId !== source.server.csId);
    const taken = new Set<string>();
    for (const { csId } of staying) {
      const server = this.#levels.get(csId)?.server;
      if (server !== undefined) taken.add(domainOf(server, policy.failureDomain));
    }
    let best: Level | undefined;
    for (const level of this.#levels.values()) {
      const { server } = level;
      if (server.tier !== policy.tier || level === source || isBusy(server.csId)) continue;
      if (best !== undefined && fractionOf(level) >= fractionOf(best)) continue;
      if (taken.has(domainOf(server, policy.failureDomain))) continue;
      if (server.flags.includes("h") || !mayTakeReplicas(this.#registry, server)) continue;
      best = level;
    }
    if (best === undefined || isMisplaced) return best;
    // From above the mean to below it: nothing moves twice.
    if (fractionOf(best) >= this.#meanFor(best)) return undefined;
    return fractionOf(source) - fractionOf(best) > this.#marginFraction ? best : undefined;
  }

  #mean(tier: number): number {
    const levels = [...this.#levels.values()].filter(({ server }) => server.tier === tier);
    const usedBytes = levels.reduce((sum, level) => sum + level.usedBytes, 0);
    return usedBytes / levels.reduce((sum, { server }) => sum + server.totalBytes, 0);
  }

  #meanFor({ server }: Level): number {
    return this.#meanOfTier.get(server.tier) ?? 0;
  }

  #moved({ source, target, bytes }: Pick<Move, "source" | "target" | "bytes">): void {
    const from = this.#levels.get(source);
    const to = this.#levels.get(target);
    if (from !== undefined) from.usedBytes -= bytes;
    if (to !== undefined) to.usedBytes += bytes;
  }
}

function fractionOf({ server, usedBytes }: Level): number {
  return usedBytes / server.totalBytes;
}

function moveOf(record: ChunkRecord, source: Level, target: Level, isMisplaced: boolean): Move {
  const { chunkId, version, policy } = record;
  // How large this one is nobody knows here: as large as others there.
  const meanBytes = source.usedBytes / Math.max(1, source.server.replicaCount);
  return {
    step: {
      chunkId,
      version,
      remove: [],
      areSurplus: false,
      add: [{ csId: target.server.csId, keepContents: false }],
      reason: isMisplaced ? "moved to where its file wants it" : "moved to an emptier disk",
    },
    source: source.server.csId,
    target: target.server.csId,
    bytes: Math.min(policy.chunkBytes, Math.max(0, meanBytes)),
  };
}
