import type { CsLoad } from "../chunk/index.js";
import type { ClientLoad } from "../meta/index.js";

/** Rates are over this time; latencies over the longer one, as in the original. */
const RATE_MS = 5_000;
const LATENCY_MS = 20_000;
/** Whatever the heartbeats' period is. */
const COUNT_MAX = 128;

/** What a chunk server did over the last seconds. */
export interface CsLoadSummary {
  readonly readBytesPerSecond: number;
  readonly writeBytesPerSecond: number;
  readonly readsPerSecond: number;
  readonly writesPerSecond: number;
  readonly syncsPerSecond: number;
  readonly fillBytesPerSecond: number;
  readonly servedFillBytesPerSecond: number;
  readonly ioWaitPercent: number;
  readonly queueDepth: number;
  readonly queueDepthAverage: number;
  readonly queueDepthMax: number;
  readonly latencyMsAverage: number;
  readonly latencyMsMax: number;
}

type CountedField = Exclude<keyof CsLoad, "totals">;

/** The latest heartbeats of one chunk server. */
export class CsLoadWindow {
  #loads: CsLoad[] = [];

  add(load: CsLoad): void {
    this.#loads = lastOf([...this.#loads, load], LATENCY_MS).slice(-COUNT_MAX);
  }

  summary(): CsLoadSummary {
    const recent = lastOf(this.#loads, RATE_MS);
    const elapsedMs = sumOf(recent, "elapsedMs");
    const rate = (field: CountedField): number =>
      elapsedMs === 0 ? 0 : (1000 * sumOf(recent, field)) / elapsedMs;
    const average = (field: CountedField): number =>
      elapsedMs === 0 ? 0 : recent.reduce((sum, load) => sum + load[field] * load.elapsedMs, 0) / elapsedMs;
    const requestCount = this.#loads.reduce((sum, load) => sum + requestsOf(load), 0);
    const latencyMsSum = this.#loads.reduce((sum, load) => sum + requestsOf(load) * load.latencyMsAverage, 0);
    return {
      readBytesPerSecond: rate("readBytes"),
      writeBytesPerSecond: rate("writeBytes"),
      readsPerSecond: rate("readCount"),
      writesPerSecond: rate("writeCount"),
      syncsPerSecond: rate("syncCount"),
      fillBytesPerSecond: rate("fillBytes"),
      servedFillBytesPerSecond: rate("servedFillBytes"),
      ioWaitPercent: average("ioWaitPercent"),
      queueDepth: this.#loads.at(-1)?.queueDepth ?? 0,
      queueDepthAverage: average("queueDepthAverage"),
      queueDepthMax: Math.max(0, ...recent.map((load) => load.queueDepthMax)),
      latencyMsAverage: requestCount === 0 ? 0 : latencyMsSum / requestCount,
      latencyMsMax: Math.max(0, ...this.#loads.map((load) => load.latencyMsMax)),
    };
  }
}

/** What a client did between its last two reports. */
export interface ClientLoadSummary {
  readonly readBytesPerSecond: number;
  readonly writeBytesPerSecond: number;
  readonly readsPerSecond: number;
  readonly writesPerSecond: number;
  readonly syncsPerSecond: number;
  readonly latencyMsAverage: number;
  readonly latencyMsMax: number;
}

/** The last two reports of one client. */
export class ClientLoadWindow {
  #before: { readonly atMs: number; readonly load: ClientLoad } | undefined;
  #latest: { readonly atMs: number; readonly load: ClientLoad } | undefined;

  /** `atMs`: when it was heard. A client that began anew counts from 0 again. */
  add(load: ClientLoad, atMs: number): void {
    const isAnew = this.#latest !== undefined && load.readBytes < this.#latest.load.readBytes;
    this.#before = isAnew ? undefined : this.#latest;
    this.#latest = { load, atMs };
  }

  /** All 0 until there are two reports. */
  summary(): ClientLoadSummary {
    const latest = this.#latest;
    const before = this.#before ?? latest;
    const elapsedMs = (latest?.atMs ?? 0) - (before?.atMs ?? 0);
    const grown = (field: keyof ClientLoad): number =>
      Math.max(0, (latest?.load[field] ?? 0) - (before?.load[field] ?? 0));
    const rate = (field: keyof ClientLoad): number =>
      elapsedMs <= 0 ? 0 : (1000 * grown(field)) / elapsedMs;
    const requestCount = grown("readCount") + grown("writeCount") + grown("syncCount");
    return {
      readBytesPerSecond: rate("readBytes"),
      writeBytesPerSecond: rate("writeBytes"),
      readsPerSecond: rate("readCount"),
      writesPerSecond: rate("writeCount"),
      syncsPerSecond: rate("syncCount"),
      latencyMsAverage: requestCount === 0 ? 0 : grown("latencyMsSum") / requestCount,
      latencyMsMax: latest?.load.latencyMsMax ?? 0,
    };
  }
}

/** The latest ones that together are about so long, at least one. */
function lastOf(loads: readonly CsLoad[], lengthMs: number): CsLoad[] {
  let leftMs = lengthMs;
  let first = loads.length;
  while (first > 0 && leftMs > 0) leftMs -= Math.max(1, loads[--first]?.elapsedMs ?? 0);
  return loads.slice(first);
}

function sumOf(loads: readonly CsLoad[], field: CountedField): number {
  return loads.reduce((sum, load) => sum + load[field], 0);
}

function requestsOf({ readCount, writeCount, syncCount }: CsLoad): number {
  return readCount + writeCount + syncCount;
}
