import { expect, test } from "vitest";
import { chunkId, chunkVersion } from "../../../src/chunk/index.js";
import { Courtesy } from "../../../src/cs/courtesy.js";
import { isForCopy, LoadMeter } from "../../../src/cs/load-meter.js";
import type { Clock } from "../../../src/io/index.js";
import { BusyTime } from "../../../src/telemetry/index.js";
import { ManualClock } from "../rpc/fake-channel.js";

const HANGING: Promise<void> = new Promise(() => undefined);

/** So long nobody has used the server; `secondIsOver` ends all waiting. */
function scene(unusedForMs: number): { courtesy: Courtesy; secondIsOver: () => void } {
  const waiting: (() => void)[] = [];
  const sleep = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  const courtesy = new Courtesy({ sleep } as unknown as Clock, () => unusedForMs);
  return { courtesy, secondIsOver: () => waiting.splice(0).forEach((resolve) => void resolve()) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** How many of ten pieces begin at once. */
async function begunAtOnce(unusedForMs: number): Promise<number> {
  const { courtesy } = scene(unusedForMs);
  let begun = 0;
  for (let index = 0; index < 10; index++)
    void courtesy.piece(() => {
      begun++;
      return HANGING;
    });
  await turn();
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
  const { courtesy } = scene(0);
  const failing = courtesy.piece(() => Promise.reject(new Error("gone")));
  const next = courtesy.piece(() => Promise.resolve("copied"));
  await expect(failing).rejects.toThrow("gone");
  expect(await next).toBe("copied");
});

test("a piece that hangs holds nobody up for longer than a second, and may still come", async () => {
  const { courtesy, secondIsOver } = scene(0);
  let come: (what: string) => void = () => undefined;
  const hanging = courtesy.piece(() => new Promise<string>((resolve) => (come = resolve)));
  let next: string | undefined;
  void courtesy.piece(() => Promise.resolve("copied")).then((what) => (next = what));
  await turn();
  expect(next).toBeUndefined();
  secondIsOver();
  await turn();
  expect(next).toBe("copied");
  come("late");
  expect(await hanging).toBe("late");
});

test("what a copy asks for is no use by clients", () => {
  const place = { chunkId: chunkId(1), version: chunkVersion(1) };
  const read = { ...place, offset: 0, lengthBytes: 4096 };
  expect(isForCopy({ type: "describe", body: { ...place, sinceVersion: undefined } })).toBe(true);
  expect(isForCopy({ type: "read", body: { ...read, background: true } })).toBe(true);
  expect(isForCopy({ type: "read", body: { ...read, background: false } })).toBe(false);
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
