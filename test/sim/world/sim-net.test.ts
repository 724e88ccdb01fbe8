import { describe, expect, test } from "vitest";
import { concatBytes, Prng } from "../../../src/base/index.js";
import type { Connection } from "../../../src/io/index.js";
import { type SimHost, SimWorld } from "./index.js";

/** What happened at one end. */
interface End {
  readonly connection: Connection;
  received: Uint8Array;
  closedAtMs: number | undefined;
}

interface Bench {
  readonly world: SimWorld;
  readonly client: SimHost;
  readonly server: SimHost;
  readonly ours: End;
  readonly theirs: End;
}

async function connected(seed = 1): Promise<Bench> {
  const world = new SimWorld({ seed });
  world.network.faults.spikeRate = 0;
  const [client, server] = [world.addHost("client"), world.addHost("server")];
  const { theirs, ours } = await link(world, client, server);
  return { world, client, server, ours, theirs };
}

async function link(world: SimWorld, client: SimHost, server: SimHost): Promise<{ ours: End; theirs: End }> {
  const accepted: End[] = [];
  const listening = server.net.listen(`${server.ip}:7`, (connection) =>
    accepted.push(watch(world, connection)),
  );
  await world.simulator.run(listening, "listen");
  const connecting = client.net.connect(`${server.ip}:7`, { timeoutMs: 1_000 });
  const ours = watch(world, await world.simulator.run(connecting, "connect"));
  const [theirs] = accepted;
  if (theirs === undefined) throw new Error("nothing was accepted");
  return { ours, theirs };
}

function watch(world: SimWorld, connection: Connection): End {
  const end: End = { connection, received: new Uint8Array(0), closedAtMs: undefined };
  connection.onData((bytes) => {
    end.received = concatBytes(end.received, bytes);
  });
  connection.onClose(() => {
    end.closedAtMs = world.simulator.nowMs;
  });
  return end;
}

async function failureOfConnect(
  world: SimWorld,
  from: SimHost,
  to: SimHost,
  timeoutMs: number,
): Promise<string> {
  const connecting = from.net.connect(`${to.ip}:7`, { timeoutMs });
  return await world.simulator.run(
    connecting.then(() => "connected", String),
    "connect",
  );
}

