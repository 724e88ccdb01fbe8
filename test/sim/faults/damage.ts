import type { CsNode } from "../cluster/cs-node.js";
import type { SimCluster } from "../cluster/sim-cluster.js";

/**
 * How much may be lost at once. An acknowledged write that was not synced survives the loss of `replicas - 1` hosts;
 * so a host may lose power, or its disk, only while fewer than that are still damaged. A host is whole again when every
 * chunk has all its replicas and none of them is being filled.
 */
export class Damage {
  readonly #cluster: SimCluster;
  readonly #damaged = new Set<CsNode>();
  /** Fewest replicas of any file. */
  replicasMin: number;

  constructor(cluster: SimCluster, replicasMin: number) {
    this.#cluster = cluster;
    this.replicasMin = replicasMin;
  }

  /** Whether one more may be damaged. */
  mayDamage(node: CsNode): boolean {
    return this.#damaged.has(node) || this.#damaged.size < this.replicasMin - 1;
  }

  damaged(node: CsNode): void {
    this.#damaged.add(node);
  }

  /** To be called now and then: whether the cluster has recovered from what was done to it. */
  async look(): Promise<void> {
    if (this.#damaged.size === 0 || !(await isWhole(this.#cluster))) return;
    this.#damaged.clear();
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
    if (record?.activity !== "active") return `${node.name} is ${record?.activity ?? "unknown"}`;
    if (record.incarnation !== (await node.incarnation())) return `${node.name} has not registered again`;
  }
  let after: Parameters<typeof store.chunksPage>[0];
  for (;;) {
    const page = await store.chunksPage(after, 1000);
    for (const { chunkId, installed, chain, policy } of page) {
      const replicas = chain.filter(({ syncing }) => !syncing).length;
      if (!installed || replicas !== policy.replicas || chain.length !== replicas) {
        const members = chain.map(({ csId, syncing }) => `${csId}${syncing ? " syncing" : ""}`).join(", ");
        return `chunk ${chunkId} (installed: ${installed}, wants ${policy.replicas}) has [${members}]`;
      }
    }
    after = page.at(-1)?.chunkId;
    if (page.length < 1000 || after === undefined) return undefined;
  }
}
