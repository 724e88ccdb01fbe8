import { type Failure, failureOf, storageError } from "../base/index.js";
import {
  BLOCK_BYTES,
  type ChainMember,
  type ChunkDescription,
  type ChunkRequest,
  REGION_BYTES,
} from "../chunk/index.js";
import type { ChunkAnswer } from "../rpc/index.js";
import { Bitmap } from "./core/bitmap.js";
import { FETCH_COUNT_MAX, type Fill } from "./core/fill.js";
import type { ReplicaEnvironment } from "./environment.js";
import type { Filling } from "./filling.js";
import { isSound, type Payload } from "./merge-blocks.js";
import type { RateLimit } from "./rate-limit.js";
import type { Replica } from "./replica.js";

const RETRY_DELAY_MS_MIN = 20;
const RETRY_DELAY_MS_MAX = 2_000;
const FETCH_TIMEOUT_MS = 20_000;
/** Without success for so long the MDS is told: it knows whether the sources are elsewhere by now. */
const STALL_MS = 5_000;

/**
 * Fetches the contents of a replica that is being resynchronised, from the other members of its chain, while the
 * chain's changes flow in. Tries for as long as the version stands: only the MDS can decide to give up, or to begin anew
 * with the present addresses.
 */
export class Filler {
  readonly #env: ReplicaEnvironment;
  readonly #rate: RateLimit;
  readonly #replica: Replica;
  readonly #filling: Filling;
  readonly #fill: Fill;
  readonly #sources: readonly ChainMember[];
  readonly #stop = new AbortController();
  #turn = 0;
  /** Payload bytes that were fetched. */
  #copiedBytes = 0;
  #succeededAtMs: number;
  /** Resolves when it has stopped. */
  readonly finished: Promise<void>;

  /** Begins when `before` (an older filler of this replica) has resolved. `onComplete` is called when everything is here and safe from loss of power. */
  constructor(
    env: ReplicaEnvironment,
    rate: RateLimit,
    replica: Replica,
    filling: Filling,
    sources: readonly ChainMember[],
    before: Promise<void>,
    onComplete: () => void,
  ) {
    this.#env = env;
    this.#rate = rate;
    this.#replica = replica;
    this.#filling = filling;
    this.#fill = filling.fill;
    this.#sources = sources;
    this.#succeededAtMs = env.clock.monotonicMs();
    this.finished = before.then(() => this.#work(onComplete));
  }

  get copiedBytes(): number {
    return this.#copiedBytes;
  }

  stop(): void {
    this.#stop.abort();
  }

  async #work(onComplete: () => void): Promise<void> {
    if (!(await this.#untilDone(() => this.#describe()))) return;
    const fetchers = Array.from({ length: FETCH_COUNT_MAX }, () => this.#fetchAll());
    await Promise.all(fetchers);
    if (this.#isStopped || !this.#fill.isComplete) return;
    if (!(await this.#untilDone(() => this.#filling.finish()))) return;
    onComplete();
  }

  async #fetchAll(): Promise<void> {
    for (;;) {
      const region = this.#fill.next();
      if (region === undefined) return;
      const isDone = await this.#untilDone(() => this.#inTurn(() => this.#fetch(region)));
      if (!isDone) {
        this.#fill.failed(region);
        return;
      }
      this.#fill.done(region);
    }
  }

  /** Tries until it works: true; or until this filler is stopped: false. */
  async #untilDone(act: () => Promise<void>): Promise<boolean> {
    for (
      let delayMs = RETRY_DELAY_MS_MIN;
      !this.#isStopped;
      delayMs = Math.min(RETRY_DELAY_MS_MAX, 2 * delayMs)
    ) {
      try {
        await act();
        this.#succeededAtMs = this.#env.clock.monotonicMs();
        return true;
      } catch (error) {
        const failure = failureOf(error);
        if (failure === undefined) throw error;
        this.#tell(failure);
      }
      await this.#env.clock.sleep("cs.fill.retry", delayMs, this.#stop.signal);
    }
    return false;
  }

  #tell({ code }: Failure): void {
    const { chunkId, version } = this.#replica;
    const { clock, log, report, selfId } = this.#env;
    log.debug("fetching from a source failed", { chunkId, version, code });
    if (code === "busy" || clock.monotonicMs() - this.#succeededAtMs < STALL_MS) return;
    this.#succeededAtMs = clock.monotonicMs();
    report(chunkId, version, selfId, code);
  }

  async #describe(): Promise<void> {
    if (this.#fill.isDescribed) return;
    const { since } = this.#fill;
    const { chunkId, version } = this.#replica;
    let description: ChunkDescription | undefined;
    // One that joined later than this replica left does not know what changed; another one may.
    for (let left = since === undefined ? 1 : this.#sources.length; left > 0; left--) {
      const { reply } = await this.#ask({
        type: "describe",
        body: { chunkId, version, sinceVersion: since },
      });
      if (reply.type !== "description") throw storageError("malformed", "not a description");
      description = reply.body;
      if (description.changedRegions !== undefined) break;
    }
    if (description === undefined) throw storageError("unavailable", "there is nobody to fetch from");
    const { highWaterBytes, regions, suspectRegions, changedRegions } = description;
    this.#fill.describe({
      highWaterBytes,
      regions: new Bitmap(regions),
      suspectRegions: new Bitmap(suspectRegions),
      changedRegions: changedRegions && new Bitmap(changedRegions),
    });
    if (since !== undefined) await this.#filling.narrow();
  }

  /** With a single source left there is nothing more urgent. */
  #inTurn(act: () => Promise<void>): Promise<void> {
    return this.#sources.length > 1 ? this.#env.courtesy.piece(act) : act();
  }

  async #fetch(region: number): Promise<void> {
    const { chunkId, version } = this.#replica;
    const { chunkBytes } = this.#replica.stored.record;
    const offset = region * REGION_BYTES;
    const lengthBytes = Math.min(REGION_BYTES, chunkBytes - offset);
    await this.#rate.take(lengthBytes, this.#stop.signal);
    if (!this.#env.takeRoom(lengthBytes)) throw storageError("no_space", "the disk is full");
    const body = { chunkId, version, offset, lengthBytes, background: true };
    const { reply, payload } = await this.#ask({ type: "read", body });
    if (reply.type !== "data") throw storageError("malformed", "not data");
    const fetched: Payload = { bytes: payload, checksums: reply.body.checksums };
    if (!isSound(fetched, lengthBytes / BLOCK_BYTES)) {
      throw storageError("chunk_corrupt", "what was fetched was damaged on the way");
    }
    if (this.#isStopped) throw storageError("cancelled", "the filling was stopped");
    this.#copiedBytes += payload.length;
    this.#env.filled(payload.length);
    await this.#filling.put(region, offset, fetched, FETCH_TIMEOUT_MS);
  }

  /** The sources take turns. */
  #ask(request: ChunkRequest): Promise<ChunkAnswer> {
    const source = this.#sources[this.#turn++ % Math.max(1, this.#sources.length)];
    if (source === undefined) throw storageError("unavailable", "there is nobody to fetch from");
    const call = { request, payload: new Uint8Array(0) };
    return this.#env.links.request(source.address, call, FETCH_TIMEOUT_MS, this.#stop.signal);
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }
}
