import type { Clock } from "../io/index.js";
import { type Histogram, LATENCY_BOUNDS, type MetricSample, MetricsRegistry } from "./metrics.js";

/**
 * How long requests take, by kind: a family of histograms in seconds. To observe one costs a look-up and a few comparisons, and
 * nothing is allocated for it. Kinds are words of our own, never of whoever asks, so that there are few.
 */
export class RequestTimes {
  readonly #clock: Clock;
  readonly #family: { readonly name: string; readonly help: string; readonly label: string };
  readonly #registry = new MetricsRegistry();
  readonly #byKind = new Map<string, Histogram>();

  /** `label`: the name of what tells the kinds apart. */
  constructor(
    clock: Clock,
    family: { readonly name: string; readonly help: string; readonly label: string },
  ) {
    this.#clock = clock;
    this.#family = family;
  }

  /** A request begins: what `end` is to be given. */
  begin(): number {
    return this.#clock.monotonicMs();
  }

  /** A request that began then was answered, or refused. */
  end(kind: string, beganMs: number): void {
    const histogram = this.#byKind.get(kind) ?? this.#histogramOf(kind);
    histogram.observe((this.#clock.monotonicMs() - beganMs) / 1000);
  }

  /** A series for every kind that there has been. */
  samples(): MetricSample[] {
    return this.#registry.snapshot();
  }

  #histogramOf(kind: string): Histogram {
    const { name, help, label } = this.#family;
    const histogram = this.#registry.histogram(name, help, LATENCY_BOUNDS, { [label]: kind });
    this.#byKind.set(kind, histogram);
    return histogram;
  }
}
