import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import { ClusterHarness, type CommandResult } from "./harness.js";
import { BusyClient } from "./ordeal/busy-client.js";
import { Calls, eventually, inTime } from "./ordeal/calls.js";
import { Mischief } from "./ordeal/mischief.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";
import { differences, readBack } from "./ordeal/read-back.js";
import { say, seededPrng } from "./ordeal/seed.js";
import { contentsOf, makeSourceTree, type TreeContents } from "./ordeal/source-tree.js";
import { tellsOneStory } from "./ordeal/story.js";

/**
 * A real tree in a real cluster whose daemons are killed, all of them in the end, and one of whose disks is lost. The
 * tests tell one story: each begins where the one before ended.
 */

const LEAST = { fileCount: 2000, totalBytes: 300_000_000 };
const TREE = "/tree";
/** A test of this story works on a whole tree. */
const STORY_MS = 3 * TEST_MS;
const LOST_HOST = 3;

tellsOneStory();
const prng = seededPrng(import.meta.url);
const calls = new Calls();
let harness: ClusterHarness;
let cluster: Cluster;
let source: string;
let wanted: TreeContents;

beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 3, csCount: 5 });
  const { lab } = harness;
  cluster = await connectCluster({ cluster: lab.clusterName, root: lab.root(1) });
  source = join(lab.directory, "source");
  const size = await makeSourceTree(source, LEAST, prng.fork());
  wanted = await contentsOf(source);
  say(`${size.fileCount} files, ${Math.round(size.totalBytes / 1e6)} MB`);
  expect(size.fileCount).toBeGreaterThanOrEqual(LEAST.fileCount);
  expect(size.totalBytes).toBeGreaterThanOrEqual(LEAST.totalBytes);
}, STORY_MS);

afterAll(async () => {
  await cluster?.close();
  await harness?.close();
});

/** Everything is read through the library and compared by SHA-256. */
async function expectWholeTree(): Promise<void> {
  const work = readBack(cluster.fileSystem, TREE, calls);
  expect(differences(wanted, await inTime("reading back", work, TEST_MS, calls))).toEqual([]);
}

/** Every chunk has all the replicas it should have. */
function expectFullRedundancy(timeoutMs = PATIENCE_MS): Promise<unknown> {
  const isFull = ({ chunks }: { chunks: { total: number; healthy: number } }): boolean =>
    chunks.total > 0 && chunks.healthy === chunks.total;
  return harness.until(isFull, "every chunk is healthy", timeoutMs);
}

async function everyService(): Promise<readonly { kind: "mds" | "cs"; host: number }[]> {
  return await harness.lab.services();
}

test(
  "a tree is put into the cluster while the leading MDS and chunk servers are killed, and no call fails",
  async () => {
    await cluster.fileSystem.setStorage("/", { replicas: 3, replicasMinimum: 2, chunkBytes: 8 << 20 });
    const busy = new BusyClient(cluster.fileSystem, "/busy", calls, prng.fork());
    const mischief = new Mischief(harness.lab, cluster, prng.fork(), {
      calmMs: [300, 3000],
      downMs: [100, 2000],
      countMax: 25,
    });
    busy.start();
    mischief.start();
    // On a fast machine again, until enough has been killed under it: it writes the same tree over.
    const putAll = async (): Promise<CommandResult> => {
      for (;;) {
        const result = await harness.run(["fs", "put", "-r", source, TREE]);
        if (result.status !== 0 || (mischief.kills.mds > 1 && mischief.kills.cs > 1)) return result;
      }
    };
    const result = await inTime("fs put -r", putAll(), TEST_MS, calls).finally(() => mischief.stop());
    await inTime("the last calls", busy.stop(), PATIENCE_MS, calls);
    say(`killed: ${mischief.kills.mds} MDS, ${mischief.kills.cs} CS; ${calls}`);
    expect(result.errors).toBe("");
    expect(result.status).toBe(0);
    expect(mischief.kills.mds).toBeGreaterThan(1);
    expect(mischief.kills.cs).toBeGreaterThan(1);
    await expectWholeTree();
  },
  STORY_MS,
);

