/**
 * What does a message cost? One stream between two processes on loopback: the client sends messages of one size, so
 * many at a time, the server acknowledges each by a small one. Prints operations and megabytes in a second, and the
 * processor time of both processes for each; then one line of JSON.
 *
 *     npx tsx bench/rpc-transport.ts [seconds for each cell, default 1]
 */
import { type ChildProcess, fork } from "node:child_process";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { createAuthority, issueHostCertificate } from "../src/auth/authority.js";
import { generateHostKey, makeCredential, type TlsMaterial } from "../src/auth/index.js";
import { certificateDer } from "../src/auth/peer-verifier.js";
import { RealClock } from "../src/io/real/real-clock.js";
import { RealRandom } from "../src/io/real/real-random.js";
import { FrameReader } from "../src/rpc/frame-reader.js";
import { GrpcRpc } from "../src/rpc/grpc/index.js";
import type { Codec, Rpc } from "../src/rpc/index.js";
import { noopLogger } from "../src/telemetry/index.js";

const CELLS = [
  { bytes: 64, window: 64 },
  { bytes: 4 << 10, window: 1 },
  { bytes: 4 << 10, window: 16 },
  { bytes: 64 << 10, window: 16 },
  { bytes: 1 << 20, window: 4 },
] as const;

const PATH = "/bench.Transport/Write";
const ACK = new Uint8Array(8);
const bytesCodec: Codec<Uint8Array> = {
  encode: (bytes) => bytes,
  decode: (bytes) => bytes,
  bytesMax: 8 << 20,
};
const clock = new RealClock();

interface Sender {
  send(message: Uint8Array): void;
  close(): void;
}

/** A way to move messages: how the one process serves it, and how the other sends. */
interface Transport {
  serve(material: TlsMaterial): Promise<string>;
  /** Calls `onAck` for every acknowledged message. */
  connect(address: string, material: TlsMaterial, onAck: () => void): Promise<Sender>;
}

const TRANSPORTS: Readonly<Record<string, Transport>> = {
  "raw TCP": framed(
    (onSocket) => createServer({ noDelay: true }, onSocket),
    (port) => connectTcp({ port, host: "127.0.0.1", noDelay: true }),
    "connect",
  ),
  "TLS 1.3, AES-128": framed(
    (onSocket, material) => createTlsServer({ ...tlsOptions(material), requestCert: true }, onSocket),
    (port, material) =>
      connectTls({
        ...tlsOptions(material),
        port,
        host: "127.0.0.1",
        servername: `${material.clusterId}.pstorage`,
      }),
    "secureConnect",
  ),
  "our gRPC": { serve: serveOurs, connect: connectOurs },
  "grpc-js": { serve: serveGrpcJs, connect: connectGrpcJs },
};

// ---- Our gRPC ----------------------------------------------------------------------------------------------

const METHOD = { path: PATH, up: bytesCodec, down: bytesCodec };

function ourRpc(credential: TlsMaterial): Rpc {
  return new GrpcRpc(
    { credential, authorization: { [PATH]: ["cs"] }, serverRoles: {} },
    { clock, log: noopLogger },
  );
}

async function serveOurs(material: TlsMaterial): Promise<string> {
  const listener = await ourRpc(material).serve("127.0.0.1:0", (service) =>
    service.stream(METHOD, (channel) => channel.onMessage(() => channel.send(ACK))),
  );
  return listener.address;
}

async function connectOurs(address: string, material: TlsMaterial, onAck: () => void): Promise<Sender> {
  const rpc = ourRpc(material);
  const channel = rpc.open(METHOD, address);
  channel.onMessage(onAck);
  channel.onClose((failure) => {
    if (failure !== undefined && failure.code !== "closed") throw failure;
  });
  return { send: (message) => channel.send(message), close: () => void rpc.close() };
}

// ---- grpc-js -----------------------------------------------------------------------------------------------

const toBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const same = (bytes: Buffer): Buffer => bytes;
const GRPC_JS_OPTIONS = {
  "grpc.max_receive_message_length": 8 << 20,
  "grpc-node.flow_control_window": 4 << 20,
  "grpc.enable_channelz": 0,
};

