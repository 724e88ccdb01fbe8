import type { CsLoad } from "../chunk/index.js";
import type { Clock } from "../io/index.js";

/** Counts what a server does, for the heartbeats. */
export class LoadMeter {
  readonly #clock: Clock;
  #readBytes = 0;
  #readCount = 0;
  #writeBytes = 0;
  #writeCount = 0;
  #syncCount = 0;
  #latencyMsSum = 0;
  #latencyMsMax = 0;
  #endedCount = 0;
  #queueDepth = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Requests under way. */
  get queueDepth(): number {
    return this.#queueDepth;
  }

  /** Counts a request from now until it ends. */
  async measure<T>(type: string, bytes: (result: T) => number, act: () => Promise<T>): Promise<T> {
    const startMs = this.#clock.monotonicMs();
    this.#queueDepth++;
    try {
      const result = await act();
      this.#count(type, bytes(result));
      return result;
    } finally {
      this.#queueDepth--;
      const latencyMs = this.#clock.monotonicMs() - startMs;
      this.#endedCount++;
      this.#latencyMsSum += latencyMs;
      this.#latencyMsMax = Math.max(this.#latencyMsMax, latencyMs);
    }
  }

  /** What was done since the last call. */
  take(): CsLoad {
    const load: CsLoad = {
      readBytes: this.#readBytes,
      readCount: this.#readCount,
      writeBytes: this.#writeBytes,
      writeCount: this.#writeCount,
      syncCount: this.#syncCount,
      latencyMsAverage: this.#endedCount === 0 ? 0 : this.#latencyMsSum / this.#endedCount,
      latencyMsMax: this.#latencyMsMax,
      queueDepth: this.#queueDepth,
      ioWaitPercent: 0,
    };
    this.#readBytes = this.#readCount = this.#writeBytes = this.#writeCount = this.#syncCount = 0;
    this.#latencyMsSum = this.#latencyMsMax = this.#endedCount = 0;
    return load;
  }

  #count(type: string, bytes: number): void {
    if (type === "read") {
      this.#readCount++;
      this.#readBytes += bytes;
    } else if (type === "write" || type === "forward") {
      this.#writeCount++;
      this.#writeBytes += bytes;
    } else if (type === "sync") this.#syncCount++;
  }
}
