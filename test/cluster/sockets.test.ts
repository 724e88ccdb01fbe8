import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadCredential } from "../../src/auth/index.js";
import { clientAddressOf } from "../../src/discovery/index.js";
import type { Net } from "../../src/io/index.js";
import { filesId, realWorld } from "../../src/io/real/index.js";
import { RAFT_PEER } from "../../src/mds/raft-wire.js";
import { encodeGreeting } from "../../src/rpc/channel/data-greeting.js";
import { DataChannels } from "../../src/rpc/channel/index.js";
import { GrpcRpc } from "../../src/rpc/grpc/index.js";
import { METADATA_SESSION, type Rpc } from "../../src/rpc/index.js";
import { noopLogger } from "../../src/telemetry/index.js";
import { ClusterHarness } from "./harness.js";

/** The unix sockets of a metadata server are no way around its certificates. */
const TIMEOUT_MS = 120_000;
const { clock, disk, net, random } = realWorld();
let harness: ClusterHarness;

beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 1, csCount: 2 });
}, TIMEOUT_MS);
afterAll(() => harness?.close());

const socketOf = (name: string): string => join(harness.lab.repository("mds", 1), name);

/** Lines of that message in the log of the metadata server. */
async function logged(message: string): Promise<number> {
  const text = await readFile(join(harness.lab.repository("mds", 1), "logs/log"), "utf8");
  return text.split("\n").filter((line) => line.includes(`"${message}"`)).length;
}

/** Calls as host 2, which has no metadata server, and where they were connected to besides gRPC. */
async function callsOfHost2(filesId: string): Promise<{ rpc: Rpc; clusterId: string; dialled: string[] }> {
  const dialled: string[] = [];
  const watched: Net = {
    listen: (address, accept) => net.listen(address, accept),
    connect: (address, options) => {
      dialled.push(address);
      return net.connect(address, options);
    },
  };
  const { lab } = harness;
  const credential = await loadCredential(disk, lab.root(2), lab.clusterName);
  const grpc = new GrpcRpc({ credential, authorization: {}, serverRoles: {} }, { clock, log: noopLogger });
  const methods = [
    { path: RAFT_PEER.path, isLocalOnly: true },
    { path: METADATA_SESSION.path, isLocalOnly: true },
  ];
  const world = { clock, net: watched, random, log: noopLogger };
  const { clusterId } = credential;
  return { rpc: new DataChannels(grpc, world, { methods, filesId }), clusterId, dialled };
}

test(
  "the sockets are their owner's, and serve nobody who was not let in over TLS",
  async () => {
    for (const name of ["raft.sock", "session.sock"]) {
      expect((await stat(socketOf(name))).mode & 0o777, name).toBe(0o600);
      const connection = await net.connect(`unix:${socketOf(name)}`, { timeoutMs: 3000 });
      connection.onData(() => undefined);
      const closed = new Promise<void>((resolve) => connection.onClose(resolve));
      connection.write([encodeGreeting({ protection: "plain", channelId: random.bytes(16) })]);
      await closed;
    }
    expect(await logged("data channel refused")).toBe(2);
  },
  TIMEOUT_MS,
);

test.each([
  ["on the same host, over the socket", () => filesId(disk), 1],
  ["on another host, over gRPC", () => "another", 0],
  // Its paths lead to files of its own.
  ["in a container on the same host, over gRPC", () => `${disk.bootId()}/0/0`, 0],
])(
  "who was let in is held to its certificate: %s",
  async (_name, ofFiles, count) => {
    const { rpc, clusterId, dialled } = await callsOfHost2(ofFiles());
    const address = harness.lab.mdsAddresses[0] ?? "";
    const refusals = await logged("a stream between metadata servers was refused");
    const code = await new Promise<string>((resolve) => {
      const channel = rpc.open(RAFT_PEER, address);
      channel.onClose((failure) => resolve(failure?.code ?? "closed"));
      channel.send({ clusterId, from: 1, epoch: 0, content: { type: "messages", body: { messages: [] } } });
    });
    expect(code).toBe("unauthorized");
    const session = rpc.open(METADATA_SESSION, clientAddressOf(address));
    const reply = new Promise<string | undefined>((resolve) =>
      session.onMessage(({ failure }) => resolve(failure?.code)),
    );
    session.send({ id: 1, deadlineMs: 10_000, body: { type: "keepAlive", body: {} } });
    expect(await reply).toBe("session_lost");
    expect(await logged("a stream between metadata servers was refused")).toBe(refusals + 1);
    expect(dialled).toEqual(
      [`unix:${socketOf("raft.sock")}`, `unix:${socketOf("session.sock")}`].slice(0, 2 * count),
    );
    await rpc.close();
  },
  TIMEOUT_MS,
);
