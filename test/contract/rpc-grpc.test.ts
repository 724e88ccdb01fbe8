import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import * as grpc from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TlsMaterial } from "../../src/auth/index.js";
import { StorageError, toUtf8 } from "../../src/base/index.js";
import type { Clock } from "../../src/io/index.js";
import type { Rpc, RpcListener } from "../../src/rpc/index.js";
import { type MemoryLogger, memoryLogger } from "../../src/telemetry/index.js";
import {
  ASK,
  CLUSTER_ID,
  clock,
  credential,
  ECHO,
  foreignCredential,
  grpcRpc,
  MDS_ONLY,
  PUBLIC_ASK,
} from "./rpc-world.js";

const OTHER_CLUSTER_ID = "99999999-2222-4333-8444-555555555555";

let log: MemoryLogger;
let listener: RpcListener;
let handledCount: number;
const opened: Rpc[] = [];

beforeEach(async () => {
  log = memoryLogger();
  handledCount = 0;
  listener = await serveWith(credential(["mds"]));
});
afterEach(async () => {
  for (const rpc of opened.splice(0)) await rpc.close();
  await listener.close();
});

function rpcWith(material: TlsMaterial | undefined): Rpc {
  const rpc = grpcRpc(material, log);
  opened.push(rpc);
  return rpc;
}

async function serveWith(material: TlsMaterial): Promise<RpcListener> {
  const answer = async (request: string): Promise<string> => {
    handledCount++;
    if (request === "fail") throw new StorageError({ code: "no_space", detail: "größer" });
    return `${request}!`;
  };
  return await rpcWith(material).serve("127.0.0.1:0", (service) => {
    service.unary(ASK, answer);
    service.unary(PUBLIC_ASK, answer);
    service.unary(MDS_ONLY, answer);
    service.stream(ECHO, (channel) => channel.onMessage((message) => channel.send(message)));
  });
}

async function ask(rpc: Rpc, method = ASK): Promise<string> {
  try {
    return await rpc.call(method, listener.address, "hi", { deadlineMs: 2000 });
  } catch (error) {
    return (error as StorageError).code;
  }
}

/** A process that listens, and whose kernel takes no more connections: as a host that is gone. */
async function startDeaf(): Promise<{ readonly port: number; stop(): void }> {
  const program = `
    const server = require("node:net").createServer().listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
      require("node:fs").writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  const port = Number(said.toString());
  const filling = [1, 2, 3, 4].map(() => connectTcp(port, "127.0.0.1").on("error", () => undefined));
  return {
    port,
    stop: () => {
      child.kill("SIGKILL");
      for (const socket of filling) socket.destroy();
    },
  };
}

test("closes although a connection to a host that is gone is being made", async () => {
  const deaf = await startDeaf();
  try {
    const rpc = grpcRpc(credential(["client"]), log);
    const asked = rpc
      .call(ASK, `127.0.0.1:${deaf.port}`, "hi", { deadlineMs: 60_000 })
      .catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const began = performance.now();
    await rpc.close();
    expect(performance.now() - began).toBeLessThan(2000);
    await asked;
  } finally {
    deaf.stop();
  }
});

describe("a gRPC server", () => {
  test("serves a peer without a certificate only what is for anyone", async () => {
    const stranger = rpcWith(undefined);
    expect(await ask(stranger, PUBLIC_ASK)).toBe("hi!");
    expect(await ask(stranger, ASK)).toBe("unauthenticated");
    expect(handledCount).toBe(1);
    expect(log.lines.filter((line) => line.message === "call refused")).toHaveLength(1);
  });

  test.each([
    ["of another cluster", () => foreignCredential(OTHER_CLUSTER_ID, ["mds"])],
    ["of another authority that took this cluster's id", () => foreignCredential(CLUSTER_ID, ["mds"])],
  ])("refuses a certificate %s, even for what is for anyone, and logs it", async (_name, make) => {
    const material = { ...make(), caPem: credential(["mds"]).caPem, clusterId: CLUSTER_ID };
    expect(await ask(rpcWith(material), ASK)).toBe("unauthenticated");
    expect(await ask(rpcWith(material), PUBLIC_ASK)).toBe("unauthenticated");
    expect(handledCount).toBe(0);
    expect(log.lines.some((line) => line.level === "warn" && line.message === "certificate refused")).toBe(
      true,
    );
  });

  test("does not say why in more than one line, and never how it looks inside", async () => {
    const error: unknown = await rpcWith(credential(["client"]))
      .call(ASK, listener.address, "fail", { deadlineMs: 2000 })
      .catch((reason: unknown) => reason);
    expect((error as StorageError).failure).toEqual({
      code: "no_space",
      detail: "größer",
      leaderHint: undefined,
    });
  });

  test("survives what is not TLS, not HTTP/2, and not gRPC", async () => {
    const port = Number(listener.address.split(":")[1]);
    await new Promise<void>((resolve) => {
      const socket = connectTls(
        { port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] },
        () => socket.write("GET / HTTP/1.1\r\n\r\n"),
      );
      socket.on("error", () => undefined);
      socket.on("close", () => resolve());
      socket.resume();
    });
    const session = connectHttp2(`https://${listener.address}`, { rejectUnauthorized: false });
    const status = await new Promise((resolve) => {
      const stream = session.request({ ":path": PUBLIC_ASK.path, ":method": "POST" });
      stream.on("response", (headers) => resolve(headers["grpc-status"] ?? "accepted"));
      stream.on("error", resolve);
      stream.end(Buffer.from("not a gRPC message, but long enough"));
    });
    session.destroy();
    expect(status).toBeDefined();
    expect(await ask(rpcWith(credential(["client"])))).toBe("hi!");
  });
});

