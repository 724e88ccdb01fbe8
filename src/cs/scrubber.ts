import { failureOf, fromUtf8, toUtf8 } from "../base/index.js";
import { type ChunkId, type CsId, REGION_BYTES, type ScrubOrders, type ScrubReport } from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import type { Logger } from "../telemetry/index.js";
import {
  begun,
  begunWhenDue,
  DEFAULT_ORDERS,
  decodeRound,
  encodeRound,
  ended,
  isSuspicious,
  pauseMs,
  reportOf,
  type ScrubRound,
  yieldMsMax,
} from "./core/scrub-round.js";
import type { LoadMeter } from "./load-meter.js";
import type { Replica } from "./replica.js";
import type { ReplicaTable } from "./replica-table.js";
import type { ChunkStore } from "./store/chunk-store.js";

/** What a scrubber works with. */
export interface ScrubberWorld {
  readonly clock: Clock;
  readonly log: Logger;
  readonly csId: CsId;
  readonly store: ChunkStore;
  readonly table: ReplicaTable;
  readonly load: LoadMeter;
}

const IDLE_POLL_MS = 1_000;
const YIELD_POLL_MS = 10;
/** The place is kept that often: after a crash so much is read twice. */
const SAVE_EVERY_MS = 10_000;

/**
 * Reads every replica again, once in each period, so that what rots where nobody reads is found while other replicas are
 * whole. Slower than clients: it keeps to a rate, and stands back while one of them is served.
 */
export class Scrubber {
  readonly #world: ScrubberWorld;
  readonly #stop = new AbortController();
  #pause = new AbortController();
  #orders: ScrubOrders = DEFAULT_ORDERS;
  #round: ScrubRound;
  /** Chunks still to be read in this round, highest first. */
  #queue: ChunkId[] = [];
  #savedMs = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;

  constructor(world: ScrubberWorld) {
    this.#world = world;
    const kept = world.store.keptScrub();
    this.#round = decodeRound(kept === undefined ? undefined : fromUtf8(kept));
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#pause.abort();
    await this.#running;
    await this.#save();
  }

  /** What the cluster wants at present. */
  obey(orders: ScrubOrders): void {
    const { periodMs, bytesPerSecond } = this.#orders;
    if (orders.periodMs === periodMs && orders.bytesPerSecond === bytesPerSecond) return;
    this.#orders = orders;
    this.#wake();
  }

  /** A round begins now, from the beginning. Resolves when that will not be forgotten. */
  async begin(): Promise<void> {
    this.#round = begun(this.#round, this.#orders, this.#wallMs);
    this.#queue = [];
    this.#world.log.info("scrub was asked for", {});
    await this.#save();
    this.#wake();
  }

  /** So many damaged blocks were found, by whomever. */
  noteDamage(blockCount: number): void {
    this.#round = { ...this.#round, damagedCount: this.#round.damagedCount + blockCount };
    this.#savedMs = Number.NEGATIVE_INFINITY;
  }

  /** The disk got something wrong in this round or the last. */
  get isSuspicious(): boolean {
    return isSuspicious(this.#round);
  }

  report(): ScrubReport {
    let totalBytes = 0;
    let quarantinedCount = 0;
    for (const { stored, mending } of this.#world.table.replicas) {
      totalBytes += stored.written.count * REGION_BYTES;
      if (mending.lostRegions.length > 0) quarantinedCount++;
    }
    return reportOf(this.#round, totalBytes, quarantinedCount);
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const { csId } = this.#world;
      const wasRunning = this.#round.isRunning;
      this.#round = begunWhenDue(this.#round, this.#orders, this.#wallMs, csId);
      if (!this.#round.isRunning) {
        await this.#sleep("cs.scrub.idle", IDLE_POLL_MS);
        continue;
      }
      if (!wasRunning) {
        this.#queue = [];
        this.#world.log.info("scrub begins", {});
      }
      await this.#step();
    }
  }

  /** Reads one replica, or finds that there are no more. */
  async #step(): Promise<void> {
    const { table, clock, log } = this.#world;
    const chunkId = this.#next();
    if (chunkId === undefined) {
      this.#round = ended(this.#round, this.#wallMs);
      const { checkedBytes, damagedCount } = this.#round;
      log.info("scrub has read everything", { checkedBytes, damagedCount });
      await this.#save();
      return;
    }
    const { beganMs } = this.#round;
    const replica = table.find(chunkId);
    if (replica !== undefined) await this.#read(replica, beganMs);
    if (this.#isStopped || this.#round.beganMs !== beganMs) return;
    this.#round = { ...this.#round, doneChunkId: chunkId };
    if (clock.monotonicMs() - this.#savedMs > SAVE_EVERY_MS) await this.#save();
  }

  #next(): ChunkId | undefined {
    if (this.#queue.length === 0) {
      const { doneChunkId } = this.#round;
      const ids = this.#world.table.replicas.map(({ chunkId }) => chunkId);
      this.#queue = ids.filter((id) => id > doneChunkId).sort((a, b) => b - a);
    }
    return this.#queue.pop();
  }

  async #read(replica: Replica, beganMs: number): Promise<void> {
    const { store, log, clock } = this.#world;
    const { stored, chunkId } = replica;
    for (const region of [...stored.written]) {
      await this.#yield();
      if (this.#isStopped || this.#round.beganMs !== beganMs) return;
      // What is being filled was verified on its way, and what failed or waits for the MDS is not read from.
      if (!replica.isReadable) return;
      store.use(stored);
      try {
        await replica.mending.scrub(region);
      } catch (error) {
        const code = failureOf(error)?.code;
        if (code === undefined) throw error;
        log.debug("a region was not scrubbed", { chunkId, region, code });
      }
      const bytes = Math.min(REGION_BYTES, stored.chunkBytes - region * REGION_BYTES);
      this.#round = { ...this.#round, checkedBytes: this.#round.checkedBytes + bytes };
      await clock.sleep("cs.scrub.pace", pauseMs(bytes, this.#orders), this.#pause.signal);
    }
  }

  /** Stands back while a client is served, but not for ever. */
  async #yield(): Promise<void> {
    const { clock, load } = this.#world;
    const endMs = clock.monotonicMs() + yieldMsMax(REGION_BYTES, this.#orders);
    while (load.queueDepth > 0 && clock.monotonicMs() < endMs && !this.#isStopped) {
      await clock.sleep("cs.scrub.yield", YIELD_POLL_MS, this.#stop.signal);
    }
  }

  #sleep(name: string, ms: number): Promise<void> {
    return this.#world.clock.sleep(name, ms, this.#pause.signal);
  }

  /** Whatever pause it is in ends. */
  #wake(): void {
    const before = this.#pause;
    this.#pause = new AbortController();
    before.abort();
  }

  async #save(): Promise<void> {
    this.#savedMs = this.#world.clock.monotonicMs();
    try {
      await this.#world.store.keepScrub(toUtf8(encodeRound(this.#round)));
    } catch (error) {
      // On a disk that takes no writes the place is found again from the beginning.
      if (failureOf(error) === undefined) throw error;
    }
  }

  /** Whole: that is how it is told. */
  get #wallMs(): number {
    return Math.round(this.#world.clock.wallMs());
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }
}
