import { expect, test } from "vitest";
import { LoadMeter } from "../../../src/cs/load-meter.js";
import { BusyTime } from "../../../src/telemetry/index.js";
import { ManualClock } from "../rpc/fake-channel.js";

interface Scene {
  readonly clock: ManualClock;
  readonly disk: BusyTime;
  readonly meter: LoadMeter;
  /** A request of that many bytes that takes so long. */
  request(type: string, bytes: number, tookMs: number, isFill?: boolean): Promise<void>;
}

function scene(): Scene {
  const clock = new ManualClock();
  const disk = new BusyTime(clock);
  const meter = new LoadMeter(clock, disk);
  const request: Scene["request"] = async (type, bytes, tookMs, isFill = false) => {
    await meter.measure(
      { type, isFill },
      () => bytes,
      async () => clock.advance(tookMs),
    );
  };
  return { clock, disk, meter, request };
}

test("a load is what was done since the load before, the totals are since the start", async () => {
  const { clock, meter, request } = scene();
  await request("read", 4096, 10);
  await request("forward", 8192, 30);
  clock.advance(960);
  expect(meter.take()).toMatchObject({
    readBytes: 4096,
    writeBytes: 8192,
    latencyMsAverage: 20,
    latencyMsMax: 30,
    elapsedMs: 1000,
  });
  await request("sync", 0, 5);
  const load = meter.take();
  expect(load).toMatchObject({ readBytes: 0, writeBytes: 0, syncCount: 1, latencyMsMax: 5 });
  expect(load.totals).toMatchObject({ readBytes: 4096, readCount: 1, writeBytes: 8192, syncCount: 1 });
});

test("what is read to make replicas on other servers is no client's read", async () => {
  const { meter, request } = scene();
  await request("read", 1 << 20, 10, true);
  meter.filled(4096);
  expect(meter.take()).toMatchObject({
    readBytes: 0,
    readCount: 0,
    servedFillBytes: 1 << 20,
    fillBytes: 4096,
  });
});

test("the queue is averaged over the time, and the disk's share is that of the time it had something to do", async () => {
  const { clock, disk, meter } = scene();
  const act = async (): Promise<void> => {
    await disk.during(async () => clock.advance(250));
  };
  const request = { type: "read", isFill: false };
  await meter.measure(
    request,
    () => 0,
    () =>
      meter.measure(
        request,
        () => 0,
        () => act(),
      ),
  );
  clock.advance(750);
  expect(meter.take()).toMatchObject({
    ioWaitPercent: 25,
    queueDepth: 0,
    queueDepthAverage: 0.5,
    queueDepthMax: 2,
  });
  clock.advance(1000);
  expect(meter.take()).toMatchObject({ ioWaitPercent: 0, queueDepthAverage: 0, queueDepthMax: 0 });
});

test("the time of requests is kept by kind, also of those that fail", async () => {
  const { meter, request } = scene();
  for (const type of ["write", "extents", "forward", "zero"]) await request(type, 1, 10);
  await request("read", 1, 20);
  await request("read", 1, 30, true);
  await request("sync", 0, 40);
  await request("describe", 0, 50);
  const failing = meter.measure(
    { type: "sync", isFill: false },
    () => 0,
    () => Promise.reject(new Error("no")),
  );
  await expect(failing).rejects.toThrow("no");
  const told = meter.times
    .samples()
    .map((sample) => [
      sample.labels["kind"],
      sample.type === "histogram" && sample.counts.reduce((sum, count) => sum + count),
      sample.type === "histogram" && Math.round(1000 * sample.sum),
    ]);
  expect(told).toEqual([
    ["fill", 1, 30],
    ["other", 1, 50],
    ["read", 1, 20],
    ["sync", 2, 40],
    ["write", 4, 40],
  ]);
});
