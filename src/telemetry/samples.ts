import type { MetricLabels, MetricSample } from "./metrics.js";

/** One value of something that only grows. */
export function counterSample(
  name: string,
  help: string,
  value: number,
  labels: MetricLabels = {},
): MetricSample {
  return { type: "counter", name, help, value, labels };
}

/** One value of something that goes up and down. */
export function gaugeSample(
  name: string,
  help: string,
  value: number,
  labels: MetricLabels = {},
): MetricSample {
  return { type: "gauge", name, help, value, labels };
}

/** Readings of a process. */
export interface ProcessReadings {
  /** Processor time, user and system, s. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** When it began, s since 1970. */
  readonly startSeconds: number;
}

/** What every daemon tells, under the names that Prometheus has for it. */
export function processSamples({ cpuSeconds, residentBytes, startSeconds }: ProcessReadings): MetricSample[] {
  return [
    counterSample("process_cpu_seconds_total", "Processor time used, user and system.", cpuSeconds),
    gaugeSample("process_resident_memory_bytes", "Memory in use.", residentBytes),
    gaugeSample("process_start_time_seconds", "When the process began, seconds since 1970.", startSeconds),
  ];
}

/** The samples, each with these labels too. */
export function labelled(samples: readonly MetricSample[], labels: MetricLabels): MetricSample[] {
  return samples.map((sample) => ({ ...sample, labels: { ...labels, ...sample.labels } }));
}
