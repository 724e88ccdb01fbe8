import {
  type ChunkDescription,
  type ChunkId,
  type ChunkMap,
  type ChunkRequest,
  checksumsOf,
  type Extent,
  findMismatch,
} from "../../../../src/chunk/index.js";
import { CallClient, CHUNK_CHANNEL, type ChunkAnswer, type ChunkCall } from "../../../../src/rpc/index.js";
import { NetRpc } from "../../../../src/rpc/inproc/index.js";
import type { SimHost } from "../../../sim/world/index.js";
import { TEST_CLUSTER } from "./constants.js";
import { isPassing, type ToyMds } from "./toy-mds.js";

const NOTHING = new Uint8Array(0);

/** A client of one session: tries again under new maps until it succeeds, always with the same write id. */
export class ToyClient {
  readonly sessionId: number;
  readonly #host: SimHost;
  readonly #mds: ToyMds;
  readonly #rpc: NetRpc;
  readonly #links = new Map<string, CallClient<ChunkCall, ChunkAnswer>>();
  readonly #maps = new Map<ChunkId, ChunkMap>();
  readonly #open = new Set<number>();
  #sequence = 0;
  /** Attempts that failed. */
  retryCount = 0;

  constructor(host: SimHost, mds: ToyMds, sessionId: number) {
    this.#host = host;
    this.#mds = mds;
    this.sessionId = sessionId;
    const identity = { clusterId: TEST_CLUSTER, hostId: "client", roles: ["client", "cs"] as const };
    this.#rpc = new NetRpc(host.net, host.clock, { identity });
  }

  async write(chunkId: ChunkId, offset: number, payload: Uint8Array, isDurable = false): Promise<void> {
    const checksums = checksumsOf(payload, offset);
    await this.#change(chunkId, payload, (map, ids) => ({
      type: "write",
      body: { chunkId, version: map.version, ...ids, offset, checksums, isDurable },
    }));
  }

  /** One write of several places, which ascend; every block is filled with the byte. */
  async writeExtents(chunkId: ChunkId, extents: readonly Extent[], byte: number): Promise<void> {
    const lengthBytes = extents.reduce((sum, extent) => sum + extent.lengthBytes, 0);
    const payload = new Uint8Array(lengthBytes).fill(byte);
    const checksums = checksumsOf(payload, 0);
    await this.#change(chunkId, payload, (map, ids) => ({
      type: "extents",
      body: { chunkId, version: map.version, ...ids, extents, checksums },
    }));
  }

  async zero(chunkId: ChunkId, offset: number, lengthBytes: number): Promise<void> {
    await this.#change(chunkId, NOTHING, (map, ids) => ({
      type: "zero",
      body: { chunkId, version: map.version, ...ids, offset, lengthBytes },
    }));
  }

  async sync(chunkId: ChunkId): Promise<void> {
    await this.#retry(chunkId, (map) =>
      this.send(headOf(map), { type: "sync", body: { chunkId, version: map.version } }, NOTHING),
    );
  }

  /** Reads from the member of the chain that `choose` picks among those that can be read. */
  async read(
    chunkId: ChunkId,
    offset: number,
    lengthBytes: number,
    choose = (count: number): number => count - 1,
  ): Promise<Uint8Array> {
    return await this.#retry(chunkId, async (map) => {
      const readable = map.chain.filter(({ syncing }) => !syncing);
      const address = readable[choose(readable.length)]?.address ?? headOf(map);
      const body = { chunkId, version: map.version, offset, lengthBytes, background: false };
      const { reply, payload } = await this.send(address, { type: "read", body }, NOTHING);
      if (reply.type !== "data") throw new Error("not data");
      if (findMismatch(payload, offset, reply.body.checksums) !== undefined)
        throw new Error("wrong checksum");
      return payload;
    });
  }

  async describe(map: ChunkMap, address: string): Promise<ChunkDescription> {
    const body = { chunkId: map.chunkId, version: map.version };
    const { reply } = await this.send(address, { type: "describe", body }, NOTHING);
    if (reply.type !== "description") throw new Error("not a description");
    return reply.body;
  }

  /** One attempt. */
  send(
    address: string,
    request: ChunkRequest,
    payload: Uint8Array,
    deadlineMs = 3_000,
  ): Promise<ChunkAnswer> {
    let link = this.#links.get(address);
    if (link === undefined || link.isClosed) {
      link = new CallClient<ChunkCall, ChunkAnswer>(this.#rpc.open(CHUNK_CHANNEL, address), this.#host.clock);
      this.#links.set(address, link);
    }
    const ticket = this.#mds.ticketOf(this.sessionId, request.body);
    return link.request({ request, payload, ticket }, { deadlineMs });
  }

  newWriteId(): { sessionId: number; sequence: number; acknowledgedBelow: number } {
    const sequence = ++this.#sequence;
    this.#open.add(sequence);
    return { sessionId: this.sessionId, sequence, acknowledgedBelow: Math.min(...this.#open) };
  }

  async #change(
    chunkId: ChunkId,
    payload: Uint8Array,
    request: (map: ChunkMap, ids: ReturnType<ToyClient["newWriteId"]>) => ChunkRequest,
  ): Promise<void> {
    const ids = this.newWriteId();
    await this.#retry(chunkId, (map) => this.send(headOf(map), request(map, ids), payload));
    this.#open.delete(ids.sequence);
  }

  async #retry<T>(chunkId: ChunkId, act: (map: ChunkMap) => Promise<T>): Promise<T> {
    for (;;) {
      const map = this.#maps.get(chunkId) ?? (await this.#mds.map(chunkId));
      this.#maps.set(chunkId, map);
      try {
        return await act(map);
      } catch (error) {
        if (!isPassing(error)) throw error;
        this.retryCount++;
        if (this.#maps.get(chunkId) === map) this.#maps.delete(chunkId);
        await this.#host.clock.sleep("retry", 20);
      }
    }
  }
}

export function headOf(map: ChunkMap): string {
  return map.chain[0]?.address ?? "";
}
