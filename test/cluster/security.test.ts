import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  credentialPath,
  type EnrollFinish,
  type EnrollStart,
  enroll,
  type HostCredential,
  loadCredential,
} from "../../src/auth/index.js";
import { chunkId, chunkVersion, csId, LEVEL } from "../../src/chunk/index.js";
import { hostAndPort } from "../../src/cli/address.js";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import { clientAddressOf } from "../../src/discovery/index.js";
import { realWorld } from "../../src/io/real/index.js";
import { MDS_AUTHORIZATION } from "../../src/mds/authorization.js";
import { PROTOCOL_VERSION } from "../../src/mds/client-service.js";
import { RAFT_PEER } from "../../src/mds/raft-wire.js";
import { REGISTRY_PROTOCOL_VERSION } from "../../src/mds/registry-service.js";
import type { Hello, MetadataRequest } from "../../src/meta/index.js";
import { GrpcRpc } from "../../src/rpc/grpc/index.js";
import {
  ADMIN,
  CallClient,
  CHUNK_CHANNEL,
  ENROLLMENT,
  METADATA_SESSION,
  openDataChannel,
  REGISTRY_ATTACH,
} from "../../src/rpc/index.js";
import { noopLogger } from "../../src/telemetry/index.js";
import { ClusterHarness, runProgram } from "./harness.js";
import { Attacker, framed, type Papers, replay, Wiretap } from "./ordeal/attacker.js";
import { Calls, eventually } from "./ordeal/calls.js";
import { leaderHostOf } from "./ordeal/mischief.js";
import { forged, ofAnotherCluster } from "./ordeal/papers.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";
import { readBack } from "./ordeal/read-back.js";

/**
 * Strangers, members of other clusters, members without the role, and members who talk nonsense: each is refused on
 * every port, the refusal is logged, and nothing has changed.
 */

const CALL = { deadlineMs: PATIENCE_MS };
const MEGABYTE = "x".repeat(1 << 20);
const ENROLLMENT_PATHS: readonly string[] = [ENROLLMENT.start.path, ENROLLMENT.finish.path];
const PATHS = [
  ...Object.keys(MDS_AUTHORIZATION).filter((path) => !ENROLLMENT_PATHS.includes(path)),
  CHUNK_CHANNEL.path,
];
const RAFT_PATHS: readonly string[] = [RAFT_PEER.path, openDataChannel(RAFT_PEER.path).path];
/** What no message begins with, of whatever type. */
const NONSENSE: readonly Uint8Array[] = [
  Uint8Array.of(7),
  // A field that is said to have 4 GiB.
  Uint8Array.of(10, 255, 255, 255, 255, 15, 1),
  // A number without end.
  new Uint8Array(40).fill(255),
  // Groups within groups within groups.
  new Uint8Array(100_000).fill(11),
];

const { clock, disk } = realWorld();
const rpcs: GrpcRpc[] = [];
const attackers: Attacker[] = [];
let harness: ClusterHarness;
let cluster: Cluster;
let own: HostCredential;
let wrongPasswordMs = 0;
/** Of the leading MDS, and of a chunk server. */
let leader = { host: 0, raft: "", client: "" };
let chunkServer = "";
let before: unknown;

beforeAll(async () => {
  // One that leads whatever happens, and chunk servers that may be slow: what changes is what somebody has changed.
  harness = await ClusterHarness.start({ mdsCount: 1, csCount: 2 });
  const { lab } = harness;
  cluster = await connectCluster({ cluster: lab.clusterName, root: lab.root(1) });
  await cluster.admin.setConfig({ name: "mds.wd.inactive_tout", value: "3600000" });
  await cluster.fileSystem.writeFile("/kept", MEGABYTE, { sync: true });
  own = await loadCredential(disk, lab.root(1), lab.clusterName);
  chunkServer = (await lab.status(PATIENCE_MS)).chunkServers[0]?.address ?? "";
}, TEST_MS);

afterAll(async () => {
  for (const attacker of attackers) attacker.close();
  for (const rpc of rpcs) await rpc.close();
  await cluster?.close();
  await harness?.close();
});

beforeEach(async () => {
  const { lab } = harness;
  const host = await eventually("somebody leads", () => leaderHostOf(lab, cluster));
  const raft = lab.mdsAddresses[host - 1] ?? "";
  leader = { host, raft, client: clientAddressOf(raft) };
  before = await everything();
});

