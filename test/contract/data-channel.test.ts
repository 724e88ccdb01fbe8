import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { concatBytes } from "../../src/base/index.js";
import type { Connection } from "../../src/io/index.js";
import { RealNet } from "../../src/io/real/real-net.js";
import { encodeGreeting, type Greeting } from "../../src/rpc/channel/data-greeting.js";
import { DataListener } from "../../src/rpc/channel/data-listener.js";
import { type Protection, Sealer } from "../../src/rpc/channel/data-seal.js";
import { GrpcRpc } from "../../src/rpc/grpc/index.js";
import type { Channel } from "../../src/rpc/index.js";
import { MethodTable, type ServedMethod } from "../../src/rpc/method-table.js";
import { type MemoryLogger, memoryLogger } from "../../src/telemetry/index.js";
import { clock, credential, dataChannelWorld, ECHO, random } from "./rpc-world.js";

/** What a stranger can do to the port of the data channels. */
const net = new RealNet();
const socketPath = join(tmpdir(), `pstorage-data-${process.pid}.sock`);
const peer = { address: "a friend", clusterId: "", hostId: "", roles: [] };
let log: MemoryLogger;
let listener: DataListener;
let method: ServedMethod;
let served: Channel<Uint8Array, Uint8Array>[];
let received: Uint8Array[];

beforeEach(async () => {
  log = memoryLogger();
  [served, received] = [[], []];
  const methods = new MethodTable();
  methods.stream(ECHO, (channel) => {
    served.push(channel);
    channel.onMessage((message) => received.push(message));
  });
  method = methods.find(ECHO.path) ?? expect.unreachable();
  listener = new DataListener({ clock, net, random, log }, method);
  await listener.listen("127.0.0.1", socketPath);
});
afterEach(() => listener.close());

async function closed(connection: Connection): Promise<void> {
  connection.onData(() => undefined);
  await new Promise<void>((resolve) => connection.onClose(resolve));
}

/** Connects with the greeting and one message, sealed with that key. */
async function attempt(address: string, greeting: Greeting, key: Uint8Array): Promise<Connection> {
  const connection = await net.connect(address, { timeoutMs: 3000 });
  const part = concatBytes(Uint8Array.of(0, 0, 0, 2, 1), Uint8Array.of(5, 6));
  const record = new Sealer(key, greeting.protection).seal([part]);
  connection.write([encodeGreeting(greeting), Uint8Array.of(0, 0, 0, part.length), ...record]);
  return connection;
}

async function eventually(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !holds(); i++) await clock.sleep("test", 10);
  expect(holds()).toBe(true);
}

test.each<[Protection, string]>([
  ["authenticated", "tcp"],
  ["encrypted", "tcp"],
  ["plain", "unix"],
])("whoever was granted a channel is heard: %s, %s", async (protection, kind) => {
  const { channelId, keyUp, port } = listener.grant(peer, true);
  const address = kind === "unix" ? `unix:${socketPath}` : `127.0.0.1:${port}`;
  const connection = await attempt(address, { protection, channelId }, keyUp);
  await eventually(() => received.length === 1);
  expect([...(received[0] ?? [])]).toEqual([5, 6]);
  connection.destroy();
});

test("a channel that was not granted, or was used already, is refused", async () => {
  const { channelId, keyUp, port } = listener.grant(peer, false);
  const address = `127.0.0.1:${port}`;
  await closed(await attempt(address, { protection: "authenticated", channelId: random.bytes(16) }, keyUp));
  expect(served.length).toBe(0);
  const connection = await attempt(address, { protection: "authenticated", channelId }, keyUp);
  await eventually(() => received.length === 1);
  await closed(await attempt(address, { protection: "authenticated", channelId }, keyUp));
  expect(served.length).toBe(1);
  expect(log.lines.filter(({ message }) => message === "data channel refused").length).toBe(2);
  connection.destroy();
});

test("who knows the id of a channel but not its key says nothing", async () => {
  const { channelId, port } = listener.grant(peer, false);
  const connection = await attempt(
    `127.0.0.1:${port}`,
    { protection: "authenticated", channelId },
    random.bytes(16),
  );
  await closed(connection);
  expect(received).toEqual([]);
});

test("records without a seal are not taken from the network", async () => {
  const { channelId, keyUp, port } = listener.grant(peer, true);
  await closed(await attempt(`127.0.0.1:${port}`, { protection: "plain", channelId }, keyUp));
  expect(served).toEqual([]);
});

test("the unix socket is told to callers on the same host only", () => {
  expect(listener.grant(peer, false).socketPath).toBe("");
  expect(listener.grant(peer, true).socketPath).toBe(socketPath);
});

test("where no host is given there is no port, and the socket serves callers on the same host", async () => {
  await listener.close();
  listener = new DataListener({ clock, net, random, log }, method);
  await listener.listen(undefined, socketPath);
  const { channelId, keyUp, port } = listener.grant(peer, true);
  expect(port).toBe(0);
  expect(() => listener.grant(peer, false)).toThrow("same host");
  const connection = await attempt(`unix:${socketPath}`, { protection: "plain", channelId }, keyUp);
  await eventually(() => received.length === 1);
  connection.destroy();
});

test("a server that lets nobody ask for data channels, as one of an older version, is called over gRPC", async () => {
  const authorization = { [ECHO.path]: ["client"] } as const;
  const server = new GrpcRpc(
    { credential: credential(["mds"]), authorization, serverRoles: {} },
    { clock, log },
  );
  const served = await server.serve("127.0.0.1:0", (service) =>
    service.stream(ECHO, (channel) => channel.onMessage((message) => channel.send(message))),
  );
  const client = dataChannelWorld({ filesId: "this" }).client();
  const channel = client.open(ECHO, served.address);
  const answer = new Promise<Uint8Array>((resolve) => channel.onMessage(resolve));
  channel.send(Uint8Array.of(5, 6));
  expect([...(await answer)]).toEqual([5, 6]);
  await client.close();
  await served.close();
  await server.close();
});

test("silent connections keep nobody out: the oldest of them go", async () => {
  const { channelId, keyUp, port } = listener.grant(peer, false);
  const address = `127.0.0.1:${port}`;
  const silent = await Promise.all(
    Array.from({ length: 64 }, () => net.connect(address, { timeoutMs: 3000 })),
  );
  const ended = Promise.race(silent.map(closed));
  const connection = await attempt(address, { protection: "authenticated", channelId }, keyUp);
  await eventually(() => received.length === 1);
  await ended;
  for (const one of [...silent, connection]) one.destroy();
});

test("what is not a greeting ends the connection", async () => {
  const { port } = listener.grant(peer, false);
  const connection = await net.connect(`127.0.0.1:${port}`, { timeoutMs: 3000 });
  connection.write([new Uint8Array(64).fill(0x41)]);
  await closed(connection);
  expect(served).toEqual([]);
});

test("a record that claims to be endless ends the connection before it is taken in", async () => {
  const { channelId, port } = listener.grant(peer, false);
  const connection = await net.connect(`127.0.0.1:${port}`, { timeoutMs: 3000 });
  connection.write([
    encodeGreeting({ protection: "authenticated", channelId }),
    Uint8Array.of(0xff, 0xff, 0xff, 0xff),
  ]);
  await closed(connection);
  await eventually(() => served[0]?.isClosed === true);
});