describe("the simulated network", () => {
  test("holds packets while a way is cut and delivers them, whole and in order, when it heals", async () => {
    const { world, client, server, ours, theirs } = await connected();
    const bytes = new Prng(9).bytes(5_000);
    ours.connection.write([bytes.subarray(0, 1_000)]);
    await world.simulator.runFor(10);
    world.network.partition([client.ip], [server.ip]);
    for (let at = 1_000; at < 5_000; at += 500) ours.connection.write([bytes.subarray(at, at + 500)]);
    await world.simulator.runFor(5_000);
    expect(theirs.received).toHaveLength(1_000);
    world.network.heal();
    await world.simulator.runFor(10);

    expect(Buffer.compare(theirs.received, bytes)).toBe(0);
    expect(ours.closedAtMs).toBeUndefined();
  });

  test("a sender gives up when the way stays cut; the other end learns it when it speaks", async () => {
    const { world, client, server, ours, theirs } = await connected();
    world.network.partition([client.ip], [server.ip]);
    ours.connection.write([Uint8Array.of(1)]);
    await world.simulator.runFor(30_000);
    expect(ours.closedAtMs).toBeGreaterThan(19_000);
    expect(theirs.closedAtMs).toBeUndefined();
    world.network.heal();
    await world.simulator.runFor(60_000);
    expect(theirs.received).toHaveLength(0);
    expect(theirs.closedAtMs).toBeUndefined();
    theirs.connection.write([Uint8Array.of(2)]);
    await world.simulator.runFor(10);

    expect(theirs.closedAtMs).toBeDefined();
  });

  test("with only the way back cut, data arrives but the sender gives up", async () => {
    const { world, client, server, ours, theirs } = await connected();
    world.network.cut(server.ip, client.ip);
    ours.connection.write([Uint8Array.of(1, 2, 3)]);
    await world.simulator.runFor(30_000);

    expect([...theirs.received]).toEqual([1, 2, 3]);
    expect(ours.closedAtMs).toBeDefined();
  });

  test("an idle connection survives a partition unnoticed", async () => {
    const { world, client, server, ours, theirs } = await connected();
    world.network.partition([client.ip], [server.ip]);
    await world.simulator.runFor(100_000);
    world.network.heal();
    ours.connection.write([Uint8Array.of(1)]);
    await world.simulator.runFor(10);

    expect([...theirs.received]).toEqual([1]);
  });

  test("peers of a crashed process see the end within milliseconds, after a beginning of what it wrote", async () => {
    const lengths = new Set<number>();
    for (let seed = 1; seed <= 40; seed++) {
      const { world, server, ours, theirs } = await connected(seed);
      const bytes = new Prng(seed).bytes(8_000);
      for (let at = 0; at < 8_000; at += 1_000) theirs.connection.write([bytes.subarray(at, at + 1_000)]);
      server.crash();
      const crashedAtMs = world.simulator.nowMs;
      await world.simulator.runFor(100);
      expect(ours.closedAtMs).toBeLessThan(crashedAtMs + 10);
      expect(theirs.closedAtMs).toBeUndefined();
      expect(Buffer.compare(ours.received, bytes.subarray(0, ours.received.length))).toBe(0);
      lengths.add(ours.received.length);
    }

    expect(lengths).toContain(8_000);
    expect(lengths.size).toBeGreaterThan(2);
  });

  test("a host without power is silent; its peer learns of it when the host is back and answers", async () => {
    const { world, server, ours } = await connected();
    server.powerLoss();
    await world.simulator.runFor(1_000);
    ours.connection.write([Uint8Array.of(1)]);
    await world.simulator.runFor(5_000);
    expect(ours.closedAtMs).toBeUndefined();
    server.restart();
    await world.simulator.runFor(10);

    expect(ours.closedAtMs).toBeDefined();
  });

  test("connecting is refused at once by a host without listener, and unanswered by a dark or cut off one", async () => {
    const { world, client, server } = await connected();
    server.crash();
    const before = world.simulator.nowMs;
    expect(await failureOfConnect(world, client, server, 5_000)).toContain("ECONNREFUSED");
    expect(world.simulator.nowMs - before).toBeLessThan(10);
    server.powerLoss();
    expect(await failureOfConnect(world, client, server, 5_000)).toContain("no answer");
    expect(world.simulator.nowMs - before).toBeGreaterThanOrEqual(5_000);
    server.restart();
    world.network.cut(server.ip, client.ip);

    expect(await failureOfConnect(world, client, server, 5_000)).toContain("no answer");
  });

  test("connecting succeeds when the way opens before the deadline", async () => {
    const { world, client, server } = await connected();
    world.network.partition([client.ip], [server.ip]);
    world.simulator.schedule("test", "heal", 2_500, () => world.network.heal());

    expect(await failureOfConnect(world, client, server, 5_000)).toBe("connected");
  });

  test("nothing of a dead process is heard by its next life", async () => {
    const { world, client, server, ours, theirs } = await connected();
    server.crash();
    server.restart();
    const next = await link(world, client, server);
    expect(ours.connection.write([Uint8Array.of(1)])).toBeTypeOf("boolean");
    expect(theirs.connection.write([Uint8Array.of(2)])).toBe(false);
    next.ours.connection.write([Uint8Array.of(3)]);
    await world.simulator.runFor(100);

    expect([...next.theirs.received]).toEqual([3]);
    expect(theirs.received).toHaveLength(0);
    expect(ours.received).toHaveLength(0);
  });

  test("a paused process keeps its connections; what arrived is handed over when it goes on", async () => {
    const { world, server, ours, theirs } = await connected();
    server.pause();
    ours.connection.write([Uint8Array.of(1)]);
    await world.simulator.runFor(60_000);
    expect(theirs.received).toHaveLength(0);
    expect(ours.closedAtMs).toBeUndefined();
    server.resume();
    await world.simulator.runFor(1);

    expect([...theirs.received]).toEqual([1]);
  });

  test("random resets break connections, and leave a beginning of what was written", async () => {
    const { world, ours, theirs } = await connected();
    world.network.faults.resetRate = 0.05;
    const bytes = new Prng(4).bytes(100_000);
    for (let at = 0; at < bytes.length; at += 1_000) {
      ours.connection.write([bytes.subarray(at, at + 1_000)]);
      await world.simulator.runFor(1);
    }

    expect(ours.closedAtMs).toBeDefined();
    expect(theirs.closedAtMs).toBeDefined();
    expect(theirs.received.length).toBeLessThan(bytes.length);
    expect(Buffer.compare(theirs.received, bytes.subarray(0, theirs.received.length))).toBe(0);
  });

  test("bandwidth delays bytes, and latency delays everything", async () => {
    const { world, ours, theirs } = await connected();
    world.network.faults.latencyMs = [20, 20];
    world.network.faults.bytesPerMs = 1_000;
    ours.connection.write([new Uint8Array(100_000)]);
    await world.simulator.runFor(119);
    expect(theirs.received).toHaveLength(0);
    await world.simulator.runFor(2);

    expect(theirs.received).toHaveLength(100_000);
  });

  test("bytes arrive in other pieces than they were written in", async () => {
    const world = new SimWorld({ seed: 5 });
    world.network.faults.fragmentRate = 0.5;
    const { ours, theirs } = await link(world, world.addHost("client"), world.addHost("server"));
    const sizes: number[] = [];
    theirs.connection.onData((bytes) => void sizes.push(bytes.length));
    for (let i = 0; i < 50; i++) ours.connection.write([new Uint8Array(100)]);
    await world.simulator.runFor(100);

    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(5_000);
    expect(sizes.some((size) => size < 100)).toBe(true);
    expect(sizes.some((size) => size > 100)).toBe(true);
  });
});