describe("a gRPC client", () => {
  test.each(["", "nonsense", "10.0.0.1", "10.0.0.1:99999", "a/b:1", "user@host:1"])(
    "refuses to call what is no address: %j",
    async (address) => {
      const call = rpcWith(credential(["client"])).call(ASK, address, "hi", { deadlineMs: 2000 });
      await expect(call).rejects.toMatchObject({ code: "invalid" });
    },
  );

  test("that was closed makes no more calls", async () => {
    const rpc = rpcWith(credential(["client"]));
    await rpc.close();
    expect(await ask(rpc)).toBe("closed");
  });

  test.each([
    ["of another cluster", () => foreignCredential(OTHER_CLUSTER_ID, ["mds"])],
    ["of another authority that took this cluster's id", () => foreignCredential(CLUSTER_ID, ["mds"])],
    ["whose host may not serve this", () => credential(["client"])],
  ])("says nothing to a server %s", async (_name, make) => {
    await listener.close();
    listener = await serveWith(make());
    expect(await ask(rpcWith(credential(["client"])))).toBe("unauthenticated");
    expect(handledCount).toBe(0);
  });
});

test("a peer that answers no ping is given up, one that is merely idle is not", async () => {
  const proxy = await silencingProxy(listener.address);
  const hasty: Clock = {
    ...methodsOf(clock),
    after: (name, delayMs, fire) =>
      clock.after(name, name === "rpc.keep-alive" ? delayMs / 50 : delayMs, fire),
  };
  const rpc = grpcRpc(credential(["client"]), log, hasty);
  opened.push(rpc);
  const channel = rpc.open(ECHO, proxy.address);
  const received = new Promise((resolve) => channel.onMessage(resolve));
  const closed = new Promise<StorageError | undefined>((resolve) => channel.onClose(resolve));
  channel.send(Uint8Array.of(1));
  await received;
  await clock.sleep("test", 500);
  expect(channel.isClosed).toBe(false);
  proxy.silence();
  expect((await closed)?.code).toBe("unavailable");
  proxy.close();
});

