import type { ClientLoad } from "../meta/index.js";
import type { ChunkAnswer, ChunkCall } from "../rpc/index.js";

/** Counts what a client asks of chunk servers, for operators. */
export class ClientLoadMeter {
  #load: ClientLoad = {
    readBytes: 0,
    readCount: 0,
    writeBytes: 0,
    writeCount: 0,
    syncCount: 0,
    latencyMsSum: 0,
    latencyMsMax: 0,
  };
  #latencyMsMax = 0;

  /** A request was answered after so long. */
  count({ request, payload }: ChunkCall, answer: ChunkAnswer, tookMs: number): void {
    const { type } = request;
    const load = this.#load;
    if (type === "read") {
      this.#add({ readCount: load.readCount + 1, readBytes: load.readBytes + answer.payload.length }, tookMs);
    } else if (type === "write" || type === "extents") {
      const writeCount = load.writeCount + (type === "write" ? 1 : request.body.extents.length);
      this.#add({ writeCount, writeBytes: load.writeBytes + payload.length }, tookMs);
    } else if (type === "sync") this.#add({ syncCount: load.syncCount + 1 }, tookMs);
  }

  /** Everything until now. */
  get totals(): ClientLoad {
    return this.#load;
  }

  /** Everything until now; the longest latency is since the last call. */
  take(): ClientLoad {
    const load = { ...this.#load, latencyMsMax: this.#latencyMsMax };
    this.#latencyMsMax = 0;
    return load;
  }

  #add(change: Partial<ClientLoad>, tookMs: number): void {
    this.#load = { ...this.#load, ...change, latencyMsSum: this.#load.latencyMsSum + tookMs };
    this.#latencyMsMax = Math.max(this.#latencyMsMax, tookMs);
  }
}
