import { assert } from "../base/index.js";

/** Label names and values; a metric is one series for each combination. */
export type MetricLabels = Readonly<Record<string, string>>;

/** Only grows. Name ends in `_total`. */
export interface Counter {
  add(amount?: number): void;
}

/** Goes up and down. */
export interface Gauge {
  set(value: number): void;
}

/** Counts observations by size. Name ends in `_seconds` or `_bytes`. */
export interface Histogram {
  observe(value: number): void;
}

/** Where a daemon counts. Asking again for the same name and labels gives the same series. */
export interface Metrics {
  counter(name: string, help: string, labels?: MetricLabels): Counter;
  gauge(name: string, help: string, labels?: MetricLabels): Gauge;
  /** `upperBounds` ascend; what is greater than the last goes into an unbounded bucket. */
  histogram(name: string, help: string, upperBounds: readonly number[], labels?: MetricLabels): Histogram;
}

/** One series at one moment. */
export type MetricSample =
  | {
      readonly type: "counter" | "gauge";
      readonly name: string;
      readonly help: string;
      readonly labels: MetricLabels;
      readonly value: number;
    }
  | {
      readonly type: "histogram";
      readonly name: string;
      readonly help: string;
      readonly labels: MetricLabels;
      readonly upperBounds: readonly number[];
      /** One longer than `upperBounds`, not cumulative. */
      readonly counts: readonly number[];
      readonly sum: number;
    };

/** Upper bounds for latencies in seconds, 100 us to 10 s. */
export const LATENCY_BOUNDS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

type Series = CounterSeries | GaugeSeries | HistogramSeries;

/** All the series of one process. */
export class MetricsRegistry implements Metrics {
  readonly #series = new Map<string, Series>();

  counter(name: string, help: string, labels: MetricLabels = {}): Counter {
    assert(name.endsWith("_total"), "a counter's name ends in _total");
    const series = this.#obtain(name, labels, () => new CounterSeries(name, help, labels));
    assert(series instanceof CounterSeries, `${name} was registered as another type`);
    return series;
  }

  gauge(name: string, help: string, labels: MetricLabels = {}): Gauge {
    const series = this.#obtain(name, labels, () => new GaugeSeries(name, help, labels));
    assert(series instanceof GaugeSeries, `${name} was registered as another type`);
    return series;
  }

  histogram(
    name: string,
    help: string,
    upperBounds: readonly number[],
    labels: MetricLabels = {},
  ): Histogram {
    assert(/_(seconds|bytes)$/.test(name), "a histogram's name ends in _seconds or _bytes");
    const series = this.#obtain(name, labels, () => new HistogramSeries(name, help, upperBounds, labels));
    assert(series instanceof HistogramSeries, `${name} was registered as another type`);
    return series;
  }

  /** Every series as it is now, ordered by name and labels. */
  snapshot(): MetricSample[] {
    return [...this.#series].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, series]) => series.sample());
  }

  #obtain(name: string, labels: MetricLabels, make: () => Series): Series {
    assert(/^[a-z][a-z0-9_]*$/.test(name), "a metric's name is made of small letters, digits and _");
    const key = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
    const series = this.#series.get(key) ?? make();
    this.#series.set(key, series);
    return series;
  }
}

class CounterSeries implements Counter {
  readonly #identity: { readonly name: string; readonly help: string; readonly labels: MetricLabels };
  #value = 0;

  constructor(name: string, help: string, labels: MetricLabels) {
    this.#identity = { name, help, labels };
  }

  add(amount = 1): void {
    assert(amount >= 0, "a counter only grows");
    this.#value += amount;
  }

  sample(): MetricSample {
    return { type: "counter", ...this.#identity, value: this.#value };
  }
}

class GaugeSeries implements Gauge {
  readonly #identity: { readonly name: string; readonly help: string; readonly labels: MetricLabels };
  #value = 0;

  constructor(name: string, help: string, labels: MetricLabels) {
    this.#identity = { name, help, labels };
  }

  set(value: number): void {
    this.#value = value;
  }

  sample(): MetricSample {
    return { type: "gauge", ...this.#identity, value: this.#value };
  }
}

class HistogramSeries implements Histogram {
  readonly #identity: { readonly name: string; readonly help: string; readonly labels: MetricLabels };
  readonly #upperBounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(name: string, help: string, upperBounds: readonly number[], labels: MetricLabels) {
    const ascending = upperBounds.every((bound, i) => i === 0 || bound > (upperBounds[i - 1] ?? bound));
    assert(ascending && upperBounds.length > 0, "bucket bounds ascend and there is at least one");
    this.#identity = { name, help, labels };
    this.#upperBounds = upperBounds;
    this.#counts = new Array<number>(upperBounds.length + 1).fill(0);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.#upperBounds.length && value > (this.#upperBounds[bucket] ?? 0)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
  }

  sample(): MetricSample {
    const counts = [...this.#counts];
    return { type: "histogram", ...this.#identity, upperBounds: this.#upperBounds, counts, sum: this.#sum };
  }
}
