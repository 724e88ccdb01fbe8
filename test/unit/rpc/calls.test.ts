import { beforeEach, expect, test } from "vitest";
import { type StorageError, storageError } from "../../../src/base/index.js";
import { CallClient, type CallDown, type CallUp } from "../../../src/rpc/index.js";
import { FakeChannel, ManualClock, settle } from "./fake-channel.js";

let clock: ManualClock;
let channel: FakeChannel<CallUp<string>, CallDown<string>>;
let client: CallClient<string, string, string>;

beforeEach(() => {
  clock = new ManualClock();
  channel = new FakeChannel();
  client = new CallClient(channel, clock, { outstandingMax: 3, waitingMax: 2 });
});

const later = { deadlineMs: 10_000 };
const reply = (id: number, body: string): void => channel.deliver({ id, failure: undefined, body });
const bodies = (): (string | undefined)[] => channel.sent.map((call) => call.body);
const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "answered",
    (error: unknown) => (error as StorageError).code,
  );

test("replies find their requests in whatever order they come", async () => {
  const calls = ["a", "b", "c"].map((body) => client.request(body, later));
  expect(channel.sent.map(({ id, deadlineMs, body }) => [id, deadlineMs, body])).toEqual([
    [1, 10_000, "a"],
    [2, 10_000, "b"],
    [3, 10_000, "c"],
  ]);
  reply(2, "B");
  reply(3, "C");
  reply(1, "A");
  expect(await Promise.all(calls)).toEqual(["A", "B", "C"]);
});

test("a failure keeps its code and hint", async () => {
  const call = client.request("a", later);
  const failure = { code: "not_leader", detail: "x", leaderHint: "10.0.0.2:2511" } as const;
  channel.deliver({ id: 1, failure, body: undefined });
  await expect(call).rejects.toMatchObject({ failure });
});

test("a reply that this version does not know is unsupported", async () => {
  const call = client.request("a", later);
  channel.deliver({ id: 1, failure: undefined, body: undefined });
  expect(await codeOf(call)).toBe("unsupported");
});

test("answers to nobody, and twice to somebody, are ignored", async () => {
  const call = client.request("a", later);
  reply(77, "?");
  reply(1, "A");
  reply(1, "again");
  expect(await call).toBe("A");
});

test("what the other end says unasked goes to the push handler; an unknown one to nobody", () => {
  const pushes: string[] = [];
  client.onPush((push) => pushes.push(push));
  reply(0, "hear");
  channel.deliver({ id: 0, failure: undefined, body: undefined });
  expect(pushes).toEqual(["hear"]);
});

test("only so many are on the way; the next waits its turn, and one more than may wait is busy", async () => {
  const calls = ["a", "b", "c", "d", "e"].map((body) => client.request(body, later));
  expect(await codeOf(client.request("f", later))).toBe("busy");
  expect(bodies()).toEqual(["a", "b", "c"]);
  reply(2, "B");
  expect(bodies()).toEqual(["a", "b", "c", "d"]);
  for (const [index, id] of [1, 3, 4].entries()) reply(id, `${index}`);
  reply(5, "E");
  expect(await calls[4]).toBe("E");
});

test("while the channel is full requests wait, and then go in order", async () => {
  channel.clog();
  const calls = ["a", "b", "c"].map((body) => client.request(body, later));
  expect(bodies()).toEqual(["a"]);
  channel.unclog();
  await settle();
  expect(bodies()).toEqual(["a", "b", "c"]);
  for (const id of [1, 2, 3]) reply(id, "ok");
  await Promise.all(calls);
});

test("a request ends as timed_out at its deadline, sent or waiting, and others go on", async () => {
  const short = client.request("short", { deadlineMs: 100 });
  const long = client.request("long", { deadlineMs: 5000 });
  channel.clog();
  const third = client.request("third", { deadlineMs: 5000 });
  const waiting = client.request("waiting", { deadlineMs: 200 });
  clock.advance(90);
  reply(2, "in time");
  expect(await long).toBe("in time");
  clock.advance(25);
  expect(await codeOf(short)).toBe("timed_out");
  clock.advance(100);
  expect(await codeOf(waiting)).toBe("timed_out");
  reply(1, "too late");
  reply(3, "ok");
  expect(await third).toBe("ok");
});

test("a waiting request tells the server only the time that is left", async () => {
  channel.clog();
  const calls = ["a", "b"].map((body) => client.request(body, { deadlineMs: 1000 }));
  clock.advance(400);
  channel.unclog();
  await settle();
  expect(channel.sent[1]?.deadlineMs).toBe(600);
  reply(1, "");
  reply(2, "");
  await Promise.all(calls);
});

test("thousands of requests with the same deadline set few timers", async () => {
  for (let i = 1; i <= 2000; i++) {
    const call = client.request("x", later);
    clock.advance(1);
    reply(i, "y");
    await call;
  }
  expect(clock.timerCount).toBeLessThan(5);
});

test("a request that its caller gives up ends as cancelled, and frees its place", async () => {
  const abort = new AbortController();
  const given = client.request("a", { ...later, signal: abort.signal });
  const others = ["b", "c", "d"].map((body) => client.request(body, later));
  expect(bodies()).toEqual(["a", "b", "c"]);
  abort.abort();
  expect(await codeOf(given)).toBe("cancelled");
  expect(bodies()).toEqual(["a", "b", "c", "d"]);
  expect(await codeOf(client.request("e", { ...later, signal: abort.signal }))).toBe("cancelled");
  for (const id of [2, 3, 4]) reply(id, "ok");
  await Promise.all(others);
});

test.each([
  ["with a failure, all requests end with it", storageError("not_leader", "x"), "not_leader"],
  ["without one, all requests end as unavailable", undefined, "unavailable"],
])("when the other end closes %s, and later ones too", async (_name, failure, code) => {
  const heard: (StorageError | undefined)[] = [];
  client.onClose((reason) => heard.push(reason));
  const calls = ["a", "b", "c", "d"].map((body) => codeOf(client.request(body, later)));
  channel.close(failure);
  expect(await Promise.all(calls)).toEqual([code, code, code, code]);
  expect(await codeOf(client.request("e", later))).toBe(code);
  expect(heard).toEqual([failure]);
  expect(client.isClosed).toBe(true);
});

test("when we close, our requests end as closed", async () => {
  const call = client.request("a", later);
  client.close();
  expect(await codeOf(call)).toBe("closed");
});

test("a request that cannot be encoded fails alone", async () => {
  channel.refusal = storageError("malformed", "too long");
  expect(await codeOf(client.request("huge", later))).toBe("malformed");
  channel.refusal = undefined;
  const call = client.request("small", later);
  reply(2, "ok");
  expect(await call).toBe("ok");
});
