import { failureOf } from "../../../src/base/index.js";
import { BLOCK_BYTES, chunkId, REGION_BYTES } from "../../../src/chunk/index.js";
import { decodeSlot, SLOT_BYTES, slotOffset } from "../../../src/cs/store/checksum-page.js";
import { damagedOf } from "../../../src/cs/store/verify-blocks.js";
import type { CsNode } from "../cluster/cs-node.js";
import type { SimCluster } from "../cluster/sim-cluster.js";

/** Longer than a region stays dirty that nobody writes to, even one that came back often. */
const CLEANING_MS = 40_000;
const POLL_MS = 500;

/** Has every chunk server read everything again, and waits until they have. */
export async function scrubAll({ operator, operatorNode }: SimCluster): Promise<void> {
  const { clock } = operatorNode.host;
  await clock.sleep("cleaning", CLEANING_MS);
  const { silentCsIds } = await operator.beginScrub({ csId: 0 });
  if (silentCsIds.length > 0) throw new Error(`CS ${silentCsIds.join()} would not scrub in a healed cluster`);
  for (;;) {
    await clock.sleep("scrub", POLL_MS);
    const { chunkServers } = await operator.scrubStatus();
    if (chunkServers.every(({ isRunning, beganMs, endedMs }) => !isRunning && endedMs >= beganMs)) return;
  }
}

/** On the disks themselves, below everything that mends: no clean block differs from its checksum. */
export async function checkDisks(cluster: SimCluster): Promise<void> {
  await cluster.operatorNode.host.clock.sleep("cleaning", CLEANING_MS);
  for (const node of cluster.chunkServers) {
    for (const path of node.host.media.paths("/cs/chunks").filter((name) => name.endsWith(".data"))) {
      const damage = await damageIn(node, path);
      if (damage !== undefined) cluster.violations.add("disks", `${node.name}: ${path} ${damage}`);
    }
  }
}

async function damageIn(node: CsNode, path: string): Promise<string | undefined> {
  const data = await contentsOf(node, path);
  const sums = await contentsOf(node, path.replace(/data$/, "sums"));
  const id = chunkId(Number.parseInt(path.slice(path.lastIndexOf("/") + 1), 16));
  for (let region = 0; region * REGION_BYTES < data.length; region++) {
    const slot = sums.subarray(slotOffset(region), slotOffset(region) + SLOT_BYTES);
    const checksums = decodeSlot(id, region, slot);
    // Never cleaned: its checksums are in memory.
    if (checksums === undefined) continue;
    const bytes = new Uint8Array((checksums.length / 4) * BLOCK_BYTES);
    bytes.set(data.subarray(region * REGION_BYTES, region * REGION_BYTES + bytes.length));
    const [block] = damagedOf({ bytes, checksums });
    if (block !== undefined) return `is damaged at byte ${region * REGION_BYTES + block * BLOCK_BYTES}`;
  }
  return undefined;
}

async function contentsOf(node: CsNode, path: string): Promise<Uint8Array> {
  try {
    return await node.host.disk.readFile(path, "checker.read");
  } catch (error) {
    if (failureOf(error)?.code === "not_found") return new Uint8Array(0);
    throw error;
  }
}
