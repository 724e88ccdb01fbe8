import { expect, test } from "vitest";
import { LATENCY_BOUNDS, RequestTimes } from "../../../src/telemetry/index.js";
import { ManualClock } from "../rpc/fake-channel.js";

const FAMILY = { name: "wait_seconds", help: "Wait.", label: "kind" };

test("requests are counted by kind, in seconds, each in the first bucket that is not too small", () => {
  const clock = new ManualClock();
  const times = new RequestTimes(clock, FAMILY);
  const began = times.begin();
  clock.advance(1);
  times.end("write", began);
  times.end("write", began);
  clock.advance(20_000);
  times.end("read", began);

  const samples = times.samples();
  expect(samples.map(({ labels }) => labels)).toEqual([{ kind: "read" }, { kind: "write" }]);
  const [read, write] = samples.map((sample) => (sample.type === "histogram" ? sample : undefined));
  expect(write?.counts[LATENCY_BOUNDS.indexOf(0.001)]).toBe(2);
  expect(write?.sum).toBeCloseTo(0.002);
  expect(read?.counts.at(-1)).toBe(1);
  expect(read?.counts).toHaveLength(LATENCY_BOUNDS.length + 1);
});

test("a kind that there has not been has no series", () => {
  expect(new RequestTimes(new ManualClock(), FAMILY).samples()).toEqual([]);
});
