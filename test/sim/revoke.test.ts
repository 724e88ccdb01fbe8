import { expect, test } from "vitest";
import { SimCluster } from "./cluster/sim-cluster.js";

test("a file that was taken from a client that hangs is free at once, though a map of it was being recalled from that client", async () => {
  const cluster = await SimCluster.create({
    seed: 5,
    mdsCount: 1,
    csCount: 4,
    clientCount: 2,
    config: { "mds.session.lease_tout": "600000" },
  });
  const run = <T>(work: Promise<T>): Promise<T> =>
    cluster.simulator.run(work, "the test", { timeoutMs: 60_000 });
  const [writer, other] = cluster.clients.map((node) => node.cluster?.fileSystem);
  const leader = cluster.mds[0];
  const ip = cluster.clients[0]?.host.ip ?? "";
  if (writer === undefined || other === undefined || leader === undefined)
    throw new Error("two clients, one MDS");
  await run(other.setStorage("/", { replicas: 3, replicasMinimum: 1 }));
  const handle = await run(writer.open("/f", { access: "write", create: true }));
  await run(handle.write(new Uint8Array(200_000).fill(7), 0));
  cluster.world.network.cut(ip, leader.host.ip);
  cluster.world.network.cut(leader.host.ip, ip);
  // A chain that loses a member gets a new version: its older maps are recalled, and the client does not answer.
  cluster.chunkServers[0]?.kill();
  await cluster.simulator.runFor(15_000);

  const beganMs = cluster.simulator.nowMs;
  await run(other.revoke("/f"));
  const taken = await run(other.open("/f", { access: "write" }));
  expect(await run(taken.size())).toBe(200_000);
  expect(cluster.simulator.nowMs - beganMs).toBeLessThan(10_000);
});
