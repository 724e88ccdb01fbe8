import { failureOf } from "../base/index.js";
import type { MetricSample } from "../telemetry/index.js";
import { ChunkServer, type CsConfig, type CsWorld } from "./chunk-server.js";
import { reserveOf } from "./room.js";

const PERIOD_MS = 2000;
/** Of the room that a chunk server keeps for records and deletions, so much must be there before it is tried again. */
const RESERVE_FRACTION = 0.25;

/**
 * The chunk server of this process, which begins anew when its disk was full and there is room again: replicas that could not be
 * written are distrusted as after a crash, and the MDS settles what they lack.
 */
export class RecurringServer {
  readonly #config: CsConfig;
  readonly #world: CsWorld;
  readonly #stop = new AbortController();
  #server: ChunkServer;
  #watching: Promise<void> | undefined;

  constructor(config: CsConfig, world: CsWorld) {
    this.#config = config;
    this.#world = world;
    this.#server = new ChunkServer(config, world);
  }

  /** Resolves when it serves. `halt` is called when it could not begin anew. */
  async start(halt: (error: unknown) => void): Promise<void> {
    await this.#server.start();
    this.#watching = this.#watch().catch(halt);
  }

  /** What the present one tells to whoever watches it. */
  metrics(): Promise<MetricSample[]> {
    return this.#server.metrics();
  }

  /** For somebody who stops it. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
    await this.#server.leave();
  }

  async #watch(): Promise<void> {
    const { clock, log } = this.#world;
    for (;;) {
      await clock.sleep("cs.room", PERIOD_MS, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      if (!this.#server.isExhausted || !(await this.#hasRoom())) continue;
      log.info("there is room on the disk again");
      await this.#server.close();
      this.#server = new ChunkServer(this.#config, this.#world);
      await this.#startAgain();
    }
  }

  /** Opening takes room as well. If there is too little it is tried again as long as it takes. */
  async #startAgain(): Promise<void> {
    const { clock, log } = this.#world;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#server.start();
        return;
      } catch (error) {
        if (failureOf(error)?.code !== "no_space") throw error;
        log.warn("the disk is too full to begin");
      }
      await clock.sleep("cs.room", PERIOD_MS, this.#stop.signal);
    }
  }

  async #hasRoom(): Promise<boolean> {
    try {
      const { totalBytes, freeBytes } = await this.#server.space();
      return freeBytes >= reserveOf(totalBytes) * RESERVE_FRACTION;
    } catch (error) {
      if (failureOf(error) === undefined) throw error;
      return false;
    }
  }
}
