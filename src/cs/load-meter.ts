import type { ChunkRequest, CsLoad, CsTotals } from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import { type BusyTime, RequestTimes } from "../telemetry/index.js";
import { CS_REQUESTS } from "./metrics.js";

type Totals = { -readonly [Name in keyof CsTotals]: number };

/** Of a request: what it is, and whether it is part of making a replica anew on another server. */
export interface MeasuredRequest {
  readonly type: string;
  readonly isFill: boolean;
  /** Writes of several places count as several. */
  readonly placeCount?: number;
}

/** Counts what a server does, for the heartbeats and for who watches it. */
export class LoadMeter {
  readonly #clock: Clock;
  readonly #disk: BusyTime;
  /** By kind, since the start. */
  readonly times: RequestTimes;
  readonly #totals: Totals = {
    readBytes: 0,
    readCount: 0,
    writeBytes: 0,
    writeCount: 0,
    syncCount: 0,
    fillBytes: 0,
    servedFillBytes: 0,
  };
  /** As they were when the last load was taken. */
  #before: CsTotals = { ...this.#totals };
  #beforeMs: number;
  #diskMsBefore = 0;
  #latencyMsSum = 0;
  #latencyMsMax = 0;
  #endedCount = 0;
  #clientDepth = 0;
  #clientEndedMs = Number.NEGATIVE_INFINITY;
  #queueDepth = 0;
  #queueDepthMax = 0;
  /** Requests under way, added up over the time since the last load was taken. */
  #queueMs = 0;
  #queueSinceMs: number;

  /** `disk`: for how long it has had something to do. */
  constructor(clock: Clock, disk: BusyTime) {
    this.#clock = clock;
    this.#disk = disk;
    this.times = new RequestTimes(clock, CS_REQUESTS);
    this.#beforeMs = clock.monotonicMs();
    this.#queueSinceMs = this.#beforeMs;
  }

  /** Since the start. */
  get totals(): CsTotals {
    return { ...this.#totals };
  }

  /** For how long the disk has had something to do, s. */
  get diskBusySeconds(): number {
    return this.#disk.totalMs / 1000;
  }

  /** Requests under way. */
  get queueDepth(): number {
    return this.#queueDepth;
  }

  /** Since the last request that was not for a copy, ms. */
  get unusedForMs(): number {
    return this.#clientDepth > 0 ? 0 : this.#clock.monotonicMs() - this.#clientEndedMs;
  }

  /** Counts a request from now until it ends. */
  async measure<T>(
    request: MeasuredRequest,
    bytes: (result: T) => number,
    act: () => Promise<T>,
  ): Promise<T> {
    const startMs = this.#changeQueue(1);
    if (!request.isFill) this.#clientDepth++;
    try {
      const result = await act();
      this.#count(request, bytes(result));
      return result;
    } finally {
      const endMs = this.#changeQueue(-1);
      if (!request.isFill) {
        this.#clientDepth--;
        this.#clientEndedMs = endMs;
      }
      const latencyMs = endMs - startMs;
      this.times.end(kindOf(request), startMs);
      this.#endedCount++;
      this.#latencyMsSum += latencyMs;
      this.#latencyMsMax = Math.max(this.#latencyMsMax, latencyMs);
    }
  }

  /** Bytes of a replica that is being made here came from another server. */
  filled(bytes: number): void {
    this.#totals.fillBytes += bytes;
  }

  /** What was done since the last call. */
  take(): CsLoad {
    const nowMs = this.#changeQueue(0);
    const elapsedMs = nowMs - this.#beforeMs;
    const share = (ms: number): number => (elapsedMs === 0 ? 0 : ms / elapsedMs);
    const totals = { ...this.#totals };
    const before = this.#before;
    const load: CsLoad = {
      readBytes: totals.readBytes - before.readBytes,
      readCount: totals.readCount - before.readCount,
      writeBytes: totals.writeBytes - before.writeBytes,
      writeCount: totals.writeCount - before.writeCount,
      syncCount: totals.syncCount - before.syncCount,
      fillBytes: totals.fillBytes - before.fillBytes,
      servedFillBytes: totals.servedFillBytes - before.servedFillBytes,
      latencyMsAverage: this.#endedCount === 0 ? 0 : this.#latencyMsSum / this.#endedCount,
      latencyMsMax: this.#latencyMsMax,
      queueDepth: this.#queueDepth,
      queueDepthAverage: share(this.#queueMs),
      queueDepthMax: this.#queueDepthMax,
      ioWaitPercent: Math.min(100, 100 * share(this.#disk.totalMs - this.#diskMsBefore)),
      elapsedMs,
      totals,
    };
    this.#before = totals;
    this.#beforeMs = nowMs;
    this.#diskMsBefore = this.#disk.totalMs;
    this.#queueDepthMax = this.#queueDepth;
    this.#queueMs = this.#latencyMsSum = this.#latencyMsMax = this.#endedCount = 0;
    return load;
  }

  /** Returns the time. */
  #changeQueue(by: number): number {
    const nowMs = this.#clock.monotonicMs();
    this.#queueMs += this.#queueDepth * (nowMs - this.#queueSinceMs);
    this.#queueSinceMs = nowMs;
    this.#queueDepth += by;
    this.#queueDepthMax = Math.max(this.#queueDepthMax, this.#queueDepth);
    return nowMs;
  }

  #count({ type, isFill, placeCount = 1 }: MeasuredRequest, bytes: number): void {
    const totals = this.#totals;
    if (type === "read" && isFill) totals.servedFillBytes += bytes;
    else if (type === "read") {
      totals.readCount++;
      totals.readBytes += bytes;
    } else if (type === "write" || type === "extents" || type === "forward") {
      totals.writeCount += placeCount;
      totals.writeBytes += bytes;
    } else if (type === "sync") totals.syncCount++;
  }
}

/** What a server asks that makes a replica anew, of one that has it. */
export function isForCopy(request: ChunkRequest): boolean {
  return request.type === "describe" || (request.type === "read" && request.body.background);
}

/** As `kind` of the metrics has it. */
function kindOf({ type, isFill }: MeasuredRequest): string {
  switch (type) {
    case "read":
      return isFill ? "fill" : "read";
    case "write":
    case "extents":
    case "forward":
    case "zero":
      return "write";
    case "sync":
      return "sync";
    default:
      return "other";
  }
}
