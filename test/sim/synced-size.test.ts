import { expect, test } from "vitest";
import { toUtf8 } from "../../src/base/index.js";
import { MODE_FILE, ROOT_INODE } from "../../src/meta/index.js";
import { SimCluster } from "./cluster/sim-cluster.js";

test("what was synced is there, to its end, when the writer dies before it reported the size", async () => {
  const cluster = await SimCluster.create({ seed: 9, mdsCount: 1, csCount: 3, clientCount: 2 });
  const run = <T>(work: Promise<T>): Promise<T> =>
    cluster.simulator.run(work, "the test", { timeoutMs: 120_000 });
  const [writer, reader] = cluster.clients.map((node) => node.cluster?.fileSystem);
  if (writer === undefined || reader === undefined) throw new Error("two clients were asked for");
  const body = { parent: ROOT_INODE, name: toUtf8("f"), mode: MODE_FILE | 0o644 };
  const { handle } = await run(writer.inodes.createAndOpen(body, "write", { buffered: true }));
  const bytes = new Uint8Array(100_000).fill(7);
  await run(handle.write(bytes, 0));
  await run(handle.sync());
  cluster.clients[0]?.kill();

  const found = await run(reader.readFile("/f"));
  expect(found.length).toBe(bytes.length);
  expect(found.every((byte) => byte === 7)).toBe(true);
});