/** All that somebody could have changed. Sessions come and go by themselves. */
async function everything(): Promise<unknown> {
  const rpc = rpcWith(own);
  const status = await rpc.call(ADMIN.getStatus, leader.client, {}, CALL);
  const { entries } = await rpc.call(ADMIN.getConfig, leader.client, {}, CALL);
  const { events } = await rpc.call(ADMIN.getEvents, leader.client, { after: 0, limit: 1000 }, CALL);
  await rpc.close();
  return {
    mds: status.mdsServers.map(({ mdsId, address }) => [mdsId, address]),
    cs: status.chunkServers.map(({ csId, address, hostId, tier }) => [csId, address, hostId, tier]),
    config: entries,
    events: events.filter(({ system }) => system !== "CLN"),
    tree: [...(await readBack(cluster.fileSystem, "/", new Calls()))],
  };
}

async function expectNothingChanged(): Promise<void> {
  expect(await everything()).toEqual(before);
}

function logOf(kind: "mds" | "cs", host: number): Promise<string> {
  return readFile(join(harness.lab.repository(kind, host), "logs/log"), "utf8");
}

/** Lines of that message in the log, of refused calls with their codes. */
async function logged(kind: "mds" | "cs", message: string, code = ""): Promise<number> {
  const lines = (await logOf(kind, kind === "mds" ? leader.host : 1)).split("\n");
  return lines.filter((line) => line.includes(`"${message}"`) && line.includes(code)).length;
}

function attacker(address: string, papers: Papers): Attacker {
  const made = new Attacker(address, papers);
  attackers.push(made);
  return made;
}

/** Our own client, with papers of the cluster: for messages that are well-formed. */
function rpcWith(credential: HostCredential | undefined): GrpcRpc {
  const rpc = new GrpcRpc({ credential, authorization: {}, serverRoles: {} }, { clock, log: noopLogger });
  rpcs.push(rpc);
  return rpc;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "ok";
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  }
}

test(
  "a wrong password gives no certificate",
  async () => {
    const root = join(harness.lab.directory, "stranger");
    const args = ["auth-node", "-P", "-b", leader.raft];
    const { clusterName } = harness.lab;
    const result = await runProgram("pstorage", args, { root, cluster: clusterName, input: "a guess\n" });
    expect(result.status).toBe(1);
    expect(result.errors).toContain("wrong cluster password");
    await expect(readFile(credentialPath(root, clusterName))).rejects.toThrow("ENOENT");
    // It is logged when its time is over: see the last test.
    wrongPasswordMs = performance.now();
    await expectNothingChanged();
  },
  TEST_MS,
);

test.each([
  ["without a certificate", "call refused", (): Papers => ({})],
  ["with a certificate of another cluster", "certificate refused", () => ofAnotherCluster(harness.lab)],
  [
    "with a certificate of an authority that bears this cluster's id",
    "certificate refused",
    () => forged(own),
  ],
])(
  "a peer %s is refused by every method on every port",
  async (_name, message, makePapers) => {
    const papers = await makePapers();
    const isNobody = papers.certPem === undefined;
    const counts = { mds: await logged("mds", message), cs: await logged("cs", message) };
    for (const address of [leader.raft, leader.client, chunkServer]) {
      const peer = attacker(address, papers);
      for (const path of [...PATHS, "/pstorage.Nothing/AtAll"])
        expect(await peer.post(path, framed(NONSENSE[0] ?? new Uint8Array())), `${path} at ${address}`).toBe(
          "unauthenticated",
        );
      for (const path of ENROLLMENT_PATHS) {
        const isServed = address === leader.client && isNobody;
        const isForAnyone = address !== chunkServer && isNobody;
        const code = isServed ? "malformed" : isForAnyone ? "unsupported" : "unauthenticated";
        expect(await peer.post(path, framed(NONSENSE[0] ?? new Uint8Array())), `${path} at ${address}`).toBe(
          code,
        );
      }
    }
    expect(await logged("mds", message)).toBeGreaterThanOrEqual(counts.mds + 2);
    expect(await logged("cs", message)).toBeGreaterThan(counts.cs);
    await expectNothingChanged();
  },
  TEST_MS,
);

