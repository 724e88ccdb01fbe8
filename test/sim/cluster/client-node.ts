import { BlockCache, Cluster } from "../../../src/client/index.js";
import { NetRpc } from "../../../src/rpc/inproc/index.js";
import { type NodeWorld, SimNode } from "./sim-node.js";

/** A host with a program that uses the client library. */
export class ClientNode extends SimNode {
  /** Of the present life, once connected. */
  cluster: Cluster | undefined;
  /** Where buffered clients keep what they read at random: small, so that room is made in it. */
  blockCache: BlockCache | undefined;
  readonly #mdsAddresses: () => readonly string[];

  readonly #isBuffered: boolean;

  constructor(world: NodeWorld, mdsAddresses: () => readonly string[], isBuffered = false) {
    super(world);
    this.#mdsAddresses = mdsAddresses;
    this.#isBuffered = isBuffered;
  }

  /** The first client asks every time: what it is told does not depend on anybody's memory. */
  get caches(): boolean {
    return this.name !== "client1";
  }

  protected override async begin(): Promise<void> {
    const { host, hostId, log, life, name } = this;
    const { clusterId, clusterName } = this.world;
    const { clock, random, disk } = host;
    const place = { path: "/read-cache", megabytes: 1, clusterId };
    const blockCache = this.#isBuffered ? await BlockCache.open({ clock, disk, log }, place) : undefined;
    this.blockCache = blockCache;
    const rpc = new NetRpc(host.net, clock, { identity: this.identity("client", "admin") });
    const cluster = await Cluster.connect({
      clusterName,
      clusterId,
      hostId,
      mdsAddresses: this.#mdsAddresses(),
      world: { clock, random },
      rpc,
      log,
      hostname: name,
      program: "library",
      cacheMetadata: this.caches,
      buffered: this.#isBuffered,
      blockCache,
      onClosed: async () => {
        await blockCache?.close();
        await rpc.close();
      },
    });
    if (life === this.life) this.cluster = cluster;
  }

  protected override died(): void {
    this.cluster = undefined;
  }
}
