import { afterAll, beforeAll, expect, test } from "vitest";
import { enroll, type HostCredential, loadCredential } from "../../src/auth/index.js";
import { type ChunkMap, type ChunkRequest, checksumsOf, chunkId, LEVEL } from "../../src/chunk/index.js";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import { clientAddressOf } from "../../src/discovery/index.js";
import { realWorld } from "../../src/io/real/index.js";
import { PROTOCOL_VERSION } from "../../src/mds/client-service.js";
import type { Access, InodeNumber, MetadataReply, MetadataRequest } from "../../src/meta/index.js";
import { GrpcRpc } from "../../src/rpc/grpc/index.js";
import {
  CallClient,
  CHUNK_CHANNEL,
  type ChunkAnswer,
  type ChunkCall,
  ENROLLMENT,
  METADATA_SESSION,
} from "../../src/rpc/index.js";
import { noopLogger } from "../../src/telemetry/index.js";
import { ClusterHarness } from "./harness.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";

/** Members of the cluster who speak well-formed messages to chunk servers, without the lease that would allow them to. */

const CALL = { deadlineMs: PATIENCE_MS };
const NO_BYTES = new Uint8Array(0);
const KEPT = "x".repeat(1 << 20);
const BLOCK = new Uint8Array(4096).fill(7);

const { clock, disk } = realWorld();
const rpcs: GrpcRpc[] = [];
let harness: ClusterHarness;
let cluster: Cluster;
let own: HostCredential;
let mds = "";

beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 1, csCount: 3 });
  const { lab } = harness;
  cluster = await connectCluster({ cluster: lab.clusterName, root: lab.root(1) });
  own = await loadCredential(disk, lab.root(1), lab.clusterName);
  mds = clientAddressOf(lab.mdsAddresses[0] ?? "");
}, TEST_MS);

afterAll(async () => {
  for (const rpc of rpcs) await rpc.close();
  await cluster?.close();
  await harness?.close();
});

function rpcWith(credential: HostCredential | undefined): GrpcRpc {
  const rpc = new GrpcRpc({ credential, authorization: {}, serverRoles: {} }, { clock, log: noopLogger });
  rpcs.push(rpc);
  return rpc;
}

/** A session, as far as this test needs one: it never drops what it was told to drop. */
class Sloppy {
  readonly sessionId: number;
  readonly #ask: (request: MetadataRequest) => Promise<MetadataReply>;
  #sequence = 0;

  private constructor(sessionId: number, ask: (request: MetadataRequest) => Promise<MetadataReply>) {
    this.sessionId = sessionId;
    this.#ask = ask;
  }

  static async begin(): Promise<Sloppy> {
    const calls = new CallClient(rpcWith(own).open(METADATA_SESSION, mds), clock);
    const ask = async (request: MetadataRequest): Promise<MetadataReply> =>
      (await calls.request(request, CALL)) as MetadataReply;
    const who = { sessionId: 0, hostname: "h", program: "test", clusterId: own.clusterId };
    const welcome = await ask({
      type: "hello",
      body: { ...who, protocolVersion: PROTOCOL_VERSION, level: LEVEL },
    });
    return new Sloppy(welcome.type === "welcome" ? welcome.body.sessionId : expect.unreachable(), ask);
  }

  async open(ino: InodeNumber, access: Access): Promise<number> {
    const reply = await this.#ask({ type: "open", body: { id: this.#id(), ino, access } });
    return reply.type === "opened" ? reply.body.lease.sequence : expect.unreachable();
  }

  async close(ino: InodeNumber, access: Access): Promise<void> {
    await this.#ask({ type: "close", body: { id: this.#id(), ino, access } });
  }

