import { chunkId } from "../../../src/chunk/index.js";
import type { ReplicaRecord } from "../../../src/mds/core/records.js";
import type { Tables } from "../../../src/mds/core/tables.js";
import type { CsNode } from "../cluster/cs-node.js";
import type { SimCluster } from "../cluster/sim-cluster.js";

/**
 * How much may be lost at once. An acknowledged write that was not synced survives the loss of power, or of the disk, of all
 * servers of its chunk but one. So a host may be damaged only while every chunk has another replica, in its chain as it
 * is now, on a host that is not damaged. A host is whole again when every chunk has all its replicas.
 */
export class Damage {
  readonly #cluster: SimCluster;
  readonly #damaged = new Set<CsNode>();
  /** Damaged where nobody can see it. */
  readonly #forGood = new Set<CsNode>();
  #termMax = 0;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  /** Whether this one may be damaged now, too. */
  mayDamage(node: CsNode): boolean {
    const tables = this.#latestTables();
    if (tables === undefined) return false;
    const damaged = new Set([...this.#damaged, node].map(({ csId }) => csId));
    // A server that was replaced has another number, and nothing that was on the one before.
    const whole = new Set(
      this.#cluster.chunkServers.map(({ csId }) => csId).filter((id) => !damaged.has(id)),
    );
    const isSafe = ({ csId, syncing }: ReplicaRecord): boolean => !syncing && whole.has(csId);
    for (let id = 1; id <= (tables.counters.get()?.chunk ?? 0); id++) {
      const chunk = tables.chunks.get(chunkId(id));
      if (chunk === undefined || chunk.installedVersion === 0) continue;
      const isConcerned = [...chunk.chain, ...chunk.lost].some(({ csId }) => csId === node.csId);
      if (isConcerned && !chunk.chain.some(isSafe)) return false;
    }
    return true;
  }

  /** Of a leader that nobody has overtaken; what it does not know yet was not acknowledged yet. */
  #latestTables(): Tables | undefined {
    for (const { server } of this.#cluster.mds) {
      this.#termMax = Math.max(this.#termMax, server?.replica.term ?? 0);
    }
    const server = this.#cluster.leader?.server;
    return server?.replica.term === this.#termMax ? server.store.tables : undefined;
  }

  damaged(node: CsNode): void {
    this.#damaged.add(node);
  }

  damagedForGood(node: CsNode): void {
    this.#damaged.add(node);
    this.#forGood.add(node);
  }

  /** To be called now and then: whether the cluster has recovered from what was done to it. */
  async look(): Promise<void> {
    this.#latestTables();
    if (this.#damaged.size === 0 || !(await isWhole(this.#cluster))) return;
    for (const node of this.#damaged) if (!this.#forGood.has(node)) this.#damaged.delete(node);
  }
}

/** Every server is up and known, and every chunk has all its replicas at this moment. */
export async function isWhole(cluster: SimCluster): Promise<boolean> {
  return (await whatIsMissing(cluster)) === undefined;
}

/** What keeps the cluster from being whole; undefined if it is. */
export async function whatIsMissing(cluster: SimCluster): Promise<string | undefined> {
  const leader = cluster.leader?.server;
  if (leader === undefined) return "no MDS leads";
  const { store } = leader;
  for (const node of cluster.chunkServers) {
    if (node.csId === 0) continue;
    const record = store.tables.chunkServers.get(node.csId);
    if (!node.isUp || node.server === undefined) return `${node.name} does not run`;
    // Without a registration it serves no longer than its lease: it would end during the look at the quiet state (seed 800000131).
    if (!node.server.isServing || !node.server.isAttached) return `${node.name} does not serve`;
    if (record?.activity !== "active") return `${node.name} is ${record?.activity ?? "unknown"}`;
    if (record.incarnation !== (await node.incarnation())) return `${node.name} has not registered again`;
  }
  let after: Parameters<typeof store.chunksPage>[0];
  for (;;) {
    const page = await store.chunksPage(after, 1000);
    for (const record of page) {
      const replicas = record.chain.filter(({ syncing }) => !syncing).length;
      const isComplete = replicas === record.policy.replicas && record.chain.length === replicas;
      const gone = record.chain.find(({ csId }) => cluster.chunkServers.every((node) => node.csId !== csId));
      if (gone !== undefined)
        return `a replica on CS#${gone.csId}, which is no more: ${JSON.stringify(record)}`;
      if (!record.installed || !isComplete) return `not all replicas: ${JSON.stringify(record)}`;
    }
    after = page.at(-1)?.chunkId;
    if (page.length < 1000 || after === undefined) return undefined;
  }
}
