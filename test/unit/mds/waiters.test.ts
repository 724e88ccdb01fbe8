import { expect, test } from "vitest";
import { chunkId } from "../../../src/chunk/index.js";
import type { WaitKey } from "../../../src/mds/core/command.js";
import { Waiters } from "../../../src/mds/waiters.js";
import { ManualClock, settle } from "../rpc/fake-channel.js";

const CHUNK: WaitKey = { type: "chunk", chunkId: chunkId(7) };
const OTHER: WaitKey = { type: "chunk", chunkId: chunkId(8) };

function started(): {
  clock: ManualClock;
  waiters: Waiters;
  done: string[];
  wait: (key: WaitKey, name: string) => void;
} {
  const clock = new ManualClock();
  const waiters = new Waiters(clock);
  const done: string[] = [];
  const wait = (key: WaitKey, name: string): void => {
    void waiters.wait(key, waiters.now, 1000).then(() => done.push(name));
  };
  return { clock, waiters, done, wait };
}

test("a wake resumes those who wait for its key, and nobody else", async () => {
  const { waiters, done, wait } = started();
  wait(CHUNK, "a");
  wait(CHUNK, "b");
  wait(OTHER, "c");

  waiters.wake(CHUNK);
  await settle();

  expect(done).toEqual(["a", "b"]);
  expect(waiters.isWaitedFor(CHUNK)).toBe(false);
  expect(waiters.isWaitedFor(OTHER)).toBe(true);
});

test("lists the chunks that somebody waits for", () => {
  const { waiters, wait } = started();
  wait(CHUNK, "a");
  wait(CHUNK, "b");
  wait({ type: "space" }, "c");
  wait(OTHER, "d");
  expect(waiters.chunks()).toEqual([7, 8]);
  waiters.wake(CHUNK);
  expect(waiters.chunks()).toEqual([8]);
});

test("a wake between the proposal and the wait is not lost", async () => {
  const { waiters, done } = started();
  const since = waiters.now;
  waiters.wake(CHUNK);

  void waiters.wait(CHUNK, since, 1000).then(() => done.push("late"));
  await settle();

  expect(done).toEqual(["late"]);
});

test("a wake before the proposal counts for nothing", async () => {
  const { waiters, done, wait } = started();
  waiters.wake(CHUNK);
  wait(CHUNK, "next");
  await settle();
  expect(done).toEqual([]);
});

test("nobody waits for longer than he said, or after he was told to stop", async () => {
  const { clock, waiters, done, wait } = started();
  const stop = new AbortController();
  wait(CHUNK, "timed");
  void waiters.wait(CHUNK, waiters.now, 10_000, stop.signal).then(() => done.push("stopped"));

  clock.advance(999);
  await settle();
  expect(done).toEqual([]);
  clock.advance(1);
  await settle();
  expect(done).toEqual(["timed"]);
  stop.abort();
  await settle();
  expect(done).toEqual(["timed", "stopped"]);
  expect(waiters.isWaitedFor(CHUNK)).toBe(false);
});

test("the end of a leadership wakes everybody", async () => {
  const { waiters, done, wait } = started();
  wait(CHUNK, "a");
  wait({ type: "space" }, "b");
  waiters.wakeAll();
  await settle();
  expect(done).toEqual(["a", "b"]);
});
