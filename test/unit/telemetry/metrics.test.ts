import { describe, expect, test } from "vitest";
import { MetricsRegistry } from "../../../src/telemetry/index.js";

describe("metrics", () => {
  test("the same name and labels give the same series, in any order of labels", () => {
    const metrics = new MetricsRegistry();
    metrics.counter("reads_total", "Reads.", { tier: "0", host: "a" }).add();
    metrics.counter("reads_total", "Reads.", { host: "a", tier: "0" }).add(2);
    metrics.counter("reads_total", "Reads.", { host: "b", tier: "0" }).add(10);

    expect(metrics.snapshot().map((sample) => "value" in sample && sample.value)).toEqual([3, 10]);
  });

  test("a snapshot is ordered, and does not change afterwards", () => {
    const metrics = new MetricsRegistry();
    metrics.gauge("z_bytes", "Z.").set(5);
    const histogram = metrics.histogram("a_seconds", "A.", [0.1, 1]);
    const before = metrics.snapshot();
    histogram.observe(0.5);

    expect(before.map((sample) => sample.name)).toEqual(["a_seconds", "z_bytes"]);
    expect(before[0]).toMatchObject({ counts: [0, 0, 0], sum: 0 });
  });

  test("an observation falls into the first bucket whose bound it does not exceed", () => {
    const metrics = new MetricsRegistry();
    const histogram = metrics.histogram("wait_seconds", "Wait.", [0.1, 1]);
    for (const value of [0, 0.1, 0.11, 1, 1.5, 100]) histogram.observe(value);

    expect(metrics.snapshot()).toEqual([
      {
        type: "histogram",
        name: "wait_seconds",
        help: "Wait.",
        labels: {},
        upperBounds: [0.1, 1],
        counts: [2, 2, 2],
        sum: 102.71,
      },
    ]);
  });

  test("names end in their unit, a name has one type, counters only grow, and bounds ascend", () => {
    const metrics = new MetricsRegistry();
    const counter = metrics.counter("x_total", "X.");

    expect(() => metrics.counter("x", "X.")).toThrow("_total");
    expect(() => metrics.histogram("x_ms", "X.", [1])).toThrow("_seconds or _bytes");
    expect(() => metrics.gauge("x_total", "X.")).toThrow("another type");
    expect(() => metrics.gauge("No Good", "X.")).toThrow("small letters");
    expect(() => counter.add(-1)).toThrow("only grows");
    expect(() => metrics.histogram("y_seconds", "Y.", [1, 1])).toThrow("ascend");
  });
});
