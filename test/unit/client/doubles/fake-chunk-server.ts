import { failureOf, storageError } from "../../../../src/base/index.js";
import {
  BLOCK_BYTES,
  type ChainMember,
  type ChunkId,
  type ChunkVersion,
  type CsId,
  checksumsOf,
  findMismatch,
  type InstallChunk,
  type LocateChunk,
  type ReadChunk,
  type SeekChunk,
  type WriteId,
} from "../../../../src/chunk/index.js";
import { CHUNK_CHANNEL, type ChunkAnswer, type ChunkCall, serveCalls } from "../../../../src/rpc/index.js";
import { NetRpc } from "../../../../src/rpc/inproc/index.js";
import type { SimHost } from "../../../sim/world/index.js";

interface FakeReplica {
  version: ChunkVersion;
  chain: readonly ChainMember[];
  bytes: Uint8Array;
  highWaterBytes: number;
  syncedWrites: number;
  writes: number;
}

/** Time of one hop down the chain and of storing, ms. */
const STORE_MS = 1;
const ZEROS = new Uint8Array(BLOCK_BYTES);

/**
 * An honest small chunk server: versions are checked, checksums verified, a write is acknowledged when every member of
 * the chain has it, and a repeated one is applied once. It keeps everything in memory; a crash of its host loses
 * connections but nothing stored, and unsynced writes can be counted.
 */
export class FakeChunkServer {
  readonly csId: CsId;
  readonly host: SimHost;
  readonly replicas = new Map<ChunkId, FakeReplica>();
  /** Chunks whose bytes are sent with one bit wrong. */
  readonly corrupt = new Set<ChunkId>();
  /** Requests are taken in and never answered. */
  isStuck = false;
  readCount = 0;
  locateCount = 0;
  syncCount = 0;
  /** Of each message that wrote several places: how many. */
  readonly extentCounts: number[] = [];
  /** In one message. */
  longestWriteBytes = 0;
  /** Answers to reads and writes leave the server so much later, ms. */
  answerDelayMs = 0;
  readonly #peers: () => ReadonlyMap<CsId, FakeChunkServer>;
  readonly #applied = new Map<string, ChunkVersion>();
  readonly #settledBelow = new Map<number, number>();

  constructor(csId: CsId, host: SimHost, peers: () => ReadonlyMap<CsId, FakeChunkServer>) {
    this.csId = csId;
    this.host = host;
    this.#peers = peers;
  }

  get address(): string {
    return `${this.host.ip}:3000`;
  }

