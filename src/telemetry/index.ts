/** How daemons tell what they do: log lines and metrics. Knows no domain. */
export { BusyTime } from "./busy-time.js";
export { type LogFields, type Logger, type LogLevel, noopLogger } from "./logger.js";
export {
  describeFields,
  failOnErrorLine,
  type LogLine,
  type MemoryLogger,
  type MemoryLoggerOptions,
  memoryLogger,
} from "./memory-logger.js";
export {
  type Counter,
  type Gauge,
  type Histogram,
  LATENCY_BOUNDS,
  type MetricLabels,
  type MetricSample,
  type Metrics,
  MetricsRegistry,
} from "./metrics.js";
export {
  type MetricsEndpoint,
  type MetricsMachine,
  parseMetricsAddress,
  serveMetrics,
} from "./metrics-endpoint.js";
export { METRICS_TYPE, metricsText } from "./metrics-text.js";
export { type DaemonLog, type LogOptions, openLog } from "./pino-logger.js";
export { RequestTimes } from "./request-times.js";
export {
  counterSample,
  gaugeSample,
  labelled,
  type ProcessReadings,
  processSamples,
} from "./samples.js";
