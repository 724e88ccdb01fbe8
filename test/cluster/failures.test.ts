import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import { ClusterHarness } from "./harness.js";
import { BusyClient, requireSame } from "./ordeal/busy-client.js";
import { Calls, eventually, inTime } from "./ordeal/calls.js";
import { chunkFiles, hostsWithChunks } from "./ordeal/chunk-files.js";
import { leaderHostOf } from "./ordeal/mischief.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";
import { RECORD_BYTES, RecordWriter, recordBytes } from "./ordeal/records.js";
import { say, seededPrng } from "./ordeal/seed.js";
import { tellsOneStory } from "./ordeal/story.js";

/** Failures one by one, on one cluster: each test begins where the one before ended. */

const CS_HOSTS = [1, 2, 3, 4];

tellsOneStory();
const prng = seededPrng(import.meta.url);
const writers: RecordWriter[] = [];
let busyCount = 0;
let harness: ClusterHarness;
let cluster: Cluster;

beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 3, csCount: CS_HOSTS.length });
  cluster = await connectTo(1);
  await cluster.fileSystem.setStorage("/", { replicas: 3, replicasMinimum: 2 });
}, TEST_MS);

afterAll(async () => {
  for (const writer of writers) await writer.kill();
  await cluster?.close();
  await harness?.close();
});

function connectTo(host: number): Promise<Cluster> {
  const { lab } = harness;
  return connectCluster({ cluster: lab.clusterName, root: lab.root(host) });
}

function startWriter(path: string): RecordWriter {
  const writer = new RecordWriter(harness.lab, 2, path);
  writers.push(writer);
  return writer;
}

async function setConfig(name: string, value: number): Promise<void> {
  await cluster.admin.setConfig({ name, value: String(value) });
}

/** That many records at least, and nothing but records. */
async function expectRecords(path: string, count: number): Promise<void> {
  const bytes = await cluster.fileSystem.readFile(path);
  expect(bytes.length).toBeGreaterThanOrEqual(count * RECORD_BYTES);
  for (let index = 0; index < count; index++) {
    const found = bytes.subarray(index * RECORD_BYTES, (index + 1) * RECORD_BYTES);
    requireSame(`record ${index} of ${path}`, recordBytes(index), found, 0);
  }
}

/** A client works while `happens` does; none of its calls may fail. Resolves with its calls. */
async function underLoad(host: number, happens: () => Promise<void>): Promise<Calls> {
  const calls = new Calls();
  const client = await connectTo(host);
  const busy = new BusyClient(client.fileSystem, `/busy${++busyCount}`, calls, prng.fork());
  busy.start();
  try {
    await happens();
    await inTime("the last calls", busy.stop(), PATIENCE_MS, calls);
  } finally {
    await client.close();
  }
  return calls;
}

/** A file with a replica on that host, too. */
async function writeAside(host: number, bytes: Uint8Array): Promise<void> {
  const { lab } = harness;
  const countBefore = (await chunkFiles(lab, host, "data")).length;
  do {
    await cluster.fileSystem.removeTree("/aside");
    await cluster.fileSystem.writeFile("/aside", bytes);
  } while ((await chunkFiles(lab, host, "data")).length === countBefore);
}

test(
  "with fewer than the minimum of replicas writers wait and readers go on, until a server comes back",
  async () => {
    const { lab } = harness;
    const bytes = prng.bytes(100_000);
    const handle = await cluster.fileSystem.open("/scarce", { access: "write", create: true });
    await handle.write(bytes, 0);
    const [survivor] = await hostsWithChunks(lab);
    await writeAside(survivor ?? 0, bytes);
    const gone = CS_HOSTS.filter((host) => host !== survivor);
    for (const host of gone) await lab.kill("cs", host);

    let isDone = false;
    // Blocks 12 and 13; a read of those would wait for it.
    const waiting = handle.write(bytes.subarray(0, 5000), 50_000).finally(() => {
      isDone = true;
    });
    waiting.catch(() => undefined);
    const before = await handle.read(0, 12 * 4096, { timeoutMs: PATIENCE_MS });
    requireSame("/scarce", bytes.subarray(0, 12 * 4096), before, 0);
    requireSame("/aside", bytes, await cluster.fileSystem.readFile("/aside", { timeoutMs: PATIENCE_MS }), 0);
    // Long enough that everybody has given the dead ones up.
    await sleep(3000);
    expect(isDone).toBe(false);

    for (const host of gone) await lab.startOne("cs", host);
    await inTime("the write", waiting, PATIENCE_MS);
    bytes.copyWithin(50_000, 0, 5000);
    requireSame("/scarce", bytes, await handle.read(0, 100_000), 0);
    await handle.close();
  },
  TEST_MS,
);

test(
  "what a client that was killed had written is there to the last acknowledged byte, when its lease has ended",
  async () => {
    await setConfig("mds.session.lease_tout", 4000);
    const writer = startWriter("/left");
    await writer.atLeast(prng.between(20, 200));
    const count = await writer.kill();
    const beganMs = performance.now();
    const handle = await cluster.fileSystem.open("/left", { access: "write" });
    await handle.write(recordBytes(7777), (count + 1) * RECORD_BYTES);
    say(`a killed writer was waited for ${Math.round(performance.now() - beganMs)} ms`);
    expect(await handle.size()).toBe((count + 2) * RECORD_BYTES);
    await handle.close();
    await expectRecords("/left", count);
  },
  TEST_MS,
);

