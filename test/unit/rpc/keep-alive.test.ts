import { type ClientHttp2Session, connect, createServer, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import type { Clock } from "../../../src/io/index.js";
import { realWorld } from "../../../src/io/real/index.js";
import { keepAlive } from "../../../src/rpc/grpc/keep-alive.js";

/** So much faster than it is. */
const HASTE = 50;
const real = realWorld().clock;
const clock: Pick<Clock, "after"> = {
  after: (label, delayMs, run) => real.after(label, delayMs / HASTE, run),
};
const PERIODS_MS = (5 * 6000) / HASTE;
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A connection with a call that is never answered. */
async function connection(): Promise<{ client: ClientHttp2Session; server: ServerHttp2Session }> {
  const listener = createServer();
  const accepted = new Promise<ServerHttp2Session>((resolve) => listener.once("session", resolve));
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const client = connect(`http://127.0.0.1:${(listener.address() as AddressInfo).port}`);
  const server = await accepted;
  closers.push(() => {
    client.destroy();
    server.destroy();
    listener.close();
  });
  const call = client.request({ ":method": "POST", ":path": "/" }, { endStream: false });
  call.on("error", () => undefined);
  await new Promise((resolve) => listener.once("stream", resolve));
  return { client, server };
}

test("a connection that answers pings stays", async () => {
  const { client } = await connection();
  let deaths = 0;
  keepAlive(client, clock, () => deaths++);
  await sleep(PERIODS_MS);

  expect(deaths).toBe(0);
});

test("a connection whose peer says that it is stopping, and then nothing, is given up", async () => {
  const { client, server } = await connection();
  const died = new Promise<void>((resolve) => keepAlive(client, clock, resolve));
  server.goaway();
  await new Promise((resolve) => client.once("goaway", resolve));

  await Promise.race([died, sleep(PERIODS_MS).then(() => Promise.reject(new Error("it was not given up")))]);
});