/** Passes bytes on until told to swallow them. */
async function silencingProxy(target: string): Promise<{ address: string; silence(): void; close(): void }> {
  const sockets: Socket[] = [];
  let isSilent = false;
  const server = createServer((socket) => {
    const other = connectTcp(Number(target.split(":")[1]), "127.0.0.1");
    for (const [from, to] of [
      [socket, other],
      [other, socket],
    ] as const) {
      sockets.push(from);
      from.on("data", (bytes) => isSilent || to.write(bytes));
      from.on("error", () => undefined);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    address: `127.0.0.1:${port}`,
    silence: () => {
      isSilent = true;
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function methodsOf(real: Clock): Clock {
  return {
    monotonicMs: () => real.monotonicMs(),
    wallMs: () => real.wallMs(),
    after: (name, delayMs, fire) => real.after(name, delayMs, fire),
    sleep: (name, delayMs, signal) => real.sleep(name, delayMs, signal),
  };
}

describe("another implementation of gRPC (grpc-js)", () => {
  function client(): grpc.Client {
    const { caPem, certPem, keyPem, clusterId } = credential(["client"]);
    const [ca, key, cert] = [caPem, keyPem, certPem].map((pem) => Buffer.from(pem)) as [
      Buffer,
      Buffer,
      Buffer,
    ];
    return new grpc.Client(listener.address, grpc.credentials.createSsl(ca, key, cert), {
      "grpc.ssl_target_name_override": `${clusterId}.pstorage`,
    });
  }
  const bytes = { to: (message: Uint8Array) => Buffer.from(message), from: (message: Buffer) => message };

  function unary(path: string, request: string): Promise<string | grpc.ServiceError> {
    const caller = client();
    return new Promise((resolve) => {
      caller.makeUnaryRequest(path, bytes.to, bytes.from, Buffer.from(request), (error, reply) => {
        caller.close();
        resolve(error ?? String(reply));
      });
    });
  }

  test("calls our server", async () => {
    expect(await unary(ASK.path, "hello")).toBe("hello!");
  });

  test("gets our failures as status, text and our own code", async () => {
    const error = (await unary(ASK.path, "fail")) as grpc.ServiceError;
    expect(error.code).toBe(grpc.status.RESOURCE_EXHAUSTED);
    expect(decodeURIComponent(error.details)).toBe("größer");
    expect(error.metadata.get("pstorage-code")).toEqual(["no_space"]);
    expect(((await unary("/pstorage.Test/Nothing", "")) as grpc.ServiceError).code).toBe(
      grpc.status.PERMISSION_DENIED,
    );
  });

  test("streams both ways with our server", async () => {
    const caller = client();
    const stream = caller.makeBidiStreamRequest(ECHO.path, bytes.to, bytes.from);
    const received: number[] = [];
    const status = await new Promise<grpc.StatusObject>((resolve) => {
      stream.on("data", (message: Buffer) => {
        received.push(message.length);
        if (received.length === 20) stream.end();
      });
      stream.on("status", resolve);
      for (let i = 0; i < 20; i++) stream.write(new Uint8Array(i * 10_000));
    });
    caller.close();
    expect(status.code).toBe(grpc.status.OK);
    expect(received).toEqual(Array.from({ length: 20 }, (_, i) => i * 10_000));
  });

  test("serves our client, whose failures keep their meaning", async () => {
    const { caPem, certPem, keyPem } = credential(["mds"]);
    const server = new grpc.Server();
    const definition = {
      path: ASK.path,
      requestStream: false,
      responseStream: false,
      requestSerialize: bytes.to,
      requestDeserialize: bytes.from,
      responseSerialize: bytes.to,
      responseDeserialize: bytes.from,
    };
    server.addService(
      { Ask: definition },
      {
        Ask: (call: grpc.ServerUnaryCall<Buffer, Uint8Array>, done: grpc.sendUnaryData<Uint8Array>) => {
          if (String(call.request) === "fail") done({ code: grpc.status.NOT_FOUND, details: "nowhere" });
          else done(null, toUtf8(`${String(call.request)}?`));
        },
      },
    );
    const credentials = grpc.ServerCredentials.createSsl(
      Buffer.from(caPem),
      [{ private_key: Buffer.from(keyPem), cert_chain: Buffer.from(certPem) }],
      true,
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    const rpc = rpcWith(credential(["client"]));
    expect(await rpc.call(ASK, `127.0.0.1:${port}`, "hi", { deadlineMs: 2000 })).toBe("hi?");
    await expect(rpc.call(ASK, `127.0.0.1:${port}`, "fail", { deadlineMs: 2000 })).rejects.toMatchObject({
      failure: { code: "not_found", detail: "nowhere" },
    });
    await rpc.close();
    server.forceShutdown();
  });
});