  async start(clusterId: string): Promise<void> {
    const identity = { clusterId, hostId: this.host.name, roles: ["cs" as const] };
    const rpc = new NetRpc(this.host.net, this.host.clock, { identity });
    await rpc.serve(this.address, (service) => {
      service.stream(CHUNK_CHANNEL, (channel) => {
        serveCalls<ChunkCall, ChunkAnswer>(channel, (call) => this.#answer(call));
      });
    });
  }

  /** True if it was accepted. */
  install({ chunkId, version, chain, truncateBytes, contents }: InstallChunk): boolean {
    if (!this.host.isAlive) return false;
    const replica = this.replicas.get(chunkId) ?? {
      version,
      chain,
      bytes: contents?.slice() ?? new Uint8Array(0),
      highWaterBytes: contents?.length ?? 0,
      syncedWrites: 0,
      writes: 0,
    };
    this.replicas.set(chunkId, replica);
    replica.version = version;
    replica.chain = chain;
    if (truncateBytes !== undefined && truncateBytes < replica.highWaterBytes) {
      replica.bytes.fill(0, truncateBytes);
      replica.highWaterBytes = truncateBytes;
    }
    return true;
  }

  /** Acknowledged writes that no sync has covered. */
  get unsyncedCount(): number {
    return [...this.replicas.values()].reduce(
      (sum, { writes, syncedWrites }) => sum + writes - syncedWrites,
      0,
    );
  }

  async #answer({ request, payload }: ChunkCall): Promise<ChunkAnswer> {
    const { clock } = this.host;
    await clock.sleep("fake.store", STORE_MS);
    if (this.isStuck) await new Promise<void>(() => undefined);
    switch (request.type) {
      case "read":
        return await this.#delayed(this.#read(request.body));
      case "write": {
        const { offset, checksums, isDurable } = request.body;
        this.longestWriteBytes = Math.max(this.longestWriteBytes, payload.length);
        if (findMismatch(payload, offset, checksums) !== undefined) throw storageError("chunk_corrupt");
        const bytes = Uint8Array.from(payload);
        return await this.#change(request.body, (replica) => {
          put(replica, offset, bytes);
          if (isDurable === true) replica.syncedWrites = replica.writes;
        });
      }
      case "extents": {
        const { extents, checksums } = request.body;
        this.extentCounts.push(extents.length);
        if (findMismatch(payload, 0, checksums) !== undefined) throw storageError("chunk_corrupt");
        const bytes = Uint8Array.from(payload);
        return await this.#change(request.body, (replica) => {
          let done = 0;
          for (const { offset, lengthBytes } of extents) {
            put(replica, offset, bytes.subarray(done, done + lengthBytes));
            done += lengthBytes;
          }
        });
      }
      case "zero": {
        const { offset, lengthBytes } = request.body;
        return await this.#change(request.body, (replica) => {
          replica.bytes.fill(0, offset, offset + lengthBytes);
        });
      }
      case "sync": {
        this.syncCount++;
        for (const member of this.#members(request.body.chunkId, request.body.version)) {
          const replica = member.#replica(request.body.chunkId, request.body.version);
          replica.syncedWrites = replica.writes;
        }
        return DONE;
      }
      case "seek":
        return this.#seek(request.body);
      case "locate":
        return this.#locate(request.body);
      default:
        throw storageError("unsupported", request.type);
    }
  }

  async #change(
    id: WriteId & { readonly chunkId: ChunkId; readonly version: ChunkVersion },
    change: (replica: FakeReplica) => void,
  ): Promise<ChunkAnswer> {
    const { chunkId, version, sessionId, sequence, acknowledgedBelow } = id;
    const members = this.#members(chunkId, version);
    if (members[0] !== this) throw storageError("stale_map", "not the head");
    const name = `${chunkId} ${sessionId} ${sequence}`;
    for (const member of members) {
      const settledBelow = Math.max(member.#settledBelow.get(sessionId) ?? 0, acknowledgedBelow);
      member.#settledBelow.set(sessionId, settledBelow);
      if (member.#applied.has(name) || sequence < settledBelow) continue;
      member.#applied.set(name, version);
      const replica = member.#replica(chunkId, version);
      replica.writes++;
      change(replica);
    }
    await this.host.clock.sleep("fake.chain", STORE_MS * members.length);
    // A member that went away meanwhile has not acknowledged.
    this.#members(chunkId, version);
    const carriedVersion = this.#applied.get(name);
    const isRepeated = carriedVersion !== undefined && carriedVersion !== version;
    return await this.#delayed(
      isRepeated ? { ...DONE, reply: { type: "done", body: { carriedVersion } } } : DONE,
    );
  }

  /** Everybody in the chain, if all of them are up and under that version. */
  #members(chunkId: ChunkId, version: ChunkVersion): FakeChunkServer[] {
    return this.#replica(chunkId, version).chain.map((member) => {
      const server = this.#peers().get(member.csId);
      if (server === undefined || !server.host.isAlive || server.isStuck) {
        this.onMemberFailed?.(chunkId, version, member.csId);
        throw storageError("stale_map", "a member is gone");
      }
      server.#replica(chunkId, version);
      return server;
    });
  }

  /** Tells the MDS, as a chunk server does. */
  onMemberFailed: ((chunkId: ChunkId, version: ChunkVersion, csId: CsId) => void) | undefined;

  #replica(chunkId: ChunkId, version: ChunkVersion): FakeReplica {
    const replica = this.replicas.get(chunkId);
    if (replica?.version !== version) throw storageError("stale_map");
    return replica;
  }

  #read({ chunkId, version, offset, lengthBytes }: ReadChunk): ChunkAnswer {
    this.readCount++;
    const replica = this.#replica(chunkId, version);
    const payload = new Uint8Array(lengthBytes);
    payload.set(replica.bytes.subarray(offset, Math.min(replica.bytes.length, offset + lengthBytes)));
    const checksums = checksumsOf(payload, offset);
    if (this.corrupt.has(chunkId)) payload[0] = (payload[0] ?? 0) ^ 1;
    return { reply: { type: "data", body: { checksums } }, payload };
  }

  #locate({ chunkId, version, offset, lengthBytes }: LocateChunk): ChunkAnswer {
    this.locateCount++;
    const { bytes } = this.#replica(chunkId, version);
    const contents = new Uint8Array(lengthBytes);
    contents.set(bytes.subarray(offset, Math.min(bytes.length, offset + lengthBytes)));
    const body = { checksums: checksumsOf(contents, offset), path: `/${this.host.name}/${chunkId}` };
    return { reply: { type: "location", body }, payload: new Uint8Array(0) };
  }

  /** Knows no holes but blocks full of zeros. */
  #seek({ chunkId, version, offset, isHole }: SeekChunk): ChunkAnswer {
    const { bytes } = this.#replica(chunkId, version);
    let block = Math.floor(offset / BLOCK_BYTES);
    const isHoleAt = (at: number): boolean =>
      bytes.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES).every((byte) => byte === 0);
    while (block * BLOCK_BYTES < bytes.length && isHoleAt(block) !== isHole) block++;
    const isNowhere = !isHole && block * BLOCK_BYTES >= bytes.length;
    const found = isNowhere ? Number.MAX_SAFE_INTEGER : Math.max(offset, block * BLOCK_BYTES);
    return { reply: { type: "place", body: { offset: found } }, payload: new Uint8Array(0) };
  }

  async #delayed(answer: ChunkAnswer): Promise<ChunkAnswer> {
    await this.host.clock.sleep("fake.delay", this.answerDelayMs);
    return answer;
  }
}

const DONE: ChunkAnswer = { reply: { type: "done", body: {} }, payload: new Uint8Array(0) };

function put(replica: FakeReplica, offset: number, bytes: Uint8Array): void {
  const end = offset + bytes.length;
  if (end > replica.bytes.length) {
    const larger = new Uint8Array(Math.ceil(end / ZEROS.length) * ZEROS.length * 2);
    larger.set(replica.bytes);
    replica.bytes = larger;
  }
  replica.bytes.set(bytes, offset);
  replica.highWaterBytes = Math.max(replica.highWaterBytes, end);
}

/** The code of whatever was thrown. */
export const codeOf = (error: unknown): string => failureOf(error)?.code ?? String(error);
