import type { ClientLoad } from "../meta/index.js";
import { counterSample, gaugeSample, type MetricSample } from "../telemetry/index.js";
import type { BlockCacheStatus } from "./block-cache.js";

/** What a client tells. */
export function clientSamples(
  load: ClientLoad,
  isConnected: boolean,
  cache: BlockCacheStatus | undefined,
): MetricSample[] {
  const requests = "Requests that chunk servers have answered, by kind: read, write or sync.";
  return [
    gaugeSample(
      "pstorage_client_is_connected",
      "1 while a leading metadata server answers.",
      isConnected ? 1 : 0,
    ),
    counterSample("pstorage_client_read_bytes_total", "Read from chunk servers.", load.readBytes),
    counterSample("pstorage_client_write_bytes_total", "Written to chunk servers.", load.writeBytes),
    counterSample("pstorage_client_requests_total", requests, load.readCount, { kind: "read" }),
    counterSample("pstorage_client_requests_total", requests, load.writeCount, { kind: "write" }),
    counterSample("pstorage_client_requests_total", requests, load.syncCount, { kind: "sync" }),
    counterSample(
      "pstorage_client_request_seconds_total",
      "Time that all these requests took together.",
      load.latencyMsSum / 1000,
    ),
    ...(cache === undefined ? [] : cacheSamples(cache)),
  ];
}

function cacheSamples(cache: BlockCacheStatus): MetricSample[] {
  const lookups = "Blocks that were looked for in the read cache, by whether they were there.";
  return [
    counterSample("pstorage_client_cache_lookups_total", lookups, cache.hits, { result: "hit" }),
    counterSample("pstorage_client_cache_lookups_total", lookups, cache.misses, { result: "miss" }),
    gaugeSample(
      "pstorage_client_cache_used_bytes",
      "What the read cache holds.",
      cache.blocksUsed * cache.blockBytes,
    ),
    counterSample(
      "pstorage_client_cache_failures_total",
      "Requests that the cache's disk failed.",
      cache.failures,
    ),
  ];
}
