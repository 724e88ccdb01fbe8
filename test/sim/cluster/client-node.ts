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
  readonly #beside: SimNode | undefined;
  /** Whether it answers mutations of what it is alone with before the metadata server has. */
  readonly answersEarly: boolean;

  /** `beside`: the chunk server whose machine it shares, so that it can read that one's files. */
  constructor(
    world: NodeWorld,
    mdsAddresses: () => readonly string[],
    isBuffered = false,
    beside: SimNode | undefined = undefined,
    answersEarly = false,
  ) {
    super(world);
    this.#mdsAddresses = mdsAddresses;
    this.#isBuffered = isBuffered;
    this.#beside = beside;
    this.answersEarly = answersEarly && this.caches;
  }

  /** The first client asks every time: what it is told does not depend on anybody's memory. */
  get caches(): boolean {
    return this.name !== "client1";
  }

  protected override async begin(): Promise<void> {
    const { host, log, life, name } = this;
    const beside = this.#beside;
    const { clusterId, clusterName } = this.world;
    const { clock, random, disk } = host;
    const place = { path: "/read-cache", megabytes: 1, clusterId };
    const blockCache = this.#isBuffered ? await BlockCache.open({ clock, disk, log }, place) : undefined;
    this.blockCache = blockCache;
    const rpc = new NetRpc(host.net, clock, { identity: this.identity("client", "admin") });
    const cluster = await Cluster.connect({
      clusterName,
      clusterId,
      hostId: beside?.hostId ?? this.hostId,
      localDisk: beside && host.diskOf(beside.host),
      mdsAddresses: this.#mdsAddresses(),
      world: { clock, random },
      rpc,
      log,
      hostname: name,
      program: "library",
      cacheMetadata: this.caches,
      earlyAnswers: this.answersEarly,
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