test(
  "after every process was killed at once the tree is the same",
  async () => {
    await Promise.all((await everyService()).map(({ kind, host }) => harness.lab.kill(kind, host)));
    await harness.lab.start();
    await expectWholeTree();
  },
  STORY_MS,
);

test(
  "after every process was stopped and started in order the tree is the same",
  async () => {
    await expectFullRedundancy();
    await harness.lab.stop();
    await harness.lab.start();
    await expectWholeTree();
  },
  STORY_MS,
);

test(
  "a disk that was wiped comes back under a new id, and full redundancy comes back before",
  async () => {
    const { lab } = harness;
    const lost = await lab.service("cs", LOST_HOST);
    expect((await harness.run(["set-config", "mds.wd.offline_tout=6000"])).errors).toBe("");
    expect((await harness.run(["set-config", "mds.repair.enabled=0"])).errors).toBe("");
    await lab.stopOne("cs", LOST_HOST);
    await rm(lost.directory, { recursive: true });
    await expect(lab.startOne("cs", LOST_HOST)).rejects.toThrow("did not start");
    await harness.until(
      ({ chunkServers }) =>
        chunkServers.some(({ csId, status }) => csId === lost.id && status === "maintenance"),
      `CS#${lost.id} is in maintenance`,
    );
    const told = async (message: string): Promise<boolean> =>
      (await harness.run(["get-event", "-n", "50"])).output.includes(message);
    // Away for longer than a silent server is waited for; nothing is copied all the same.
    await eventually("an event", () => told(`CS#${lost.id} is in maintenance and is marked as offline`));
    expect((await harness.run(["set-config", "mds.repair.enabled=1"])).errors).toBe("");
    const plan: unknown = JSON.parse((await harness.run(["repair", "--dry-run", "--json"])).output);
    expect(plan).toMatchObject({ steps: [] });
    expect((await harness.run(["stat"])).output).toContain(", 1 maintenance)");
    expect((await harness.run(["set-config", "mds.repair.enabled=0"])).errors).toBe("");
    expect((await harness.run(["set-config", "mds.wd.maintenance_tout=0"])).errors).toBe("");
    await harness.until(
      ({ chunkServers }) => chunkServers.some(({ csId, status }) => csId === lost.id && status === "offline"),
      `CS#${lost.id} is offline`,
    );
    await eventually("an event", () => told("Automatic replication is suppressed: mds.repair.enabled is 0"));
    expect((await harness.run(["set-config", "mds.repair.enabled=1"])).errors).toBe("");
    await eventually("another event", () => told("Automatic replication goes on"));
    await expectFullRedundancy();
    const made = await harness.run(["make-cs", "-r", lost.directory, "-a", "127.0.0.1"], { host: LOST_HOST });
    expect(made.errors).toBe("");
    await lab.startOne("cs", LOST_HOST);
    const found = await lab.service("cs", LOST_HOST);
    expect(found.id).toBeGreaterThan(lost.id);
    expect((await harness.run(["rm-cs", "-f", String(lost.id)])).errors).toBe("");
    await harness.until(
      ({ chunkServers }) =>
        chunkServers.some(({ csId, status }) => csId === found.id && status === "active") &&
        chunkServers.some(({ csId, status }) => csId === lost.id && status === "dropped"),
      "the new chunk server has taken the place of the old one",
    );
  },
  STORY_MS,
);

test(
  "the tree is the same when the replicas of the lost disk are read where they were made anew",
  async () => {
    // Of three replicas on hosts 1, 2, 4 and 5 one at least is left; those on 4 and 5 are the younger ones.
    for (const host of [1, 2]) await harness.lab.stopOne("cs", host);
    await expectWholeTree();
    for (const host of [1, 2]) await harness.lab.startOne("cs", host);
    say(`in all: ${calls}`);
  },
  STORY_MS,
);
