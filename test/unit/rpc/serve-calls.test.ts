import { beforeEach, expect, test } from "vitest";
import { StorageError, storageError } from "../../../src/base/index.js";
import { type CallContext, type CallDown, type CallUp, serveCalls } from "../../../src/rpc/index.js";
import { FakeChannel, settle } from "./fake-channel.js";

let channel: FakeChannel<CallDown<string>, CallUp<string>>;
const open: {
  request: string;
  context: CallContext;
  resolve: (reply: string) => void;
  reject: (error: Error) => void;
}[] = [];

beforeEach(() => {
  channel = new FakeChannel();
  open.length = 0;
});

function serve(): ReturnType<typeof serveCalls<string, string, string>> {
  return serveCalls<string, string, string>(
    channel,
    (request, context) =>
      new Promise((resolve, reject) => {
        open.push({ request, context, resolve, reject });
      }),
    { concurrencyMax: 2 },
  );
}
const ask = (id: number, body: string | undefined): void => channel.deliver({ id, deadlineMs: 500, body });

test("requests begin in order and are answered in the order they end", async () => {
  serve();
  ask(1, "a");
  ask(2, "b");
  expect(open.map(({ request }) => request)).toEqual(["a", "b"]);
  expect(open[0]?.context.deadlineMs).toBe(500);
  open[1]?.resolve("B");
  await settle();
  open[0]?.resolve("A");
  await settle();
  expect(channel.sent.map(({ id, body }) => [id, body])).toEqual([
    [2, "B"],
    [1, "A"],
  ]);
});

test("a failure is the answer; its cause stays here", async () => {
  serve();
  ask(1, "a");
  open[0]?.reject(new StorageError({ code: "no_space", detail: "full" }, new Error("secret")));
  await settle();
  expect(channel.sent).toEqual([{ id: 1, failure: { code: "no_space", detail: "full" }, body: undefined }]);
});

test("a request that this version does not know is answered as unsupported", async () => {
  serve();
  ask(1, undefined);
  await settle();
  expect(channel.sent[0]?.failure?.code).toBe("unsupported");
  expect(open).toEqual([]);
});

test("a request without a number closes the channel", () => {
  serve();
  ask(0, "a");
  expect(channel.closedWith?.code).toBe("malformed");
});

test("no more are taken in than may be worked on", async () => {
  serve();
  ask(1, "a");
  expect(channel.isPaused).toBe(false);
  ask(2, "b");
  expect(channel.isPaused).toBe(true);
  open[0]?.resolve("A");
  await settle();
  expect(channel.isPaused).toBe(false);
});

test("no more are taken in while answers cannot be sent", async () => {
  serve();
  channel.clog();
  ask(1, "a");
  open[0]?.resolve("A");
  await settle();
  expect(channel.isPaused).toBe(true);
  channel.unclog();
  await settle();
  expect(channel.isPaused).toBe(false);
});

test("an answer that is too long is a failure of its request", async () => {
  serve();
  ask(1, "a");
  channel.refusal = storageError("malformed", "too long");
  const send = channel.send.bind(channel);
  channel.send = (message) => {
    if (message.failure !== undefined) channel.refusal = undefined;
    return send(message);
  };
  open[0]?.resolve("A");
  await settle();
  expect(channel.sent.map(({ failure }) => failure?.code)).toEqual(["malformed"]);
});

test("handlers hear when nobody is there any more", () => {
  const server = serve();
  let heard = 0;
  server.onClose(() => heard++);
  ask(1, "a");
  expect(open[0]?.context.signal.aborted).toBe(false);
  channel.close();
  expect(open[0]?.context.signal.aborted).toBe(true);
  expect(heard).toBe(1);
});

test("a push has number 0", () => {
  serve().push("hear");
  expect(channel.sent).toEqual([{ id: 0, failure: undefined, body: "hear" }]);
});

test("whoever keeps times is told when a request begins, and when it was answered or refused", async () => {
  const told: string[] = [];
  let began = 0;
  const times = {
    begin: () => ++began,
    end: (request: string, since: number) => void told.push(`${request} ${since}`),
  };
  const answer = async (request: string): Promise<string> => {
    if (request === "bad") throw storageError("invalid");
    return "good";
  };
  serveCalls<string, string, string>(channel, answer, { times });
  ask(1, "a");
  ask(2, "bad");
  ask(3, undefined);
  await settle();
  expect(channel.sent).toHaveLength(3);
  expect(told).toEqual(["a 1", "bad 2"]);
});
