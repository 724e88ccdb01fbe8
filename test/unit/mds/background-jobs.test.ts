import { expect, test } from "vitest";
import { storageError } from "../../../src/base/index.js";
import { BackgroundJobs, Heartbeat } from "../../../src/mds/background-jobs.js";
import { ManualClock, settle } from "../rpc/fake-channel.js";

interface Running {
  readonly key: number;
  readonly finish: (isDone: boolean) => void;
}

function jobsOf(concurrencyMax: number): { jobs: BackgroundJobs<number>; running: Running[] } {
  const running: Running[] = [];
  const jobs = new BackgroundJobs<number>(
    concurrencyMax,
    (key) => new Promise((finish) => running.push({ key, finish })),
  );
  return { jobs, running };
}

test("no more keys are worked on at once than allowed, and the others get their turn", async () => {
  const { jobs, running } = jobsOf(2);
  for (const key of [1, 2, 3]) jobs.add(key);
  expect(running.map(({ key }) => key)).toEqual([1, 2]);
  running[0]?.finish(true);
  await settle();
  expect(running.map(({ key }) => key)).toEqual([1, 2, 3]);
});

test("a key added while it is worked on is worked on once more", async () => {
  const { jobs, running } = jobsOf(1);
  jobs.add(1);
  jobs.add(1);
  jobs.add(1);
  expect(running).toHaveLength(1);
  running[0]?.finish(true);
  await settle();
  expect(running).toHaveLength(2);
  running[1]?.finish(true);
  await settle();
  expect(jobs.size).toBe(0);
});

test("what could not be finished is taken up by the next retry, and not before", async () => {
  const { jobs, running } = jobsOf(1);
  jobs.add(1);
  running[0]?.finish(false);
  await settle();
  expect(running).toHaveLength(1);
  expect(jobs.size).toBe(1);
  jobs.retry();
  expect(running).toHaveLength(2);
});

test("after closing nothing is begun any more", async () => {
  const { jobs, running } = jobsOf(1);
  jobs.add(1);
  jobs.add(2);
  jobs.close();
  running[0]?.finish(true);
  await settle();
  jobs.retry();
  expect(running).toHaveLength(1);
});

test("what work under way works with may be closed behind its back, once nothing is begun any more", async () => {
  let fail: (error: unknown) => void = () => undefined;
  const failing = (): Promise<boolean> => new Promise((_, reject) => (fail = reject));
  const jobs = new BackgroundJobs<number>(1, failing);
  jobs.add(1);
  jobs.close();
  fail(storageError("closed", "the store is closed"));
  await settle();
  expect(jobs.size).toBe(0);

  const clock = new ManualClock();
  const beat = new Heartbeat(clock, "test", 10, async () => void (await failing()));
  beat.start();
  clock.advance(10);
  beat.close();
  // Unhandled otherwise, which fails the run.
  fail(storageError("closed", "the store is closed"));
  await settle();
});