test(
  "revoke takes a file from a client at once, even from one that does not answer, and for good",
  async () => {
    await setConfig("mds.session.lease_tout", 600_000);
    const writer = startWriter("/taken");
    await writer.atLeast(30);
    writer.signal("SIGSTOP");
    const beganMs = performance.now();
    const result = await harness.run(["revoke", "-p", "/taken"], { host: 3 });
    expect(result.errors).toBe("");
    const handle = await cluster.fileSystem.open("/taken", { access: "write" });
    await handle.truncate(0);
    await handle.write(recordBytes(1), 0);
    const tookMs = Math.round(performance.now() - beganMs);
    say(`a revoked file was open for somebody else after ${tookMs} ms`);
    expect(tookMs, "nobody waited for the lease to end").toBeLessThan(500_000);
    writer.signal("SIGCONT");
    await eventually("the writer has noticed", () => writer.end);
    expect(writer.end).toBe("lease_lost");
    requireSame("/taken", recordBytes(1), await handle.read(0, 10 * RECORD_BYTES), 0);
    expect(await handle.size()).toBe(RECORD_BYTES);
    await handle.close();
    await setConfig("mds.session.lease_tout", 15_000);
  },
  TEST_MS,
);

test(
  "a client that stood still until its session was over comes too late to change anything",
  async () => {
    await setConfig("mds.session.lease_tout", 4000);
    const writer = startWriter("/paused");
    await writer.atLeast(30);
    writer.signal("SIGSTOP");
    const handle = await cluster.fileSystem.open("/paused", { access: "write" });
    await handle.truncate(0);
    await handle.write(recordBytes(1), 0);
    await handle.sync();
    writer.signal("SIGCONT");
    await eventually("the writer has noticed", () => writer.end);
    expect(writer.end).toMatch(/^(lease_lost|session_lost)$/);
    requireSame("/paused", recordBytes(1), await handle.read(0, 10 * RECORD_BYTES), 0);
    expect(await handle.size()).toBe(RECORD_BYTES);
    await handle.close();
    await setConfig("mds.session.lease_tout", 15_000);
  },
  TEST_MS,
);

test(
  "at the limit of capacity writers wait without an error until it is raised",
  async () => {
    await cluster.fileSystem.writeFile("/under the limit", prng.bytes(3_000_000));
    await setConfig("mds.alloc.capacity_max", 1);
    let isDone = false;
    const bytes = prng.bytes(500_000);
    const waiting = cluster.fileSystem.writeFile("/over the limit", bytes).then(() => {
      isDone = true;
    });
    waiting.catch(() => undefined);
    await sleep(5000);
    expect(isDone).toBe(false);
    await setConfig("mds.alloc.capacity_max", 1_000_000);
    await inTime("the write", waiting, PATIENCE_MS);
    requireSame("/over the limit", bytes, await cluster.fileSystem.readFile("/over the limit"), 0);
    await setConfig("mds.alloc.capacity_max", 0);
  },
  TEST_MS,
);

test(
  "when the leading MDS hangs another one takes over, and when it goes on it follows",
  async () => {
    const { lab } = harness;
    const calls = await underLoad(2, async () => {
      for (let round = 0; round < 2; round++) {
        const host = leaderHostOf(lab, cluster) ?? 1;
        await lab.kill("mds", host, "SIGSTOP");
        await cluster.fileSystem.writeFile("/who leads", String(round));
        await eventually(
          "another MDS leads",
          () => (leaderHostOf(lab, cluster) ?? host) !== host || undefined,
        );
        await lab.kill("mds", host, "SIGCONT");
        await harness.until(
          ({ mdsServers }) => mdsServers.every(({ status }) => status === "avail"),
          "all follow",
        );
      }
    });
    say(`hanging MDS: ${calls}`);
  },
  TEST_MS,
);

test(
  "when a chunk server hangs the others go on without it, and what it has is not read when it goes on",
  async () => {
    const { lab } = harness;
    // The client's own chunk server is the one it reads from.
    const calls = await underLoad(3, async () => {
      for (const pauseMs of [2000, 15_000]) {
        await sleep(500);
        await lab.kill("cs", 3, "SIGSTOP");
        await sleep(pauseMs);
        await lab.kill("cs", 3, "SIGCONT");
        await harness.until(
          ({ chunkServers }) => chunkServers.every(({ status }) => status === "active"),
          "every chunk server is active",
        );
      }
    });
    say(`hanging CS: ${calls}`);
  },
  TEST_MS,
);

test(
  "rm-cs --wait empties a chunk server while clients work, and nothing is lost",
  async () => {
    const { lab } = harness;
    await cluster.fileSystem.mkdir("/many");
    await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        cluster.fileSystem.writeFile(`/many/${index}`, recordBytes(index)),
      ),
    );
    const { id } = await lab.service("cs", 4);
    const calls = await underLoad(2, async () => {
      const result = await harness.run(["rm-cs", "--wait", String(id)], { host: 4 });
      expect(result.errors).toBe("");
      expect(result.output).toContain("done");
    });
    say(`rm-cs: ${calls}`);
    const status = await harness.until(
      ({ chunks }) => chunks.healthy === chunks.total,
      "every chunk is healthy",
    );
    expect(status.chunkServers.find(({ csId }) => csId === id)?.status).toBe("dropped");
    for (let index = 0; index < 60; index++) {
      const path = `/many/${index}`;
      requireSame(path, recordBytes(index), await cluster.fileSystem.readFile(path), 0);
    }
  },
  TEST_MS,
);
