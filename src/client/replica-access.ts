import { storageError } from "../base/index.js";
import { BLOCK_BYTES, type ChunkRequest, chunkId, chunkVersion, REGION_BYTES } from "../chunk/index.js";
import type { ChunkAnswer } from "../rpc/index.js";
import type { ChunkClients } from "./chunk-client.js";

const TIMEOUT_MS = 20_000;
const NOTHING = new Uint8Array(0);

/** Which chunk, at which version: a server refuses any other one (`stale_map`). */
export interface ReplicaAddress {
  readonly chunkId: number;
  readonly version: number;
}

export interface ReplicaDescription {
  /** End of the last byte ever written. */
  readonly highWaterBytes: number;
  /** Numbers of the regions (1 MiB) with blocks that no server of the chain has whole, ascending. */
  readonly damagedRegions: readonly number[];
}

/** Single replicas, past everything that chooses among them: for operators who want to know how each of them is. */
export class ReplicaAccess {
  readonly #servers: ChunkClients;

  constructor(servers: ChunkClients) {
    this.#servers = servers;
  }

  async describe(address: string, chunk: ReplicaAddress): Promise<ReplicaDescription> {
    const { reply } = await this.#ask(address, 0, {
      type: "describe",
      body: { chunkId: chunkId(chunk.chunkId), version: chunkVersion(chunk.version) },
    });
    if (reply.type !== "description") throw storageError("malformed", "not a description");
    const { highWaterBytes, damagedRegions } = reply.body;
    return { highWaterBytes, damagedRegions: membersOf(damagedRegions ?? NOTHING) };
  }

  /**
   * The checksums of a region's blocks, four bytes each, 0 for one that was never written. The server reads and verifies the
   * blocks on its disk before it answers; if they are damaged and no other replica helps, this fails with `chunk_corrupt`.
   */
  async regionChecksums(
    address: string,
    chunk: ReplicaAddress & { readonly chunkBytes: number },
    region: number,
  ): Promise<Uint8Array> {
    const offset = region * REGION_BYTES;
    const left = Math.min(REGION_BYTES, chunk.chunkBytes - offset);
    const lengthBytes = Math.ceil(left / BLOCK_BYTES) * BLOCK_BYTES;
    const { reply } = await this.#ask(address, lengthBytes, {
      type: "read",
      body: {
        ...{ chunkId: chunkId(chunk.chunkId), version: chunkVersion(chunk.version) },
        ...{ offset, lengthBytes, background: true },
      },
    });
    if (reply.type !== "data") throw storageError("malformed", "not data");
    return reply.body.checksums;
  }

  #ask(address: string, weightBytes: number, request: ChunkRequest): Promise<ChunkAnswer> {
    if (address === "") return Promise.reject(storageError("unavailable", "its address is not known"));
    return this.#servers.at(address).call({ request, payload: NOTHING }, weightBytes, TIMEOUT_MS);
  }
}

/** Of a bitmap, lowest bit first. */
function membersOf(bitmap: Uint8Array): number[] {
  const members: number[] = [];
  for (let bit = 0; bit < 8 * bitmap.length; bit++) {
    if (((bitmap[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0) members.push(bit);
  }
  return members;
}
