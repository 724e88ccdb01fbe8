import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { crc32, Prng, StorageError, storageError } from "../../src/base/index.js";
import type { Channel, Rpc, RpcListener, Service } from "../../src/rpc/index.js";
import {
  ASK,
  dataChannelWorld,
  ECHO,
  grpcWorld,
  MDS_ONLY,
  NOT_SERVED,
  netWorld,
  PUBLIC_ASK,
  type RpcWorld,
  simWorld,
} from "./rpc-world.js";

const socketPath = join(tmpdir(), `pstorage-rpc-${process.pid}.sock`);

describe.each([
  ["gRPC", grpcWorld],
  ["TCP without TLS", netWorld],
  ["the simulated network", simWorld],
  ["a data channel", () => dataChannelWorld({ filesId: "" })],
  ["an encrypted data channel", () => dataChannelWorld({ filesId: "", protection: "encrypted" })],
  ["a data channel by a unix socket", () => dataChannelWorld({ filesId: "this", socketPath })],
  [
    "a unix socket, which other hosts would not be given",
    () => dataChannelWorld({ filesId: "this", socketPath, isLocalOnly: true }),
  ],
  ["gRPC, from another host", () => dataChannelWorld({ filesId: "", socketPath, isLocalOnly: true })],
  ["gRPC, where data channels cannot be had", () => dataChannelWorld({ filesId: "", isBlocked: true })],
] as const)("calls over %s", (_name, makeWorld) => {
  let world: RpcWorld;
  let serverRpc: Rpc;
  let clientRpc: Rpc;
  const listeners: RpcListener[] = [];

  beforeEach(() => {
    world = makeWorld();
    serverRpc = world.server();
    clientRpc = world.client();
  });
  afterEach(() =>
    world.run(
      (async () => {
        await clientRpc.close();
        await serverRpc.close();
        for (const listener of listeners.splice(0)) await listener.close();
      })(),
    ),
  );

  async function serve(define: (service: Service) => void): Promise<string> {
    const listener = await serverRpc.serve(world.listenAddress, define);
    listeners.push(listener);
    return listener.address;
  }

  /** Serves ECHO by `accept` and opens a channel to it. */
  async function open(
    accept: (channel: Channel<Uint8Array, Uint8Array>) => void,
  ): Promise<Channel<Uint8Array, Uint8Array>> {
    const address = await serve((service) => service.stream(ECHO, accept));
    return clientRpc.open(ECHO, address);
  }

  const echo = (channel: Channel<Uint8Array, Uint8Array>): void => {
    channel.onMessage((message) => channel.send(message));
  };

  /** A test inside the world, whose time only passes while it is driven. */
  const scenario = (title: string, body: () => Promise<void>): void => test(title, () => world.run(body()));
  const eventually = async (isTrue: () => boolean): Promise<void> => {
    for (let i = 0; i < 500 && !isTrue(); i++) await world.clock.sleep("test", 10);
    expect(isTrue()).toBe(true);
  };
  /** Whether the promise resolves in time. */
  const within = (promise: Promise<void>, timeMs: number): Promise<boolean> =>
    Promise.race([promise.then(() => true), world.clock.sleep("test", timeMs).then(() => false)]);

  scenario("messages arrive whole and in order, both ways", async () => {
    const channel = await open(echo);
    const prng = new Prng(7);
    const sent = Array.from({ length: 300 }, () => prng.bytes(prng.pick([0, 1, 10, 1000, 20_000, 70_000])));
    const received = collect(channel, sent.length);
    for (const message of sent) if (!channel.send(message)) await channel.drained();
    expect(digests(await received)).toEqual(digests(sent));
  });

  scenario("a message may be as large as its codec allows", async () => {
    const channel = await open(echo);
    const large = new Prng(8).bytes(5 << 20);
    const received = collect(channel, 1);
    channel.send(large);
    expect(digests(await received)).toEqual(digests([large]));
  });

  scenario("a message larger than that closes the channel with a failure at both ends", async () => {
    const ends: (StorageError | undefined)[] = [];
    const channel = await open((served) => {
      served.onClose((failure) => ends.push(failure));
    });
    const closed = closing(channel);
    channel.send(new Uint8Array((8 << 20) + 1));
    expect((await closed)?.code).toBe("malformed");
    await eventually(() => ends.length === 1);
    expect(ends[0]?.code).toBe("malformed");
  });

  scenario("a receiver that pauses stops the sender, and gets everything later", async () => {
    let served: Channel<Uint8Array, Uint8Array> | undefined;
    let receivedCount = 0;
    const channel = await open((accepted) => {
      served = accepted;
      accepted.onMessage(() => {
        receivedCount++;
        accepted.pause();
      });
    });
    const message = new Uint8Array(256 << 10);
    channel.send(message);
    await eventually(() => receivedCount === 1);
    let sentCount = 1;
    let isStopped = false;
    while (!isStopped && sentCount < 400) {
      sentCount++;
      if (!channel.send(message)) isStopped = !(await within(channel.drained(), 100));
    }
    expect(isStopped).toBe(true);
    expect(receivedCount).toBe(1);
    const drained = channel.drained();
    while (receivedCount < sentCount) {
      served?.resume();
      await world.clock.sleep("test", 1);
    }
    await drained;
    expect(receivedCount).toBe(sentCount);
  });

  scenario("nothing is delivered between pause and resume", async () => {
    const channel = await open(echo);
    const received: number[] = [];
    channel.onMessage((message) => {
      received.push(message[0] ?? -1);
      if (message[0] === 3) channel.pause();
    });
    for (let i = 0; i < 10; i++) channel.send(Uint8Array.of(i));
    await eventually(() => received.length === 4);
    await world.clock.sleep("test", 30);
    expect(received).toEqual([0, 1, 2, 3]);
    channel.resume();
    expect(received.length).toBe(4);
    await eventually(() => received.length === 10);
    expect(received).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  scenario("what was queued before close arrives, and both ends hear of an orderly end once", async () => {
    const ends: (StorageError | undefined)[] = [];
    let receivedCount = 0;
    const channel = await open((served) => {
      served.onMessage(() => {
        receivedCount++;
      });
      served.onClose((failure) => ends.push(failure));
    });
    const closed = closing(channel);
    for (let i = 0; i < 50; i++) channel.send(new Uint8Array(10_000));
    channel.close();
    channel.close();
    expect(channel.isClosed).toBe(true);
    expect(channel.send(new Uint8Array(1))).toBe(true);
    expect(await closed).toBeUndefined();
    await eventually(() => ends.length === 1);
    await world.clock.sleep("test", 20);
    expect(ends).toEqual([undefined]);
    expect(receivedCount).toBe(50);
  });

  scenario("a server's reason for closing arrives after its last message", async () => {
    const failure = new StorageError({
      code: "not_leader",
      detail: "ask größer € one",
      leaderHint: "10.0.0.1:2511",
    });
    const channel = await open((served) => {
      served.send(Uint8Array.of(1));
      served.close(failure);
    });
    const received: Uint8Array[] = [];
    channel.onMessage((message) => received.push(new Uint8Array(message)));
    const reason = await closing(channel);
    expect(reason?.failure).toEqual(failure.failure);
    expect(received).toEqual([Uint8Array.of(1)]);
  });

  scenario(
    "a client that closes with a failure ends the server's channel, and hears its own failure",
    async () => {
      const ends: (StorageError | undefined)[] = [];
      const channel = await open((served) => {
        served.send(Uint8Array.of(1));
        served.onClose((failure) => ends.push(failure));
      });
      await collect(channel, 1);
      const failure = storageError("session_lost", "gone");
      const closed = closing(channel);
      channel.close(failure);
      expect(await closed).toBe(failure);
      await eventually(() => ends.length === 1);
    },
  );

  scenario("a message that cannot be read closes the channel as malformed, at both ends", async () => {
    const picky = {
      ...ECHO,
      up: {
        ...ECHO.up,
        decode: (): Uint8Array => {
          throw storageError("malformed", "not mine");
        },
      },
    };
    const ends: (StorageError | undefined)[] = [];
    const address = await serve((service) =>
      service.stream(picky, (served) => served.onClose((failure) => ends.push(failure))),
    );
    const channel = clientRpc.open(ECHO, address);
    const closed = closing(channel);
    channel.send(Uint8Array.of(1));
    expect((await closed)?.code).toBe("malformed");
    expect(ends.map((failure) => failure?.code)).toEqual(["malformed"]);
  });

  scenario("when the server's process goes, open channels close as unavailable", async () => {
    const channel = await open(echo);
    const received = collect(channel, 1);
    channel.send(Uint8Array.of(1));
    await received;
    const closed = closing(channel);
    for (const listener of listeners.splice(0)) await listener.close();
    expect((await closed)?.code).toBe("unavailable");
  });

  scenario("when the client's process goes, the server's channel closes as unavailable", async () => {
    const ends: (StorageError | undefined)[] = [];
    const channel = await open((served) => {
      served.send(Uint8Array.of(1));
      served.onClose((failure) => ends.push(failure));
    });
    await collect(channel, 1);
    await clientRpc.close();
    await eventually(() => ends.length === 1);
    expect(ends[0]?.code).toBe("unavailable");
  });

  scenario("our own close of everything closes open channels as closed", async () => {
    const channel = await open(echo);
    const received = collect(channel, 1);
    channel.send(Uint8Array.of(1));
    await received;
    const closed = closing(channel);
    await clientRpc.close();
    expect((await closed)?.code).toBe("closed");
  });

  scenario("a channel to an address where nobody listens closes as unavailable at once", async () => {
    const address = await serve((service) => service.stream(ECHO, echo));
    for (const listener of listeners.splice(0)) await listener.close();
    const startMs = world.clock.monotonicMs();
    const channel = clientRpc.open(ECHO, address);
    channel.send(Uint8Array.of(1));
    expect((await closing(channel))?.code).toBe("unavailable");
    expect(world.clock.monotonicMs() - startMs).toBeLessThan(1000);
  });

  scenario("the channel to a server that came back works, on the same address", async () => {
    const address = await serve((service) => service.stream(ECHO, echo));
    const first = clientRpc.open(ECHO, address);
    const closed = closing(first);
    first.send(Uint8Array.of(1));
    await collect(first, 1);
    for (const listener of listeners.splice(0)) await listener.close();
    await closed;
    listeners.push(await serverRpc.serve(address, (service) => service.stream(ECHO, echo)));
    const second = clientRpc.open(ECHO, address);
    const received = collect(second, 1);
    second.send(Uint8Array.of(2));
    expect(await received).toEqual([Uint8Array.of(2)]);
  });

  scenario("both ends know who the other is", async () => {
    let served: Channel<Uint8Array, Uint8Array> | undefined;
    const channel = await open((accepted) => {
      served = accepted;
      echo(accepted);
    });
    const received = collect(channel, 1);
    channel.send(Uint8Array.of(1));
    await received;
    expect(served?.peer.roles).toEqual(["client"]);
    expect(served?.peer.hostId).toBe("00000000000000aa");
    expect(channel.peer.roles).toEqual(["mds"]);
  });

  scenario("a request is answered", async () => {
    const address = await serve((service) =>
      service.unary(ASK, async (request, peer) => `${request} ${peer.roles}`),
    );
    expect(await clientRpc.call(ASK, address, "who?", { deadlineMs: 1000 })).toBe("who? client");
  });

  scenario(
    "a failure thrown by a handler reaches the caller with its code, detail and hint, and nothing else",
    async () => {
      const failure = { code: "not_leader", detail: "ask another", leaderHint: "10.0.0.1:2511" } as const;
      const address = await serve((service) =>
        service.unary(ASK, async () => {
          throw new StorageError(failure, new Error("secret"));
        }),
      );
      const error = await refusal(clientRpc.call(ASK, address, "?", { deadlineMs: 1000 }));
      expect(error.failure).toEqual(failure);
      expect(error.cause).toBeUndefined();
    },
  );

  scenario("a request that is not answered in time fails as timed_out", async () => {
    const address = await serve((service) => service.unary(ASK, () => new Promise<string>(() => undefined)));
    const startMs = world.clock.monotonicMs();
    const error = await refusal(clientRpc.call(ASK, address, "?", { deadlineMs: 100 }));
    expect(error.code).toBe("timed_out");
    expect(world.clock.monotonicMs() - startMs).toBeLessThan(1000);
  });

  scenario("a request that the caller gives up fails as cancelled", async () => {
    const address = await serve((service) => service.unary(ASK, () => new Promise<string>(() => undefined)));
    const abort = new AbortController();
    const call = clientRpc.call(ASK, address, "?", { deadlineMs: 10_000, signal: abort.signal });
    world.clock.after("test", 20, () => abort.abort());
    expect((await refusal(call)).code).toBe("cancelled");
    expect(
      (await refusal(clientRpc.call(ASK, address, "?", { deadlineMs: 10, signal: abort.signal }))).code,
    ).toBe("cancelled");
  });

  scenario("a method that nobody serves is unsupported", async () => {
    const address = await serve((service) => service.unary(ASK, async () => ""));
    expect((await refusal(clientRpc.call(NOT_SERVED, address, "?", { deadlineMs: 1000 }))).code).toBe(
      "unsupported",
    );
  });

  scenario("a request larger than the method allows is refused before anybody reads it", async () => {
    let calls = 0;
    const address = await serve((service) =>
      service.unary(ASK, async () => {
        calls++;
        return "";
      }),
    );
    const error = await refusal(clientRpc.call(ASK, address, "x".repeat(20_000), { deadlineMs: 1000 }));
    expect(error.code).toBe("malformed");
    expect(calls).toBe(0);
  });

  scenario("a role that is not allowed to call a method is unauthorized; others are served", async () => {
    const address = await serve((service) => service.unary(MDS_ONLY, async () => "yes"));
    expect((await refusal(clientRpc.call(MDS_ONLY, address, "?", { deadlineMs: 1000 }))).code).toBe(
      "unauthorized",
    );
    const mds = world.client(["mds"]);
    expect(await mds.call(MDS_ONLY, address, "?", { deadlineMs: 1000 })).toBe("yes");
    await mds.close();
  });

  scenario("a hundred requests at once are all answered, each with its own answer", async () => {
    const address = await serve((service) => service.unary(PUBLIC_ASK, async (request) => `${request}!`));
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        clientRpc.call(PUBLIC_ASK, address, `${i}`, { deadlineMs: 5000 }),
      ),
    );
    expect(answers).toEqual(Array.from({ length: 100 }, (_, i) => `${i}!`));
  });
});

function collect(channel: Channel<Uint8Array, Uint8Array>, count: number): Promise<Uint8Array[]> {
  return new Promise((resolve) => {
    const received: Uint8Array[] = [];
    channel.onMessage((message) => {
      received.push(new Uint8Array(message));
      if (received.length === count) resolve(received);
    });
  });
}

/** Comparing the bytes themselves would take the test library minutes. */
function digests(messages: readonly Uint8Array[]): string[] {
  return messages.map((message) => `${message.length} ${crc32(message)}`);
}

function closing(channel: Channel<Uint8Array, Uint8Array>): Promise<StorageError | undefined> {
  return new Promise((resolve) => channel.onClose(resolve));
}

async function refusal(call: Promise<unknown>): Promise<StorageError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StorageError);
  return error as StorageError;
}
