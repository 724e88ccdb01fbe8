import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../src/cli/lab/lab.js";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import { ClusterHarness } from "./harness.js";
import { BusyClient } from "./ordeal/busy-client.js";
import { Calls, inTime } from "./ordeal/calls.js";
import { leaderHostOf } from "./ordeal/mischief.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";
import { say, seededPrng } from "./ordeal/seed.js";
import { tellsOneStory } from "./ordeal/story.js";

/**
 * The Raft group grows from one to three to five and shrinks to one that was not there in the beginning, while clients
 * work that knew only the first one. The tests tell one story: each begins where the one before ended.
 */

const LAST_HOST = 5;

tellsOneStory();
const prng = seededPrng(import.meta.url);
const calls = new Calls();
const clients: { readonly cluster: Cluster; readonly busy: BusyClient }[] = [];
let harness: ClusterHarness;
/** The same lab, as large as it has become. */
let lab: Lab;

beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 1, csCount: 3 });
  lab = harness.lab;
  for (const host of [1, 2]) {
    const cluster = await connectCluster({ cluster: lab.clusterName, root: lab.root(host) });
    const busy = new BusyClient(cluster.fileSystem, `/busy${host}`, calls, prng.fork());
    clients.push({ cluster, busy });
    busy.start();
  }
}, TEST_MS);

afterAll(async () => {
  for (const { cluster } of clients) await cluster.close();
  await harness?.close(lab);
});

/** Clients get further, and none has failed. */
async function expectProgress(): Promise<void> {
  const before = calls.count;
  await inTime(
    "twenty calls",
    (async () => {
      while (calls.count < before + 20) await new Promise((resolve) => setTimeout(resolve, 20));
    })(),
    PATIENCE_MS,
    calls,
  );
  for (const { busy } of clients) expect(busy.failure).toBeUndefined();
}

async function expectGroupOf(hosts: readonly number[]): Promise<void> {
  const addresses = hosts.map((host) => lab.mdsAddresses[host - 1]).sort();
  const { mdsServers } = await harness.until(
    ({ mdsServers }) =>
      mdsServers.length === hosts.length && mdsServers.every(({ status }) => status === "avail"),
    `${hosts.length} MDS are available`,
  );
  expect(mdsServers.map(({ address }) => address).sort()).toEqual(addresses);
}

test.each([3, 5])(
  "the group grows to %i under load and no call fails",
  async (mdsCount) => {
    lab = await Lab.plan(harness.lab.directory, { mdsCount });
    await lab.start();
    await expectGroupOf(Array.from({ length: mdsCount }, (_, index) => index + 1));
    await expectProgress();
  },
  TEST_MS,
);

test(
  "of five two may be killed at once, the leader among them, and no call fails",
  async () => {
    const { cluster } = clients[0] ?? expect.unreachable();
    const leader = leaderHostOf(lab, cluster) ?? 1;
    const victims = [leader, (leader % 5) + 1];
    await Promise.all(victims.map((host) => lab.kill("mds", host)));
    await expectProgress();
    await Promise.all(victims.map((host) => lab.startOne("mds", host)));
    await expectGroupOf([1, 2, 3, 4, 5]);
  },
  TEST_MS,
);

test(
  "the group shrinks to one under load, all the leaders that there were being removed, and no call fails",
  async () => {
    const { cluster } = clients[0] ?? expect.unreachable();
    const left = [1, 2, 3, 4, 5];
    while (left.length > 1) {
      const leader = leaderHostOf(lab, cluster);
      const host = leader === undefined || leader === LAST_HOST ? (left[0] ?? 1) : leader;
      const { id } = await lab.service("mds", host);
      const result = await harness.run(["rm-mds", String(id)], { root: lab.root(host) });
      expect(result).toMatchObject({ errors: "", status: 0 });
      left.splice(left.indexOf(host), 1);
      await expectGroupOf(left);
      await expectProgress();
    }
    expect(left).toEqual([LAST_HOST]);
  },
  TEST_MS,
);

test(
  "the last one knows everything, also after it was killed",
  async () => {
    await Promise.all(clients.map(({ busy }) => inTime("the last calls", busy.stop(), PATIENCE_MS, calls)));
    await lab.kill("mds", LAST_HOST);
    await lab.startOne("mds", LAST_HOST);
    for (const { busy } of clients) await inTime("reading back", busy.verify(), PATIENCE_MS, calls);
    await expectGroupOf([LAST_HOST]);
    say(`growth: ${calls}`);
  },
  TEST_MS,
);
