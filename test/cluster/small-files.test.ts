import { afterAll, beforeAll, expect, test } from "vitest";
import { equalBytes } from "../../src/base/index.js";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import { ClusterHarness } from "./harness.js";
import { Mischief } from "./ordeal/mischief.js";
import { say, seededPrng } from "./ordeal/seed.js";
import { tellsOneStory } from "./ordeal/story.js";

/** Many small files while daemons are killed: what was synced is there, in the metadata or in chunks. */

const TIMEOUT_MS = 600_000;
const COUNT = 1500;
const LANES = 24;

tellsOneStory();
const prng = seededPrng(import.meta.url);
const contents = new Map<string, Uint8Array>();
let harness: ClusterHarness;
let cluster: Cluster;

beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 3, csCount: 4 });
  cluster = await connect();
  await cluster.fileSystem.setStorage("/", { replicas: 3, replicasMinimum: 2 });
  await cluster.fileSystem.mkdir("/small");
}, TIMEOUT_MS);

afterAll(async () => {
  await cluster?.close();
  await harness?.close();
});

function connect(): Promise<Cluster> {
  return connectCluster({ cluster: harness.lab.clusterName, root: harness.lab.root(1), buffered: true });
}

/** Works on all files, several at a time. */
async function forAll(work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < COUNT) await work(next++);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function expectAll(): Promise<void> {
  const reader = await connect();
  try {
    const wrong: string[] = [];
    await forAll(async (index) => {
      const path = pathOf(index);
      const bytes = await reader.fileSystem.readFile(path);
      if (!equalBytes(bytes, contents.get(path) ?? new Uint8Array(0))) wrong.push(path);
    });
    expect(wrong).toEqual([]);
  } finally {
    await reader.close();
  }
}

const pathOf = (index: number): string => `/small/f${index}`;

async function whileKilled(work: () => Promise<void>): Promise<void> {
  const plan = { calmMs: [500, 3000], downMs: [100, 2000], countMax: 25 } as const;
  const mischief = new Mischief(harness.lab, cluster, prng.fork(), plan);
  mischief.start();
  await work().finally(() => mischief.stop());
  say(`killed: ${mischief.kills.mds} MDS, ${mischief.kills.cs} CS`);
}

test(
  "small files are made and synced while the leader and chunk servers are killed, and all of them are there",
  async () => {
    await whileKilled(() =>
      forAll(async (index) => {
        const bytes = prng.bytes(1 + prng.below(3000));
        await cluster.fileSystem.writeFile(pathOf(index), bytes, { sync: true });
        contents.set(pathOf(index), bytes);
      }),
    );
    await expectAll();
  },
  TIMEOUT_MS,
);

test(
  "some grow into chunks, some are cut and written anew, under the same; and all of them are there",
  async () => {
    await whileKilled(() =>
      forAll(async (index) => {
        if (index % 4 > 1) return;
        const path = pathOf(index);
        const before = contents.get(path) ?? new Uint8Array(0);
        const handle = await cluster.fileSystem.open(path, { access: "write" });
        const more = prng.bytes(index % 4 === 1 ? 50 : index % 8 === 0 ? 70_000 : 5000);
        const kept = index % 4 === 0 ? before : before.subarray(0, 10);
        if (kept.length < before.length) await handle.truncate(kept.length);
        await handle.append(more);
        await handle.sync();
        await handle.close();
        contents.set(path, new Uint8Array([...kept, ...more]));
      }),
    );
    await expectAll();
  },
  TIMEOUT_MS,
);

test(
  "after every daemon was killed at once all of them are there",
  async () => {
    const services = await harness.lab.services();
    await Promise.all(services.map(({ kind, host }) => harness.lab.kill(kind, host)));
    await harness.lab.start();
    await harness.healthy();
    await expectAll();
  },
  TIMEOUT_MS,
);
