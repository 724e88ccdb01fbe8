import { type ChunkId, type CsId, chunkId, csId } from "../../../../src/chunk/index.js";
import { ChunkServer } from "../../../../src/cs/chunk-server.js";
import type { CsLimits } from "../../../../src/cs/environment.js";
import { createRepository } from "../../../../src/cs/repository.js";
import { NetRpc } from "../../../../src/rpc/inproc/index.js";
import { type Logger, memoryLogger } from "../../../../src/telemetry/index.js";
import { type SimHost, SimWorld } from "../../../sim/world/index.js";
import { TEST_CLUSTER } from "./constants.js";
import { ToyClient } from "./toy-client.js";
import { ToyMds } from "./toy-mds.js";

export const CHUNK: ChunkId = chunkId(77);

/** A toy MDS, some chunk servers and a client, each on its host, on virtual time. */
export class ChainWorld {
  readonly world: SimWorld;
  readonly mds: ToyMds;
  readonly client: ToyClient;
  readonly clientHost: SimHost;
  readonly csIds: CsId[] = [];
  readonly servers = new Map<CsId, ChunkServer>();
  readonly log: Logger & { lines?: unknown };
  readonly #limits: Partial<CsLimits>;
  readonly #mdsHost: SimHost;

  constructor(seed: number, csCount: number, limits: Partial<CsLimits> = {}) {
    this.world = new SimWorld({ seed });
    this.#limits = { forwardTimeoutMs: 1_000, ...limits };
    this.#mdsHost = this.world.addHost("mds");
    this.mds = new ToyMds(this.#mdsHost);
    for (let index = 0; index < csCount; index++) {
      this.csIds.push(csId(1025 + index));
      this.world.addHost(String(1025 + index));
    }
    this.clientHost = this.world.addHost("client");
    this.client = new ToyClient(this.clientHost, this.mds, 5);
    this.log = memoryLogger();
  }

  static async of(seed: number, csCount: number, limits: Partial<CsLimits> = {}): Promise<ChainWorld> {
    const chain = new ChainWorld(seed, csCount, limits);
    await chain.run(chain.mds.start(), "the MDS");
    for (const id of chain.csIds) {
      const identity = { clusterId: TEST_CLUSTER, clusterName: "test", csId: id, tier: 0 };
      await chain.run(createRepository("/cs", identity, chain.host(id).disk), "make-cs");
      await chain.start(id);
    }
    return chain;
  }

  host(id: CsId): SimHost {
    return this.world.host(String(id));
  }

  async start(id: CsId): Promise<void> {
    const host = this.host(id);
    if (!host.isAlive) host.restart();
    const { clock, disk, net, random } = host;
    const identity = { clusterId: TEST_CLUSTER, hostId: String(id), roles: ["cs"] as const };
    const server = new ChunkServer(
      {
        directory: "/cs",
        clusterId: TEST_CLUSTER,
        mdsAddresses: [`${this.#mdsHost.ip}:2511`],
        bindAddress: `${host.ip}:2600`,
        hostId: String(id),
        location: "0.0.0",
        limits: this.#limits,
      },
      { clock, disk, rpc: new NetRpc(net, clock, { identity }), random, log: this.log },
    );
    this.servers.set(id, server);
    await this.run(server.start(), "csd");
    await this.world.simulator.runUntil(() => server.isServing, "admission");
  }

  kill(id: CsId): void {
    this.host(id).crash();
    this.servers.delete(id);
  }

  powerLoss(id: CsId): void {
    this.host(id).powerLoss();
    this.servers.delete(id);
  }

  /** Makes the chunk on all servers, in their order. */
  async make(chunkBytes = 4 << 20, csIds: readonly CsId[] = this.csIds): Promise<void> {
    await this.run(this.mds.create(CHUNK, chunkBytes, csIds), "the chunk");
  }

  run<T>(promise: Promise<T>, what: string): Promise<T> {
    return this.world.simulator.run(promise, what, { timeoutMs: 120_000 });
  }

  runFor(ms: number): Promise<void> {
    return this.world.simulator.runFor(ms);
  }

  /** Waits until the chunk is whole again: so many members, none being filled. */
  async healed(count: number): Promise<void> {
    const chunk = this.mds.chunks.get(CHUNK);
    await this.world.simulator.runUntil(
      () => chunk?.isActive === true && chunk.members.filter(({ syncing }) => !syncing).length === count,
      "the chain to heal",
      { timeoutMs: 120_000 },
    );
  }

  /** Contents of every readable replica, head first. */
  async contents(lengthBytes: number): Promise<Uint8Array[]> {
    const map = await this.run(this.mds.map(CHUNK), "the map");
    const fresh = new ToyClient(this.clientHost, this.mds, 99);
    const result: Uint8Array[] = [];
    for (let index = 0; index < map.chain.length; index++) {
      if (map.chain[index]?.syncing === true) continue;
      const bytes = new Uint8Array(lengthBytes);
      for (let offset = 0; offset < lengthBytes; offset += 1 << 20) {
        const count = Math.min(1 << 20, lengthBytes - offset);
        bytes.set(
          await this.run(
            fresh.read(CHUNK, offset, count, () => index),
            "a read",
          ),
          offset,
        );
      }
      result.push(bytes);
    }
    return result;
  }

  /** High-water marks of all members. */
  async highWaters(): Promise<number[]> {
    const map = await this.run(this.mds.map(CHUNK), "the map");
    const readable = map.chain.filter(({ syncing }) => !syncing);
    const result: number[] = [];
    for (const { address } of readable) {
      // A client without old connections.
      const client = new ToyClient(this.clientHost, this.mds, 98);
      const { highWaterBytes } = await this.run(client.describe(map, address), "a description");
      result.push(highWaterBytes);
    }
    return result;
  }
}
