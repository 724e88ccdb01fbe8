import type { ClusterStatus } from "../../meta/index.js";

/** The cluster at one moment, as far as charts need it. Rates are of a second, over everything. */
export interface Sample {
  /** Wall-clock time of the leading MDS. */
  readonly atMs: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly reads: number;
  readonly writes: number;
  readonly syncs: number;
  /** Of requests of clients, weighted by their number. */
  readonly latencyMs: number;
  /** Written by making replicas anew. */
  readonly fillBytes: number;
  /** Chunks with fewer replicas than they should have. */
  readonly lacking: number;
}

/** What the last hour was like: samples at even distances, the oldest give way. */
export class History {
  readonly #everyMs: number;
  readonly #countMax: number;
  readonly #samples: Sample[] = [];

  constructor(everyMs: number, spanMs: number) {
    this.#everyMs = everyMs;
    this.#countMax = Math.ceil(spanMs / everyMs);
  }

  /** Oldest first. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** Takes it in, unless the last one is younger than the distance. */
  add(sample: Sample): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && sample.atMs - last.atMs < this.#everyMs) return;
    this.#samples.push(sample);
    if (this.#samples.length > this.#countMax) this.#samples.shift();
  }

  /** When every chunk will have its replicas, in seconds, if it goes on as in the last minutes; undefined: unknown, or done. */
  repairSeconds(overMs: number): number | undefined {
    const last = this.#samples.at(-1);
    if (last === undefined || last.lacking === 0) return undefined;
    const first = this.#samples.find(({ atMs }) => atMs >= last.atMs - overMs);
    if (first === undefined || first.lacking <= last.lacking) return undefined;
    const perMs = (first.lacking - last.lacking) / (last.atMs - first.atMs);
    return last.lacking / perMs / 1000;
  }
}

/** What charts show of a picture of the cluster. */
export function sampleOf({ wallMs, clients, chunkServers, chunks }: ClusterStatus): Sample {
  const sum = <T>(list: readonly T[], of: (one: T) => number): number =>
    list.reduce((total, one) => total + of(one), 0);
  const requests = sum(clients, (client) => client.readsPerSecond + client.writesPerSecond);
  const waited = sum(
    clients,
    (client) => (client.readsPerSecond + client.writesPerSecond) * client.latencyMsAverage,
  );
  return {
    atMs: wallMs,
    readBytes: sum(clients, (client) => client.readBytesPerSecond),
    writeBytes: sum(clients, (client) => client.writeBytesPerSecond),
    reads: sum(clients, (client) => client.readsPerSecond),
    writes: sum(clients, (client) => client.writesPerSecond),
    syncs: sum(clients, (client) => client.syncsPerSecond),
    latencyMs: requests === 0 ? 0 : waited / requests,
    fillBytes: sum(chunkServers, (server) => server.fillBytesPerSecond),
    lacking: chunks.degraded + chunks.urgent + chunks.blocked + chunks.pending,
  };
}
