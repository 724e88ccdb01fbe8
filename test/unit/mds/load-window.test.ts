import { expect, test } from "vitest";
import type { CsLoad } from "../../../src/chunk/index.js";
import { ClientLoadWindow, CsLoadWindow } from "../../../src/mds/load-window.js";
import type { ClientLoad } from "../../../src/meta/index.js";

const TOTALS = {
  readBytes: 0,
  readCount: 0,
  writeBytes: 0,
  writeCount: 0,
  syncCount: 0,
  fillBytes: 0,
  servedFillBytes: 0,
};
const IDLE: CsLoad = {
  ...TOTALS,
  latencyMsAverage: 0,
  latencyMsMax: 0,
  queueDepth: 0,
  queueDepthAverage: 0,
  queueDepthMax: 0,
  ioWaitPercent: 0,
  elapsedMs: 1000,
  totals: TOTALS,
};

function summaryAfter(...loads: readonly Partial<CsLoad>[]) {
  const window = new CsLoadWindow();
  for (const load of loads) window.add({ ...IDLE, ...load });
  return window.summary();
}

test("a server that said nothing yet has done nothing", () => {
  expect(summaryAfter()).toMatchObject({ readBytesPerSecond: 0, latencyMsAverage: 0, queueDepthAverage: 0 });
});

test("rates are of the last five seconds, whatever the heartbeats' period is", () => {
  const busy = { readBytes: 1000, readCount: 10, ioWaitPercent: 100, elapsedMs: 2500 };
  expect(summaryAfter(busy, busy)).toMatchObject({
    readBytesPerSecond: 400,
    readsPerSecond: 4,
    ioWaitPercent: 100,
  });
  expect(summaryAfter(busy, {}, {}, {}, {}, {})).toMatchObject({ readBytesPerSecond: 0, ioWaitPercent: 0 });
});

test("latency is of the last twenty seconds, and requests count, not heartbeats", () => {
  const slow = { writeCount: 1, latencyMsAverage: 100, latencyMsMax: 100 };
  const fast = { writeCount: 9, latencyMsAverage: 10, latencyMsMax: 20 };
  expect(summaryAfter(slow, fast)).toMatchObject({ latencyMsAverage: 19, latencyMsMax: 100 });
  const idle = Array.from({ length: 20 }, () => ({}));
  expect(summaryAfter(slow, ...idle)).toMatchObject({ latencyMsAverage: 0, latencyMsMax: 0 });
});

const CLIENT: ClientLoad = {
  readBytes: 5000,
  readCount: 5,
  writeBytes: 0,
  writeCount: 0,
  syncCount: 1,
  latencyMsSum: 60,
  latencyMsMax: 30,
};

test("a client's rates are between its last two reports", () => {
  const window = new ClientLoadWindow();
  window.add(CLIENT, 1000);
  expect(window.summary()).toMatchObject({ readBytesPerSecond: 0, latencyMsMax: 30 });
  window.add({ ...CLIENT, readBytes: 15_000, readCount: 7, latencyMsSum: 100, latencyMsMax: 7 }, 6000);
  expect(window.summary()).toMatchObject({
    readBytesPerSecond: 2000,
    readsPerSecond: 0.4,
    latencyMsAverage: 20,
    latencyMsMax: 7,
  });
});

test("a client that counts from 0 again has not read less than nothing", () => {
  const window = new ClientLoadWindow();
  window.add(CLIENT, 1000);
  window.add({ ...CLIENT, readBytes: 10, readCount: 1 }, 2000);
  expect(window.summary().readBytesPerSecond).toBe(0);
});
