import { describe, expect, test } from "vitest";
import { concatBytes, Prng, toUtf8 } from "../../src/base/index.js";
import type { Connection, Listener } from "../../src/io/index.js";
import { type ContractWorld, failureCode, WORLDS } from "./worlds.js";

/** Collects what a connection delivers. */
class Collector {
  readonly parts: Uint8Array[] = [];
  readonly closed: Promise<void>;
  lengthBytes = 0;
  closeCount = 0;
  #wanted = Number.POSITIVE_INFINITY;
  #reached: () => void = () => undefined;

  constructor(connection: Connection) {
    connection.onData((bytes) => {
      this.parts.push(bytes);
      this.lengthBytes += bytes.length;
      if (this.lengthBytes >= this.#wanted) this.#reached();
    });
    this.closed = new Promise((resolve) => {
      connection.onClose(() => {
        this.closeCount++;
        resolve();
      });
    });
  }

  received(lengthBytes: number): Promise<Uint8Array> {
    return new Promise((resolve) => {
      this.#wanted = lengthBytes;
      this.#reached = () => resolve(concatBytes(...this.parts));
      if (this.lengthBytes >= lengthBytes) this.#reached();
    });
  }
}

interface Pair {
  readonly client: Connection;
  readonly server: Connection;
  readonly fromClient: Collector;
  readonly fromServer: Collector;
  readonly listener: Listener;
}

async function connectedPair({ net, listenAddress }: ContractWorld): Promise<Pair> {
  const accepted: { server: Connection; fromClient: Collector }[] = [];
  let announce = (): void => undefined;
  const arrival = new Promise<void>((resolve) => {
    announce = resolve;
  });
  const listener = await net.listen(listenAddress, (server) => {
    accepted.push({ server, fromClient: new Collector(server) });
    announce();
  });
  const client = await net.connect(listener.address, { timeoutMs: 2_000 });
  const fromServer = new Collector(client);
  await arrival;
  const [first] = accepted;
  if (first === undefined) throw new Error("nothing was accepted");
  return { client, fromServer, ...first, listener };
}

describe.each(WORLDS)("the $name network", ({ run }) => {
  const withPair = (body: (pair: Pair, world: ContractWorld) => Promise<void>): Promise<void> =>
    run(async (world) => {
      const pair = await connectedPair(world);
      await body(pair, world);
      await pair.listener.close();
    });

  test("carries bytes both ways, whole and in order", () =>
    withPair(async ({ client, server, fromClient, fromServer }) => {
      const prng = new Prng(3);
      const up = Array.from({ length: 200 }, () => prng.bytes(prng.below(3_000)));
      const down = Array.from({ length: 200 }, () => prng.bytes(prng.below(3_000)));
      for (const [index, bytes] of up.entries()) {
        client.write([bytes.subarray(0, 100), bytes.subarray(100)]);
        server.write([down[index] ?? bytes]);
      }

      const [all, back] = [concatBytes(...up), concatBytes(...down)];
      expect(Buffer.compare(await fromClient.received(all.length), all)).toBe(0);
      expect(Buffer.compare(await fromServer.received(back.length), back)).toBe(0);
    }));

  test("end lets what was written arrive first, then closes both sides once", () =>
    withPair(async ({ client, fromClient, fromServer }) => {
      const bytes = new Prng(1).bytes(300_000);
      client.write([bytes]);
      client.end();
      await Promise.all([fromClient.closed, fromServer.closed]);

      expect(Buffer.compare(concatBytes(...fromClient.parts), bytes)).toBe(0);
      expect(client.write([toUtf8("late")])).toBe(false);
      await client.drained();
      expect([fromClient.closeCount, fromServer.closeCount]).toEqual([1, 1]);
    }));

  test("destroy closes both sides; what arrived is a beginning of what was written", () =>
    withPair(async ({ client, fromClient, fromServer }) => {
      const bytes = new Prng(2).bytes(100_000);
      client.write([bytes]);
      client.destroy();
      await Promise.all([fromClient.closed, fromServer.closed]);

      const arrived = concatBytes(...fromClient.parts);
      expect(Buffer.compare(arrived, bytes.subarray(0, arrived.length))).toBe(0);
    }));

  test("a receiver that pauses pushes back on the sender, and gets everything later", () =>
    withPair(async ({ client, server, fromClient }, { clock }) => {
      server.pause();
      const chunk = new Uint8Array(256 * 1024).fill(9);
      let sentBytes = 0;
      let hasRoom = true;
      while (hasRoom && sentBytes < 64 * 1024 * 1024) {
        hasRoom = client.write([chunk]);
        sentBytes += chunk.length;
        if (!hasRoom) hasRoom = await Promise.race([client.drained().then(() => true), pause(clock)]);
      }
      expect(hasRoom).toBe(false);
      expect(sentBytes).toBeLessThan(64 * 1024 * 1024);
      const drained = client.drained();
      server.resume();
      await drained;

      expect(await fromClient.received(sentBytes)).toHaveLength(sentBytes);
    }));

  test("drained resolves when the connection closes", () =>
    withPair(async ({ client, server }) => {
      server.pause();
      const chunk = new Uint8Array(1024 * 1024);
      for (let count = 0; count < 64 && client.write([chunk]); count++);
      const drained = client.drained();
      client.destroy();

      await drained;
    }));

  test("a listener that closes breaks its connections and refuses new ones", () =>
    run(async (world) => {
      const pair = await connectedPair(world);
      await Promise.all([pair.listener.close(), pair.listener.close(), pair.fromServer.closed]);

      const again = world.net.connect(pair.listener.address, { timeoutMs: 1_000 });
      expect(await failureCode(again)).toBe("unavailable");
    }));

  test("port 0 chooses a free port, and a taken one cannot be listened on", () =>
    run(async ({ net, listenAddress }) => {
      const first = await net.listen(listenAddress, () => undefined);
      const second = await net.listen(listenAddress, () => undefined);

      expect(first.address).not.toBe(second.address);
      expect(first.address).toMatch(/:[1-9]\d+$/);
      expect(await failureCode(net.listen(first.address, () => undefined))).toBe("unavailable");
      await Promise.all([first.close(), second.close()]);
    }));

  test("an address that is none is invalid", () =>
    run(async ({ net }) => {
      expect(await failureCode(net.connect("nonsense", { timeoutMs: 100 }))).toBe("invalid");
      expect(await failureCode(net.listen("nonsense", () => undefined))).toBe("invalid");
    }));

  test("the accepting side may speak first", () =>
    run(async ({ net, listenAddress }) => {
      const listener = await net.listen(listenAddress, (connection) => {
        new Collector(connection);
        connection.write([toUtf8("hello")]);
      });
      const client = await net.connect(listener.address, { timeoutMs: 1_000 });
      const greeting = await new Collector(client).received(5);

      expect(Buffer.from(greeting).toString()).toBe("hello");
      expect(client.remoteAddress).toBe(listener.address);
      await listener.close();
    }));
});

/** False after a while in which the sender was not let on. */
async function pause(clock: ContractWorld["clock"]): Promise<boolean> {
  await clock.sleep("contract", 200);
  return false;
}