  async map(ino: InodeNumber): Promise<ChunkMap> {
    return firstMap(await this.#ask({ type: "getChunkMaps", body: { ino, firstIndex: 0, count: 1 } }));
  }

  async mapForWriting(ino: InodeNumber, leaseSequence: number): Promise<ChunkMap> {
    const body = { id: this.#id(), ino, leaseSequence, index: 0 };
    return firstMap(await this.#ask({ type: "allocateChunk", body }));
  }

  #id() {
    return { sequence: ++this.#sequence, answeredBelow: 0, unanswered: [] };
  }
}

const firstMap = (reply: MetadataReply): ChunkMap =>
  (reply.type === "chunkMaps" ? reply.body.maps[0] : undefined) ?? expect.unreachable("no map");

/** What the head of the chunk makes of a request: `ok`, or the code of its refusal. */
class Head {
  readonly #calls: CallClient<ChunkCall, ChunkAnswer>;

  constructor({ chain }: ChunkMap, credential = own) {
    const address = chain[0]?.address ?? expect.unreachable("nobody has it");
    this.#calls = new CallClient<ChunkCall, ChunkAnswer>(
      rpcWith(credential).open(CHUNK_CHANNEL, address),
      clock,
    );
  }

  async ask(request: ChunkRequest, ticket?: Uint8Array, payload = NO_BYTES): Promise<string> {
    try {
      await this.#calls.request({ request, payload, ticket }, CALL);
      return "ok";
    } catch (error) {
      return String((error as { code?: unknown }).code ?? error);
    }
  }

  read({ version }: ChunkMap, id: number, offset: number, lengthBytes: number, ticket?: Uint8Array) {
    const body = { chunkId: chunkId(id), version, offset, lengthBytes, background: false };
    return this.ask({ type: "read", body }, ticket);
  }

  write({ chunkId: chunk, version }: ChunkMap, sessionId: number, sequence: number, ticket?: Uint8Array) {
    const name = { sessionId, sequence, acknowledgedBelow: 0 };
    const body = { chunkId: chunk, version, offset: 0, checksums: checksumsOf(BLOCK, 0), ...name };
    return this.ask({ type: "write", body }, ticket, BLOCK);
  }
}

async function fileOf(path: string): Promise<InodeNumber> {
  await cluster.fileSystem.writeFile(path, KEPT, { sync: true });
  return (await cluster.fileSystem.stat(path)).ino;
}

test(
  "a chunk server refuses chunks and ranges that there are not, and who shows no ticket",
  async () => {
    const ino = await fileOf("/read");
    const reader = await Sloppy.begin();
    expect((await reader.map(ino)).ticket).toBeUndefined();
    await reader.open(ino, "read");
    const map = await reader.map(ino);
    const { chunkId: chunk, version, ticket } = map;
    const head = new Head(map);
    const far = Number.MAX_SAFE_INTEGER;
    expect(await head.read(map, far, 0, 4096, ticket)).toBe("stale_map");
    expect(await head.read(map, chunk, 0, 4_000_000_000, ticket)).toBe("invalid");
    expect(await head.read(map, chunk, far, 1, ticket)).toBe("invalid");
    expect(await head.read(map, chunk, 0, 4096, ticket)).toBe("ok");

    expect(await head.read(map, chunk, 0, 4096)).toBe("ticket_refused");
    expect(await head.read(map, chunk, 0, 4096, new Uint8Array(34))).toBe("ticket_refused");
    expect(await head.write(map, reader.sessionId, 1, ticket)).toBe("ticket_refused");

    const password = await harness.lab.password();
    const stranger = rpcWith(undefined);
    const client = await enroll(
      { password, hostId: "00000000000c11e9", roles: ["client"] },
      {
        start: (message) => stranger.call(ENROLLMENT.start, mds, message, CALL),
        finish: (message) => stranger.call(ENROLLMENT.finish, mds, message, CALL),
      },
      clock,
    );
    const describe: ChunkRequest = { type: "describe", body: { chunkId: chunk, version } };
    expect(await new Head(map, client).ask(describe, ticket)).toBe("unauthorized");
    expect(Buffer.from(await cluster.fileSystem.readFile("/read")).toString()).toBe(KEPT);
  },
  TEST_MS,
);

test(
  "a lease that was revoked, and one that was given back, changes nothing any more",
  async () => {
    const ino = await fileOf("/written");
    const first = await Sloppy.begin();
    const sequence = await first.open(ino, "write");
    const map = await first.mapForWriting(ino, sequence);
    const head = new Head(map);
    expect(await head.write(map, first.sessionId, 1, map.ticket)).toBe("ok");
    await first.close(ino, "write");

    const second = await Sloppy.begin();
    const map2 = await second.mapForWriting(ino, await second.open(ino, "write"));
    expect(map2.version).toBe(map.version);
    expect(await head.write(map2, second.sessionId, 1, map2.ticket)).toBe("ok");
    expect(await head.write(map, first.sessionId, 2, map.ticket)).toBe("ticket_refused");
    expect(await head.write(map2, second.sessionId, 2, map2.ticket)).toBe("ok");

    await cluster.fileSystem.revoke("/written");
    // Whoever opens it next waits until nobody else can write.
    const third = await Sloppy.begin();
    await third.open(ino, "write");
    await third.close(ino, "write");
    expect(await head.write(map2, second.sessionId, 3, map2.ticket)).toBe("stale_map");
    const map3 = await second.map(ino);
    expect([map3.version > map2.version, map3.ticket]).toEqual([true, undefined]);
    expect(await head.write(map3, second.sessionId, 4, map2.ticket)).toBe("ticket_refused");
  },
  TEST_MS,
);