test(
  "a host that is only a client may do what clients do and nothing else, on every port",
  async () => {
    const password = await harness.lab.password();
    const stranger = rpcWith(undefined);
    const client = await enroll(
      { password, hostId: "00000000000c11e7", roles: ["client"] },
      {
        start: (message) => stranger.call(ENROLLMENT.start, leader.client, message, CALL),
        finish: (message) => stranger.call(ENROLLMENT.finish, leader.client, message, CALL),
      },
      clock,
    );
    const countBefore = await logged("mds", "call refused", "unauthorized");
    const forbidden = PATHS.filter((path) => {
      const allowed = path === CHUNK_CHANNEL.path ? ["client"] : MDS_AUTHORIZATION[path];
      return allowed !== "anyone" && allowed?.includes("client") !== true;
    });
    expect(forbidden).toContain(RAFT_PEER.path);
    expect(forbidden).toContain(REGISTRY_ATTACH.path);
    expect(forbidden).toContain(ADMIN.setConfig.path);
    for (const address of [leader.raft, leader.client, chunkServer]) {
      const peer = attacker(address, client);
      for (const path of forbidden)
        expect(await peer.post(path, framed(NONSENSE[0] ?? new Uint8Array())), `${path} at ${address}`).toBe(
          "unauthorized",
        );
    }
    expect(await logged("mds", "call refused", "unauthorized")).toBe(countBefore + 2 * forbidden.length);
    await expectNothingChanged();
  },
  TEST_MS,
);

const SERVED: readonly (readonly [path: string, address: () => string])[] = [
  ...RAFT_PATHS.map((path) => [path, () => leader.raft] as const),
  [CHUNK_CHANNEL.path, () => chunkServer],
  ...[...PATHS, ...ENROLLMENT_PATHS]
    .filter((path) => !RAFT_PATHS.includes(path) && path !== CHUNK_CHANNEL.path)
    .map((path) => [path, () => leader.client] as const),
];

test.each(SERVED)(
  "%s refuses nonsense and what is too long, whoever says it",
  async (path, addressOf) => {
    const address = addressOf();
    const kind = address === chunkServer ? "cs" : "mds";
    const countBefore = await logged(kind, "call refused", "malformed");
    for (const message of NONSENSE) {
      const peer = attacker(address, own);
      expect(await peer.post(path, framed(message)), `${message.length} bytes`).toBe("malformed");
    }
    const peer = attacker(address, own);
    expect(await peer.post(path, framed(Uint8Array.of(1), 0xffff_ffff))).toBe("malformed");
    expect(await peer.post(path, framed(Uint8Array.of(1), 17 << 20))).toBe("malformed");
    // The flag for compression.
    expect(await peer.post(path, Uint8Array.of(1, 0, 0, 0, 1, 0))).toBe("unsupported");
    expect(await logged(kind, "call refused", "malformed")).toBe(countBefore + NONSENSE.length + 2);
    await expectNothingChanged();
  },
  TEST_MS,
);

test(
  "fields that are too long or too large are refused by administration",
  async () => {
    const rpc = rpcWith(own);
    const at = leader.client;
    const hostId = own.hostId;
    const location = "0.0.0";
    const set = (name: string, value: string) => codeOf(rpc.call(ADMIN.setConfig, at, { name, value }, CALL));
    expect(await set(MEGABYTE, "1")).toBe("invalid");
    expect(await set("mds.repair.max_syncs", MEGABYTE)).toBe("invalid");
    expect(await set("mds.repair.max_syncs", "1e9")).toBe("invalid");
    const addMds = (address: string, host: string) =>
      codeOf(rpc.call(ADMIN.addMds, at, { address, hostId: host }, CALL));
    expect(await addMds(MEGABYTE, hostId)).toBe("invalid");
    expect(await addMds("127.0.0.1:1", MEGABYTE)).toBe("invalid");
    const addCs = (body: { hostId: string; location: string; tier: number }) =>
      codeOf(rpc.call(ADMIN.addChunkServer, at, body, CALL));
    expect(await addCs({ hostId: MEGABYTE, location, tier: 0 })).toBe("invalid");
    expect(await addCs({ hostId, location: MEGABYTE, tier: 0 })).toBe("invalid");
    expect(await addCs({ hostId, location, tier: 4_000_000 })).toBe("invalid");
    const far = Number.MAX_SAFE_INTEGER;
    expect(await codeOf(rpc.call(ADMIN.removeMds, at, { mdsId: far }, CALL))).toBe("not_found");
    const removeCs = { csId: far, force: true, cancel: false };
    expect(await codeOf(rpc.call(ADMIN.removeChunkServer, at, removeCs, CALL))).toBe("not_found");
    const { events } = await rpc.call(ADMIN.getEvents, at, { after: 0, limit: 4_000_000_000 }, CALL);
    expect(events.length).toBeLessThanOrEqual(1000);
    await expectNothingChanged();
  },
  TEST_MS,
);

