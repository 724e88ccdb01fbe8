import { defined } from "../../../src/base/index.js";
import type { Admin } from "../../../src/client/index.js";
import { type Simulator, SimWorld } from "../world/index.js";
import { ClientNode } from "./client-node.js";
import { CsNode } from "./cs-node.js";
import { MdsNode } from "./mds-node.js";
import { OperatorNode } from "./operator-node.js";
import type { NodeWorld, SimNode } from "./sim-node.js";
import { Violations } from "./violations.js";

export interface SimClusterOptions {
  readonly seed: number;
  readonly mdsCount: number;
  readonly csCount: number;
  readonly clientCount: number;
  /** Whether clients buffer what they write; default false. */
  readonly buffered?: boolean | undefined;
  /** Which clients answer mutations early, from 1; the second or third unless given. */
  readonly earlyClients?: readonly number[] | undefined;
  /** Room on the disk of a chunk server; without limit unless given. */
  readonly csCapacityBytes?: number | undefined;
  /** Variables of `set-config`. */
  readonly config?: Readonly<Record<string, string>> | undefined;
  readonly trace?: ((line: string) => void) | undefined;
  readonly eventCountMax?: number | undefined;
}

/** Shorter times than in production, so that a run of a minute sees everything happen. */
export const FAST_CONFIG: Readonly<Record<string, string>> = {
  "mds.wd.offline_tout": "8000",
  "mds.wd.heartbeat_period": "300",
  "mds.wd.inactive_tout": "2500",
  "mds.session.lease_tout": "4000",
  "mds.wd.max_offline_cs_hosts": "10",
  "mds.alloc.failed_pause": "1000",
};

const CLUSTER_ID = "6f0d6ea5-1111-4222-8333-444455556666";
const CLUSTER_NAME = "sim";

/**
 * A whole cluster in one process: the production code of metadata servers, chunk servers and clients, each on a
 * simulated host of its own. What is not production code: the certificates (hosts are believed who they are), and
 * whoever starts the processes again.
 */
export class SimCluster {
  readonly world: SimWorld;
  readonly violations: Violations;
  readonly mds: MdsNode[] = [];
  readonly chunkServers: CsNode[] = [];
  readonly clients: ClientNode[] = [];
  readonly operatorNode: OperatorNode;
  readonly operator: Admin;
  readonly options: SimClusterOptions;

  private constructor(options: SimClusterOptions) {
    this.options = options;
    const { seed, trace, eventCountMax } = options;
    this.world = new SimWorld({ seed, trace, eventCountMax });
    this.violations = new Violations(() => this.simulator.nowMs);
    for (let i = 1; i <= options.mdsCount; i++) this.mds.push(new MdsNode(this.nodeWorld(`mds${i}`)));
    for (let i = 1; i <= options.csCount; i++) {
      this.chunkServers.push(
        new CsNode(this.nodeWorld(`cs${i}`, options.csCapacityBytes), () => this.mdsClientAddresses()),
      );
    }
    for (let i = 1; i <= options.clientCount; i++) {
      const mdsAddresses = (): readonly string[] => this.mdsClientAddresses();
      const isEarly = options.earlyClients?.includes(i) ?? i === 2 + (options.seed % 2);
      // The first client has a machine of its own.
      const beside = i === 1 ? undefined : this.chunkServers[(i - 2) % this.chunkServers.length];
      const world = this.nodeWorld(`client${i}`);
      this.clients.push(new ClientNode(world, mdsAddresses, options.buffered, beside, isEarly));
    }
    this.operatorNode = new OperatorNode(this.nodeWorld("operator"));
    this.operator = this.operatorNode.admin(this.mdsClientAddresses());
  }

  /** A cluster that is up: every server runs, every client is connected. */
  static async create(options: SimClusterOptions): Promise<SimCluster> {
    const cluster = new SimCluster(options);
    await cluster.simulator.run(cluster.#setUp(), "the cluster to be set up", { timeoutMs: 120_000 });
    return cluster;
  }

  get simulator(): Simulator {
    return this.world.simulator;
  }

  /** Servers and clients; not the operator. */
  get nodes(): readonly SimNode[] {
    return [...this.mds, ...this.chunkServers, ...this.clients];
  }

  /** The metadata server that leads with the highest term, if one does. */
  get leader(): MdsNode | undefined {
    const leaders = this.mds.filter((node) => node.isLeader);
    return leaders.sort((a, b) => (b.server?.replica.term ?? 0) - (a.server?.replica.term ?? 0))[0];
  }

  mdsClientAddresses(): string[] {
    return this.mds.map((node) => node.clientAddress);
  }

  nodeWorld(name: string, capacityBytes?: number): NodeWorld {
    const host = this.world.addHost(name, { capacityBytes });
    const { simulator, violations } = this;
    return { clusterId: CLUSTER_ID, clusterName: CLUSTER_NAME, host, violations, simulator };
  }

  /** `make-mds` for a host that is not a member yet, and its start. */
  async joinMds(node: MdsNode): Promise<void> {
    const { mdsId, members } = await node
      .admin(this.mdsClientAddresses())
      .addMds({ address: node.address, hostId: node.hostId }, { timeoutMs: 60_000 });
    const peers = members.filter((member) => member.mdsId !== mdsId);
    await node.make(mdsId, peers);
    await node.start();
  }

  /** `make-cs` and its start. */
  async addChunkServer(node: CsNode): Promise<void> {
    const { csId } = await node
      .admin(this.mdsClientAddresses())
      .addChunkServer({ hostId: node.hostId, location: "0.0.0", tier: 0 }, { timeoutMs: 60_000 });
    await node.make(csId);
    await node.start();
  }

  async #setUp(): Promise<void> {
    const first = defined(this.mds[0], "a cluster has a metadata server");
    await first.make(1, [], { secrets: Buffer.from("secrets of a simulated cluster").toString("base64") });
    await first.start();
    for (const [name, value] of Object.entries({ ...FAST_CONFIG, ...this.options.config })) {
      await this.operator.setConfig({ name, value });
    }
    for (const node of this.mds.slice(1)) await this.joinMds(node);
    await this.#allVote();
    for (const node of this.chunkServers) await this.addChunkServer(node);
    await Promise.all(this.clients.map((client) => client.start()));
  }

  /** Who joins is a learner first. */
  async #allVote(): Promise<void> {
    const { clock } = this.operatorNode.host;
    for (;;) {
      const members = this.leader?.server?.replica.members() ?? [];
      if (members.filter(({ role }) => role === "voter").length === this.mds.length) return;
      await clock.sleep("sim.voters", 20);
    }
  }
}
