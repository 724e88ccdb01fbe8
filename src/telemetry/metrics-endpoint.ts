import { storageError } from "../base/index.js";
import type { MetricLabels, MetricSample } from "./metrics.js";
import { METRICS_TYPE, metricsText } from "./metrics-text.js";
import { labelled, type ProcessReadings, processSamples } from "./samples.js";

/** Only this machine can ask, unless somebody says otherwise. */
const LOOPBACK = "127.0.0.1";

/** Reads `PORT`, `ADDR:PORT` or `[ADDR]:PORT`; without an address it is the loopback. Throws `invalid`. */
export function parseMetricsAddress(text: string): { readonly host: string; readonly port: number } {
  const found = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Za-z.-]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (found === null || port > 65535) {
    throw storageError("invalid", `"${text}" is no place for metrics; give PORT or ADDR:PORT`);
  }
  return { host: found[1] ?? found[2] ?? LOOPBACK, port };
}

/** How a daemon's machine answers over HTTP, and what it knows of the process. */
export interface MetricsMachine {
  readonly servePages: (
    at: { readonly host: string; readonly port: number },
    page: (path: string) => Promise<{ readonly type: string; readonly text: string } | undefined>,
  ) => Promise<MetricsEndpoint>;
  readonly processReadings: () => ProcessReadings;
}

export interface MetricsEndpoint {
  /** `IP:PORT` with the real port. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Serves `/metrics` in Prometheus' text format: what `samples` gives and what every process tells, with these labels.
 * Without an address nothing is served.
 */
export async function serveMetrics(
  { servePages, processReadings }: MetricsMachine,
  address: string | undefined,
  labels: MetricLabels,
  samples: () => Promise<readonly MetricSample[]>,
): Promise<MetricsEndpoint | undefined> {
  if (address === undefined) return undefined;
  return await servePages(parseMetricsAddress(address), async (path) => {
    if (path !== "/metrics") return undefined;
    const all = labelled([...(await samples()), ...processSamples(processReadings())], labels);
    return { type: METRICS_TYPE, text: metricsText(all) };
  });
}