async function serveGrpcJs(material: TlsMaterial): Promise<string> {
  const server = new grpc.Server(GRPC_JS_OPTIONS);
  const write = {
    path: PATH,
    requestStream: true,
    responseStream: true,
    requestSerialize: toBuffer,
    requestDeserialize: same,
    responseSerialize: toBuffer,
    responseDeserialize: same,
  };
  server.addService(
    { Write: write },
    { Write: (call: grpc.ServerDuplexStream<Buffer, Uint8Array>) => call.on("data", () => call.write(ACK)) },
  );
  const [ca, key, cert] = pems(material);
  const credentials = grpc.ServerCredentials.createSsl(ca, [{ private_key: key, cert_chain: cert }], true);
  return await new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, port) =>
      error ? reject(error) : resolve(`127.0.0.1:${port}`),
    );
  });
}

async function connectGrpcJs(address: string, material: TlsMaterial, onAck: () => void): Promise<Sender> {
  const [ca, key, cert] = pems(material);
  const client = new grpc.Client(address, grpc.credentials.createSsl(ca, key, cert), {
    ...GRPC_JS_OPTIONS,
    "grpc.ssl_target_name_override": `${material.clusterId}.pstorage`,
  });
  const stream = client.makeBidiStreamRequest(PATH, toBuffer, same);
  stream.on("data", onAck);
  stream.on("error", () => undefined);
  return { send: (message) => stream.write(message), close: () => client.close() };
}

function pems({ caPem, keyPem, certPem }: TlsMaterial): [Buffer, Buffer, Buffer] {
  return [Buffer.from(caPem), Buffer.from(keyPem), Buffer.from(certPem)];
}

// ---- Frames on a socket ------------------------------------------------------------------------------------

function tlsOptions({ caPem, certPem, keyPem }: TlsMaterial) {
  return {
    ca: caPem,
    cert: certPem,
    key: keyPem,
    minVersion: "TLSv1.3",
    ciphers: "TLS_AES_128_GCM_SHA256",
  } as const;
}

