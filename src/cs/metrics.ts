import type { CsTotals } from "../chunk/index.js";
import { counterSample, gaugeSample, type MetricSample } from "../telemetry/index.js";

/** How long requests to a chunk server take. */
export const CS_REQUESTS = {
  name: "pstorage_cs_request_duration_seconds",
  help: "Time from a request to its answer, by kind: read, write, sync, fill (of replicas made elsewhere) or other.",
  label: "kind",
} as const;

/** Readings of one chunk server. */
export interface CsReadings {
  readonly totals: CsTotals;
  readonly queueDepth: number;
  /** For how long the disk has had something to do. */
  readonly diskBusySeconds: number;
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly replicaCount: number;
  /** The MDS has admitted it. */
  readonly isServing: boolean;
  /** Damaged blocks found since the present or last round of the scrub began. */
  readonly damagedBlocks: number;
}

/** What a chunk server tells. */
export function csSamples(readings: CsReadings): MetricSample[] {
  const { totals } = readings;
  return [
    ...trafficSamples(totals),
    gaugeSample("pstorage_cs_requests", "Requests under way.", readings.queueDepth),
    counterSample(
      "pstorage_cs_disk_busy_seconds_total",
      "Time in which the disk had something to do.",
      readings.diskBusySeconds,
    ),
    gaugeSample("pstorage_cs_space_bytes", "Space of the disk: total or free.", readings.totalBytes, {
      kind: "total",
    }),
    gaugeSample("pstorage_cs_space_bytes", "Space of the disk: total or free.", readings.freeBytes, {
      kind: "free",
    }),
    gaugeSample("pstorage_cs_replicas", "Replicas that it holds.", readings.replicaCount),
    gaugeSample("pstorage_cs_is_serving", "1 while the cluster lets it serve.", readings.isServing ? 1 : 0),
    gaugeSample(
      "pstorage_cs_damaged_blocks",
      "Damaged blocks found since the present or last round of the scrub began.",
      readings.damagedBlocks,
    ),
  ];
}

function trafficSamples(totals: CsTotals): MetricSample[] {
  const requests = "Requests answered, by kind: read, write (by clients or down a chain) or sync.";
  return [
    counterSample("pstorage_cs_read_bytes_total", "Read by clients.", totals.readBytes),
    counterSample("pstorage_cs_write_bytes_total", "Written by clients.", totals.writeBytes),
    counterSample("pstorage_cs_requests_total", requests, totals.readCount, { kind: "read" }),
    counterSample("pstorage_cs_requests_total", requests, totals.writeCount, { kind: "write" }),
    counterSample("pstorage_cs_requests_total", requests, totals.syncCount, { kind: "sync" }),
    counterSample("pstorage_cs_fill_bytes_total", "Fetched to make replicas anew here.", totals.fillBytes),
    counterSample(
      "pstorage_cs_served_fill_bytes_total",
      "Read here to make replicas anew elsewhere.",
      totals.servedFillBytes,
    ),
  ];
}
