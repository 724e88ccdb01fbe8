import { expect, test } from "vitest";
import { Courtesy } from "../../../src/cs/courtesy.js";
import { LoadMeter } from "../../../src/cs/load-meter.js";
import { BusyTime } from "../../../src/telemetry/index.js";
import { ManualClock } from "../rpc/fake-channel.js";

/** How many of ten pieces begin at once. */
async function begunAtOnce(unusedForMs: number): Promise<number> {
  const courtesy = new Courtesy(() => unusedForMs);
  let begun = 0;
  for (let index = 0; index < 10; index++)
    void courtesy.piece(() => {
      begun++;
      return new Promise<void>(() => undefined);
    });
  await new Promise((resolve) => setImmediate(resolve));
  return begun;
}

test("while clients use the server one piece is copied at a time", async () => {
  expect(await begunAtOnce(0)).toBe(1);
  expect(await begunAtOnce(99)).toBe(1);
});

test("while nobody does all are copied at once", async () => {
  expect(await begunAtOnce(100)).toBe(10);
});

test("a piece that fails lets the next one begin", async () => {
  const courtesy = new Courtesy(() => 0);
  const failing = courtesy.piece(() => Promise.reject(new Error("gone")));
  const next = courtesy.piece(() => Promise.resolve("copied"));
  await expect(failing).rejects.toThrow("gone");
  expect(await next).toBe("copied");
});

test("a server is used while a client's request is under way, and until some time after it; copies do not count", async () => {
  const clock = new ManualClock();
  const meter = new LoadMeter(clock, new BusyTime(clock));
  const during: number[] = [];
  const request = (isFill: boolean): Promise<void> =>
    meter.measure(
      { type: "read", isFill },
      () => 0,
      async () => {
        clock.advance(50);
        during.push(meter.unusedForMs);
      },
    );
  await request(true);
  await request(false);
  clock.advance(70);
  await request(true);
  expect(during).toEqual([Number.POSITIVE_INFINITY, 0, 120]);
  expect(meter.unusedForMs).toBe(120);
});
