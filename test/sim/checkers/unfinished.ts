import { chunkId as chunkIdOf } from "../../../src/chunk/index.js";
import type { SimCluster } from "../cluster/sim-cluster.js";
import { whatIsMissing } from "../faults/damage.js";

/**
 * What a healthy cluster without clients must bring to an end by itself; undefined when nothing is left to do. Asked
 * again and again after the faults: what never ends is a violation of liveness.
 */
export async function whatIsUnfinished(cluster: SimCluster): Promise<string | undefined> {
  return (
    (await whatIsMissing(cluster)) ??
    leftInTables(cluster) ??
    (await leftOfChunks(cluster)) ??
    notCaughtUp(cluster)
  );
}

function leftInTables(cluster: SimCluster): string | undefined {
  const tables = cluster.leader?.server?.store.tables;
  if (tables === undefined) return "no MDS leads";
  const names = [
    "sessions",
    "opens",
    "sessionOpens",
    "writers",
    "answers",
    "recoveries",
    "installing",
    "reclaims",
    "sweeps",
  ] as const;
  for (const name of names) {
    const { size } = tables[name];
    if (size === 0) continue;
    const [first] = tables[name].values();
    return `${size} ${name} are left, one is ${JSON.stringify(first)}`;
  }
  return undefined;
}

async function leftOfChunks(cluster: SimCluster): Promise<string | undefined> {
  const store = cluster.leader?.server?.store;
  if (store === undefined) return "no MDS leads";
  const expected = new Map<number, Set<number>>();
  let after: Parameters<typeof store.chunksPage>[0];
  do {
    const page = await store.chunksPage(after, 1000);
    for (const { chunkId, chain, lost, leftovers } of page) {
      if (lost.length > 0) return `chunk ${chunkId} still has lost replicas`;
      if (leftovers.length > 0) return `chunk ${chunkId} still has leftovers on ${leftovers.join(", ")}`;
      for (const { csId } of chain) {
        const held = expected.get(csId) ?? new Set();
        expected.set(csId, held.add(chunkId));
      }
    }
    after = page.at(-1)?.chunkId;
  } while (after !== undefined);
  for (const node of cluster.chunkServers) {
    const [deletion] = await store.deletionsPage(node.csId, undefined, 1);
    if (deletion !== undefined) return `chunk ${deletion.chunkId} is still to be deleted from ${node.name}`;
    const orphan = node.storedChunks().find((chunkId) => expected.get(node.csId)?.has(chunkId) !== true);
    if (orphan !== undefined) {
      const record = JSON.stringify(store.tables.chunks.get(chunkIdOf(orphan)));
      return `${node.name} (CS#${node.csId}) holds an orphan replica of chunk ${orphan}, whose record is ${record}`;
    }
  }
  return undefined;
}

function notCaughtUp({ mds, leader }: SimCluster): string | undefined {
  const appliedIndex = leader?.server?.store.appliedIndex();
  for (const { name, server } of mds) {
    if (server === undefined) return `${name} does not run`;
    if (server.store.appliedIndex() !== appliedIndex) return `${name} has not caught up`;
  }
  return undefined;
}