/** A stream to the MDS that begins with that hello. */
async function greet(
  rpc: GrpcRpc,
  hello: Partial<Hello>,
): Promise<(request: MetadataRequest) => Promise<string>> {
  const calls = new CallClient(rpc.open(METADATA_SESSION, leader.client), clock);
  const body = {
    clusterId: own.clusterId,
    sessionId: 0,
    hostname: "h",
    protocolVersion: PROTOCOL_VERSION,
    level: LEVEL,
    program: "p",
    ...hello,
  };
  await calls.request({ type: "hello", body }, CALL);
  return (request) => codeOf(calls.request(request, CALL));
}

test(
  "fields that are too long or too large are refused by a session",
  async () => {
    const ask = await greet(rpcWith(own), { hostname: MEGABYTE, program: MEGABYTE });
    const root = { ...(await cluster.fileSystem.stat("/")) };
    const kept = await cluster.fileSystem.stat("/kept");
    let sequence = 0;
    const id = () => ({ sequence: ++sequence, answeredBelow: 0, unanswered: [] });
    const name = Buffer.from("new");
    const target = new Uint8Array();
    const file = { parent: root.ino, name, mode: 0o100644, uid: 0, gid: 0, rdev: 0, target, mustBeNew: true };
    const create = (change: object) =>
      ask({ type: "create", body: { id: id(), ...file, ...change } } as MetadataRequest);
    const long = Buffer.from(MEGABYTE);
    expect(await create({ name: long.subarray(0, 256) })).toBe("name_too_long");
    expect(await create({ name: long })).toBe("name_too_long");
    expect(await create({ name: new Uint8Array() })).not.toBe("ok");
    expect(await create({ name: Buffer.from("a/b") })).not.toBe("ok");
    expect(await create({ mode: 0o120777, target: long })).not.toBe("ok");
    const setXattr = (xattr: Uint8Array, value: Uint8Array) =>
      ask({ type: "setXattr", body: { id: id(), ino: kept.ino, name: xattr, value, mode: "any" } });
    expect(await setXattr(Buffer.from("user.a"), long)).not.toBe("ok");
    expect(await setXattr(Buffer.concat([Buffer.from("user."), long]), target)).not.toBe("ok");
    const storage = {
      type: "setStorage",
      body: { id: id(), ino: kept.ino, replicas: 4_000_000, recursive: false },
    };
    expect(await ask(storage as unknown as MetadataRequest)).not.toBe("ok");
    const size = { type: "truncate", body: { id: id(), ino: kept.ino, sizeBytes: Number.MAX_SAFE_INTEGER } };
    expect(await ask(size as unknown as MetadataRequest)).not.toBe("ok");
    await expectNothingChanged();
  },
  TEST_MS,
);

test(
  "who names another cluster, or speaks for somebody else, is refused and logged",
  async () => {
    const { lab } = harness;
    const rpc = rpcWith(own);
    const clusterId = "00000000-0000-4000-8000-000000000000";
    expect(await codeOf(greet(rpc, { clusterId }))).toBe("wrong_cluster");
    // The session of a client on host 1, asked for by host 2.
    const second = await loadCredential(disk, lab.root(2), lab.clusterName);
    const { clients } = await lab.status(PATIENCE_MS);
    const sessionId = clients.find(({ program }) => program === "library")?.sessionId ?? expect.unreachable();
    expect(await codeOf(greet(rpcWith(second), { sessionId }))).toBe("unauthorized");
    expect(await logged("mds", "a client was refused")).toBe(2);

    const register = (change: object) => {
      const calls = new CallClient(rpcWith(second).open(REGISTRY_ATTACH, leader.client), clock);
      const space = { totalBytes: 1, freeBytes: 1 };
      const server = {
        clusterId: own.clusterId,
        csId: csId(1025),
        address: "127.0.0.1:1",
        hostId: second.hostId,
      };
      const rest = {
        location: "0.0.0",
        tier: 0,
        incarnation: 1_000_000,
        runs: ["stranger"],
        protocolVersion: REGISTRY_PROTOCOL_VERSION,
        level: LEVEL,
        space,
      };
      return codeOf(calls.request({ type: "register", body: { ...server, ...rest, ...change } }, CALL));
    };
    expect(await register({ clusterId })).toBe("wrong_cluster");
    expect(await register({ hostId: own.hostId })).toBe("unauthorized");
    expect(await register({})).toBe("refused");
    expect(await register({ csId: csId(Number.MAX_SAFE_INTEGER) })).toBe("not_found");
    expect(await logged("mds", "a chunk server was refused")).toBe(4);

    const speak = (envelope: { clusterId: string; from: number }) =>
      new Promise<string>((resolve) => {
        const channel = rpcWith(second).open(RAFT_PEER, leader.raft);
        channel.onMessage(() => undefined);
        channel.onClose((failure) => resolve(failure?.code ?? "closed"));
        channel.send({ ...envelope, epoch: 0, content: { type: "messages", body: { messages: [] } } });
      });
    expect(await speak({ clusterId, from: 2 })).toBe("wrong_cluster");
    expect(await speak({ clusterId: own.clusterId, from: 1 })).toBe("unauthorized");
    expect(await logged("mds", "a stream between metadata servers was refused")).toBe(2);
    await expectNothingChanged();
  },
  TEST_MS,
);

