import {
  type ChunkId,
  type ChunkVersion,
  checksumsOf,
  chunkId,
  chunkVersion,
  csId,
} from "../../../../src/chunk/index.js";
import { regionsOf } from "../../../../src/cs/core/dirty-regions.js";
import { createRepository } from "../../../../src/cs/repository.js";
import { ChunkStore } from "../../../../src/cs/store/chunk-store.js";
import type { StoredReplica } from "../../../../src/cs/store/stored-replica.js";
import { type SimHost, SimWorld } from "../../../sim/world/index.js";
import { TEST_CLUSTER } from "./constants.js";

/** One store on one host, on virtual time. */
export class StoreWorld {
  readonly world: SimWorld;
  readonly host: SimHost;

  constructor(seed: number) {
    this.world = new SimWorld({ seed });
    this.host = this.world.addHost("cs");
  }

  static async made(seed: number): Promise<StoreWorld> {
    const world = new StoreWorld(seed);
    await world.make();
    return world;
  }

  async make(): Promise<void> {
    const identity = { clusterId: TEST_CLUSTER, clusterName: "test", csId: csId(1025), tier: 0 };
    await this.run(createRepository("/cs", identity, this.host.disk));
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.world.simulator.run(promise, "the store", { timeoutMs: 60_000 });
  }

  open(clusterId = TEST_CLUSTER): Promise<ChunkStore> {
    if (!this.host.isAlive) this.host.restart();
    return this.run(ChunkStore.open("/cs", clusterId, "run", this.host));
  }

  /** Opens the store with a fault waiting that kills the process. */
  async crashWhileOpening(): Promise<void> {
    this.host.restart();
    void ChunkStore.open("/cs", TEST_CLUSTER, "run", this.host);
    await this.world.simulator.runUntil(() => !this.host.isAlive, "the crash");
  }

  create(store: ChunkStore, id: ChunkId = chunkId(7), chunkBytes = 8 << 20): Promise<StoredReplica> {
    const version: ChunkVersion = chunkVersion(1);
    return this.run(store.create({ chunkId: id, version, chunkBytes, chain: [], needed: undefined }));
  }

  /** Writes whole blocks as a replica does. */
  async write(replica: StoredReplica, offset: number, bytes: Uint8Array, endBytes = offset + bytes.length) {
    const regions = regionsOf(offset, bytes.length);
    const act = async (): Promise<void> => {
      await replica.prepare(regions);
      await replica.write(offset, bytes, checksumsOf(bytes, 0), endBytes);
      replica.release(regions);
    };
    await this.run(act());
  }

  async read(replica: StoredReplica, offset: number, lengthBytes: number): Promise<Uint8Array> {
    return (await this.run(replica.read(offset, lengthBytes))).bytes;
  }

  /** Overwrites bytes behind the store's back. */
  async damage(path: string, offset: number, bytes: Uint8Array): Promise<void> {
    const { disk } = this.host;
    const file = await this.run(disk.open(path, "read-write", "damage"));
    await this.run(file.write([bytes], offset, "damage"));
    await this.run(file.close());
  }
}
