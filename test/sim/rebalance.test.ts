import { expect, test } from "vitest";
import { Prng } from "../../src/base/index.js";
import { checkQuietState } from "./checkers/quiet-state.js";
import { CsNode } from "./cluster/cs-node.js";
import { SimCluster } from "./cluster/sim-cluster.js";

const MIB = 2 ** 20;
const CAPACITY_BYTES = 28 * MIB;
const CONFIG = { "mds.alloc.free_space_margin": "0", "mds.rebalance.margin": "8" };

/** How full the disk of each chunk server is. */
function fractions(cluster: SimCluster): number[] {
  return cluster.chunkServers.map(({ host }) => {
    const { totalBytes, freeBytes } = host.media.space();
    return (totalBytes - freeBytes) / totalBytes;
  });
}

test("disks become evenly full when a chunk server joins, while the file that moves is written and servers are killed", async () => {
  const options = { seed: 5, mdsCount: 3, csCount: 4, clientCount: 1 };
  const cluster = await SimCluster.create({ ...options, csCapacityBytes: CAPACITY_BYTES, config: CONFIG });
  const run = <T>(work: Promise<T>): Promise<T> =>
    cluster.simulator.run(work, "the test", { timeoutMs: 600_000 });
  const fileSystem = cluster.clients[0]?.cluster?.fileSystem;
  if (fileSystem === undefined) throw new Error("a client was asked for");
  const prng = new Prng(1);
  const contents = prng.bytes(20 * MIB);
  await run(fileSystem.setStorage("/", { replicas: 2, replicasMinimum: 1, chunkBytes: MIB }));
  await run(fileSystem.writeFile("/f", contents));
  await cluster.simulator.runFor(5000);
  const fifth = new CsNode(cluster.nodeWorld("cs5", CAPACITY_BYTES), () => cluster.mdsClientAddresses());
  cluster.chunkServers.push(fifth);
  await run(cluster.addChunkServer(fifth));
  expect(Math.max(...fractions(cluster)) - Math.min(...fractions(cluster))).toBeGreaterThan(0.3);

  const handle = await run(fileSystem.open("/f", { access: "write" }));
  for (let i = 0; i < 60; i++) {
    const bytes = prng.bytes(4096);
    const offset = prng.below(contents.length / 4096) * 4096;
    contents.set(bytes, offset);
    await run(handle.write(bytes, offset));
    await cluster.simulator.runFor(500);
    if (i % 20 !== 10) continue;
    const victim = prng.pick(cluster.chunkServers);
    victim.kill();
    await cluster.simulator.runFor(1000);
    await run(victim.start());
  }
  await run(handle.close());
  await cluster.simulator.runFor(240_000);

  const after = fractions(cluster);
  expect(Math.max(...after) - Math.min(...after), `${after}`).toBeLessThan(0.14);
  const found = await run(fileSystem.readFile("/f"));
  expect(Buffer.compare(found, contents)).toBe(0);
  await cluster.simulator.runFor(3000);
  await run(checkQuietState(cluster));
  expect(cluster.violations.all).toEqual([]);
}, 120_000);