test(
  "what was heard on the wire is of no use to say again",
  async () => {
    for (const address of [leader.client, chunkServer]) {
      const { host, port } = hostAndPort(address);
      const tap = new Wiretap(host, port);
      const dialled = await tap.listen();
      const rpc = rpcWith(own);
      if (address === leader.client) {
        const entry = { name: "mds.repair.max_syncs", value: "17" };
        expect(await codeOf(rpc.call(ADMIN.setConfig, dialled, entry, CALL))).toBe("ok");
        expect(await codeOf(rpc.call(ADMIN.setConfig, dialled, { ...entry, value: "16" }, CALL))).toBe("ok");
      } else {
        const calls = new CallClient(rpc.open(CHUNK_CHANNEL, dialled), clock);
        const body = { chunkId: chunkId(1), version: chunkVersion(1) };
        await codeOf(calls.request({ request: { type: "describe", body }, payload: new Uint8Array() }, CALL));
      }
      await rpc.close();
      const middle = await everything();
      const kind = address === chunkServer ? "cs" : "mds";
      const countBefore = await logged(kind, "handshake failed");
      expect(tap.recordings.length).toBeGreaterThan(0);
      for (const recording of tap.recordings) await replay(host, port, recording);
      tap.close();
      expect(await logged(kind, "handshake failed")).toBe(countBefore + tap.recordings.length);
      expect(await everything()).toEqual(middle);
    }
  },
  TEST_MS,
);

test(
  "an enrolment that was heard is of no use to say again",
  async () => {
    const rpc = rpcWith(undefined);
    const heard: { start?: EnrollStart; finish?: EnrollFinish } = {};
    const start = (message: EnrollStart) => rpc.call(ENROLLMENT.start, leader.client, message, CALL);
    const finish = (message: EnrollFinish) => rpc.call(ENROLLMENT.finish, leader.client, message, CALL);
    await enroll(
      { password: await harness.lab.password(), hostId: "00000000000c11e8", roles: ["client"] },
      {
        start: (message) => start(Object.assign(heard, { start: message }).start),
        finish: (message) => finish(Object.assign(heard, { finish: message }).finish),
      },
      clock,
    );
    if (heard.start === undefined || heard.finish === undefined) expect.unreachable();
    expect(await codeOf(finish(heard.finish))).toBe("unauthenticated");
    const { handshakeId } = await start(heard.start);
    expect(await codeOf(finish({ ...heard.finish, handshakeId }))).toBe("unauthenticated");
    expect(await logged("mds", "call refused", "unauthenticated")).toBeGreaterThanOrEqual(2);
    await expectNothingChanged();
  },
  TEST_MS,
);

test(
  "a wrong password was logged when its time was over",
  async () => {
    const handshakeMs = 31_000;
    const restMs = wrongPasswordMs + handshakeMs - performance.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, restMs)));
    // The next who tries makes it look.
    const root = join(harness.lab.directory, "stranger");
    const args = ["auth-node", "-P", "-b", leader.raft];
    await runProgram("pstorage", args, { root, cluster: harness.lab.clusterName, input: "a guess\n" });
    await eventually(
      "it is logged",
      async () => (await logged("mds", "a host did not prove the cluster password")) > 0,
    );
  },
  TEST_MS,
);