function framed(
  listen: (onSocket: (socket: Socket) => void, material: TlsMaterial) => ReturnType<typeof createServer>,
  dial: (port: number, material: TlsMaterial) => Socket,
  readyEvent: string,
): Transport {
  const read = (socket: Socket, onFrame: () => void): void => {
    const reader = new FrameReader(4, 8 << 20, (header) => new DataView(header.buffer).getUint32(0));
    socket.on("data", (bytes) => reader.read(bytes, onFrame));
    socket.on("error", () => undefined);
  };
  const write = (socket: Socket, message: Uint8Array): void => {
    const header = new Uint8Array(4);
    new DataView(header.buffer).setUint32(0, message.length);
    socket.cork();
    socket.write(header);
    socket.write(message);
    process.nextTick(() => socket.uncork());
  };
  return {
    serve: (material) =>
      new Promise((resolve) => {
        const server = listen((socket) => read(socket, () => write(socket, ACK)), material);
        server.listen(0, "127.0.0.1", () => {
          const address = server.address();
          resolve(`127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
        });
      }),
    connect: (address, material, onAck) =>
      new Promise((resolve) => {
        const socket = dial(Number(address.split(":")[1]), material);
        read(socket, onAck);
        socket.once(readyEvent, () =>
          resolve({ send: (message) => write(socket, message), close: () => socket.destroy() }),
        );
      }),
  };
}

// ---- Measuring ---------------------------------------------------------------------------------------------

interface Cell {
  readonly bytes: number;
  readonly window: number;
}

interface Result extends Cell {
  readonly transport: string;
  readonly operationsPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly clientMicroseconds: number;
  readonly serverMicroseconds: number;
}

async function measure(
  name: string,
  address: string,
  material: TlsMaterial,
  cell: Cell,
  seconds: number,
  child: ChildProcess,
): Promise<Result> {
  const transport = TRANSPORTS[name] as Transport;
  const message = new Uint8Array(cell.bytes).fill(7);
  let ackCount = 0;
  let isStopping = false;
  let stopped: () => void = () => undefined;
  let outstanding = 0;
  const sender = await transport.connect(address, material, () => {
    ackCount++;
    outstanding--;
    if (!isStopping) next();
    else if (outstanding === 0) stopped();
  });
  const next = (): void => {
    outstanding++;
    sender.send(message);
  };
  for (let i = 0; i < cell.window; i++) next();
  await clock.sleep("bench", 300);
  const serverBefore = await serverCpu(child);
  const clientBefore = process.cpuUsage();
  const startMs = clock.monotonicMs();
  ackCount = 0;
  await clock.sleep("bench", seconds * 1000);
  const count = ackCount;
  const elapsed = (clock.monotonicMs() - startMs) / 1000;
  const client = process.cpuUsage(clientBefore);
  const server = (await serverCpu(child)) - serverBefore;
  const whenStopped = new Promise<void>((resolve) => {
    stopped = resolve;
  });
  isStopping = true;
  await whenStopped;
  sender.close();
  return {
    transport: name,
    ...cell,
    operationsPerSecond: count / elapsed,
    megabytesPerSecond: (count * cell.bytes) / elapsed / 1e6,
    clientMicroseconds: (client.user + client.system) / count,
    serverMicroseconds: server / count,
  };
}

function serverCpu(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once("message", (used) => resolve(used as number));
    child.send("cpu");
  });
}

function print(result: Result): void {
  const perMebibyte = ((result.clientMicroseconds + result.serverMicroseconds) / result.bytes) * (1 << 20);
  const cells = [
    result.transport.padEnd(17),
    `${result.bytes} B x${result.window}`.padStart(13),
    `${result.operationsPerSecond.toFixed(0)} op/s`.padStart(13),
    `${result.megabytesPerSecond.toFixed(1)} MB/s`.padStart(13),
    `${result.clientMicroseconds.toFixed(1)} us`.padStart(11),
    `${result.serverMicroseconds.toFixed(1)} us`.padStart(11),
    `${(perMebibyte / 1000).toFixed(2)} ms/MiB`.padStart(14),
  ];
  console.log(cells.join(" "));
}

function makeMaterial(): TlsMaterial {
  const context = { nowMs: clock.wallMs(), random: new RealRandom() };
  const authority = createAuthority("11111111-2222-4333-8444-555555555555", context);
  const key = generateHostKey();
  const request = { hostId: "00000000000000aa", roles: ["cs"], publicKey: key.publicKey } as const;
  const { certificate } = issueHostCertificate(authority, request, context);
  const caCertificate = certificateDer(authority.caCertificatePem);
  return makeCredential(key.privateKeyPem, { caCertificate, hostCertificate: certificate }, context.nowMs);
}

async function runServer(name: string): Promise<void> {
  const material = await new Promise<TlsMaterial>((resolve) =>
    process.once("message", resolve as () => void),
  );
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.(user + system);
  });
  process.on("disconnect", () => process.exit(0));
  process.send?.(await (TRANSPORTS[name] as Transport).serve(material));
}

async function runClient(seconds: number, only: string | undefined): Promise<void> {
  const material = makeMaterial();
  const results: Result[] = [];
  console.log(
    [
      "transport".padEnd(17),
      "message".padStart(13),
      "".padStart(27),
      "client".padStart(11),
      "server".padStart(11),
      "both".padStart(14),
    ].join(" "),
  );
  for (const name of Object.keys(TRANSPORTS)) {
    if (only !== undefined && only !== name) continue;
    const child = fork(fileURLToPath(import.meta.url), ["serve", name]);
    child.send({ ...material });
    const address = await new Promise<string>((resolve) =>
      child.once("message", (text) => resolve(text as string)),
    );
    for (const cell of CELLS) {
      const result = await measure(name, address, material, cell, seconds, child);
      results.push(result);
      print(result);
    }
    child.disconnect();
  }
  console.log(JSON.stringify(results));
  process.exit(0);
}

const [mode, name] = process.argv.slice(2);
if (mode === "serve") await runServer(name ?? "");
else await runClient(Number(mode ?? 1), name);
