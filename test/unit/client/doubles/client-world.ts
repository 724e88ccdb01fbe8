import { Prng } from "../../../../src/base/index.js";
import { Cluster, type ClusterConfig } from "../../../../src/client/index.js";
import { ROOT_INODE } from "../../../../src/meta/index.js";
import { NetRpc } from "../../../../src/rpc/inproc/index.js";
import { memoryLogger } from "../../../../src/telemetry/index.js";
import { type SimHost, SimWorld } from "../../../sim/world/index.js";
import { FakeChunkServer } from "./fake-chunk-server.js";
import { CLUSTER_ID, FakeMds } from "./fake-mds.js";

export interface ClientWorldOptions {
  readonly seed?: number;
  readonly mdsCount?: number;
  readonly csCount?: number;
  readonly replicas?: number;
  /** Small, so that files of a few kilobytes have several chunks. */
  readonly chunkBytes?: number;
}

export const CHUNK_BYTES = 64 * 1024;

/** A small cluster of doubles on virtual time, and as many real clients as a test wants. */
export class ClientWorld {
  readonly world: SimWorld;
  readonly mds: FakeMds;
  readonly servers: readonly FakeChunkServer[];
  readonly prng: Prng;
  readonly log = memoryLogger();

  private constructor(world: SimWorld, mds: FakeMds, servers: readonly FakeChunkServer[], seed: number) {
    this.world = world;
    this.mds = mds;
    this.servers = servers;
    this.prng = new Prng(seed);
  }

  static async start(options: ClientWorldOptions = {}): Promise<ClientWorld> {
    const { seed = 1, mdsCount = 3, csCount = 3, replicas = 3, chunkBytes = CHUNK_BYTES } = options;
    const world = new SimWorld({ seed });
    const hosts = Array.from({ length: mdsCount }, (_, i) => world.addHost(`mds${i + 1}`));
    const mds = new FakeMds(hosts);
    const servers = Array.from({ length: csCount }, (_, i) => {
      const host = world.addHost(`cs${i + 1}`);
      return new FakeChunkServer(mds.newServerId(host.name), host, () => mds.servers);
    });
    for (const server of servers) mds.addServer(server);
    const self = new ClientWorld(world, mds, servers, seed);
    await self.run(Promise.all(hosts.map((_, i) => mds.start(i))));
    await self.run(Promise.all(servers.map((server) => server.start(CLUSTER_ID))));
    const first = await self.client("setup");
    await self.run(
      first.fileSystem.inodes.setStorage(ROOT_INODE, { replicas, replicasMinimum: 1, chunkBytes }),
    );
    await self.run(first.close());
    return self;
  }

  /** A client on a host of its own, or of that name. */
  async client(name: string, more: Partial<ClusterConfig> = {}): Promise<Cluster> {
    return await this.run(Cluster.connect(this.config(this.host(name), more)));
  }

  host(name: string): SimHost {
    return this.world.hosts.find((host) => host.name === name) ?? this.world.addHost(name);
  }

  config(host: SimHost, more: Partial<ClusterConfig> = {}): ClusterConfig {
    const identity = { clusterId: CLUSTER_ID, hostId: host.name, roles: ["client" as const] };
    return {
      clusterName: "test",
      clusterId: CLUSTER_ID,
      hostId: host.name,
      mdsAddresses: this.mds.addresses,
      world: { clock: host.clock, random: host.random },
      rpc: new NetRpc(host.net, host.clock, { identity }),
      log: this.log,
      hostname: host.name,
      program: "library",
      ...more,
    };
  }

  /** Lets virtual time pass until the promise is settled. */
  async run<T>(promise: Promise<T>): Promise<T> {
    return await this.world.simulator.run(promise, "the test");
  }

  async pass(ms: number): Promise<void> {
    await this.world.simulator.runFor(ms);
  }

  bytes(length: number): Uint8Array {
    return this.prng.bytes(length);
  }
}
