import { spawn } from "node:child_process";
import { cp, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import type { ClusterStatus } from "../../src/meta/index.js";
import { ClusterHarness } from "./harness.js";
import { requireSame } from "./ordeal/busy-client.js";
import { eventually } from "./ordeal/calls.js";
import { chunkFiles } from "./ordeal/chunk-files.js";
import { logLines } from "./ordeal/daemon-log.js";
import { TEST_MS } from "./ordeal/patience.js";
import { say, seededPrng } from "./ordeal/seed.js";
import { tellsOneStory } from "./ordeal/story.js";

/** A chunk server goes and comes back. The tests tell one story: each begins where the one before ended. */

const MIB = 2 ** 20;
const FILE = "/disk";
const FILE_BYTES = 128 * MIB;
/** Of the file: what is written while a server is away. */
const HOT_REGIONS = [3, 17, 18, 40, 77, 78, 100, 121];
const HOST = 3;
/** Written by nobody for that long, a region is clean. */
const CLEAN_MS = 4000;

tellsOneStory();
const prng = seededPrng(import.meta.url);
const contents = prng.bytes(FILE_BYTES);
let harness: ClusterHarness;
let cluster: Cluster;

beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 1, csCount: 3 });
  const { lab } = harness;
  cluster = await connectCluster({ cluster: lab.clusterName, root: lab.root(1) });
  await cluster.fileSystem.setStorage("/", { replicas: 3, replicasMinimum: 2, chunkBytes: 64 * MIB });
  const handle = await cluster.fileSystem.open(FILE, { access: "write", create: true });
  for (let offset = 0; offset < FILE_BYTES; offset += MIB) {
    await handle.write(contents.subarray(offset, offset + MIB), offset);
  }
  await handle.sync();
  await handle.close();
  await harness.until(isHealthy, "every chunk is healthy");
}, TEST_MS);

afterAll(async () => {
  await cluster?.close();
  await harness?.close();
});

const isHealthy = ({ chunks }: ClusterStatus): boolean => chunks.total > 0 && chunks.healthy === chunks.total;

/** Random 4 KiB writes in the hot regions, for that long; none of them may fail. */
async function writeFor(durationMs: number): Promise<number> {
  const handle = await cluster.fileSystem.open(FILE, { access: "write" });
  const endMs = Date.now() + durationMs;
  let count = 0;
  const work = async (): Promise<void> => {
    while (Date.now() < endMs) {
      const offset = prng.pick(HOT_REGIONS) * MIB + prng.below(256) * 4096;
      const bytes = prng.bytes(4096);
      contents.set(bytes, offset);
      await handle.write(bytes, offset);
      count += 1;
    }
  };
  // One at a time: what the file then holds is known.
  await work();
  await handle.sync();
  await handle.close();
  return count;
}

/** What the server on the host fetched since the last time that was asked, bytes. */
async function copiedBytes(): Promise<number> {
  const lines = await logLines(harness.lab, "cs", HOST, "replica filled");
  const bytes = lines.slice(knownLines).map((line) => Number(line["copiedBytes"]));
  knownLines = lines.length;
  return bytes.reduce((sum, count) => sum + count, 0);
}
let knownLines = 0;

/** All hosts have the same bytes, and they are those that were written. */
async function expectSame(): Promise<void> {
  requireSame(FILE, contents, await cluster.fileSystem.readFile(FILE), 0);
  const { lab } = harness;
  const wanted = (await chunkFiles(lab, 1, "data")).sort();
  for (const path of wanted) {
    const bytes = await readFile(path);
    for (const host of [2, 3]) {
      const other = await readFile(path.replace(lab.repository("cs", 1), lab.repository("cs", host)));
      requireSame(`${path} on host ${host}`, bytes, other, 0);
    }
  }
}

async function comesBack(): Promise<number> {
  await harness.lab.startOne("cs", HOST);
  await harness.until(isHealthy, "every chunk is healthy");
  return await copiedBytes();
}

test(
  "a chunk server that was killed and is away while a file is written fetches only the regions that were written",
  async () => {
    await sleep(CLEAN_MS);
    await harness.lab.kill("cs", HOST);
    const count = await writeFor(10_000);
    const copied = await comesBack();
    say(
      `${count} writes of 4 KiB in ${HOT_REGIONS.length} MiB; ${(copied / MIB).toFixed(1)} MiB were fetched`,
    );

    expect(copied).toBeGreaterThan(0);
    expect(copied).toBeLessThanOrEqual(HOT_REGIONS.length * MIB);
    await expectSame();
  },
  TEST_MS,
);

test(
  "after an unclean restart of its host it fetches, besides, what it had not made safe",
  async () => {
    await sleep(CLEAN_MS);
    const handle = await cluster.fileSystem.open(FILE, { access: "write" });
    const bytes = prng.bytes(4096);
    contents.set(bytes, 60 * MIB);
    await handle.write(bytes, 60 * MIB);
    await handle.close();
    await harness.lab.kill("cs", HOST);
    // As if the host had gone down with it: what was not synced is gone.
    const { directory } = await harness.lab.service("cs", HOST);
    const state = join(directory, "state.json");
    const { bootId: _, ...rest } = JSON.parse(await readFile(state, "utf8"));
    await writeFile(state, JSON.stringify({ ...rest, bootId: "another-boot" }));
    const [first = ""] = (await chunkFiles(harness.lab, HOST, "data")).sort();
    const data = await readFile(first);
    data.fill(0, 60 * MIB, 60 * MIB + 4096);
    await writeFile(first, data);
    await writeFor(2000);
    const copied = await comesBack();
    say(`${(copied / MIB).toFixed(1)} MiB were fetched`);

    // Marks are set around a write, too, so that a writer that jumps about pays few of them.
    expect(copied).toBeGreaterThan(0);
    expect(copied).toBeLessThanOrEqual(FILE_BYTES / 4);
    await expectSame();
  },
  TEST_MS,
);

/** What the cluster says to the server on that host since it was started, if it refuses it. */
async function refusals(): Promise<string[]> {
  const lines = await logLines(harness.lab, "cs", HOST, "the cluster refuses this chunk server");
  return lines.map((line) => String(line["detail"]));
}

/** What the daemon says when it does not start. */
async function refusalOfStart(): Promise<string> {
  const start = harness.lab.startOne("cs", HOST);
  return await start.then(
    () => "it started",
    (error: Error) => error.message,
  );
}

test(
  "a repository that was restored from an older state is refused, however often it is started",
  async () => {
    const { lab } = harness;
    const { directory } = await lab.service("cs", HOST);
    await lab.stopOne("cs", HOST);
    await cp(directory, `${directory}.older`, { recursive: true });
    await lab.startOne("cs", HOST);
    await writeFor(1000);
    await harness.until(isHealthy, "every chunk is healthy");
    await lab.stopOne("cs", HOST);
    await rename(directory, `${directory}.right`);
    await rename(`${directory}.older`, directory);
    for (let i = 1; i <= 3; i++) {
      await lab.startOne("cs", HOST);
      const said = await eventually("the cluster refuses it", async () => {
        const found = await refusals();
        return found.length >= i ? found.at(-1) : undefined;
      });
      expect(said).toContain("another copy of this repository has served as CS#");
      await lab.stopOne("cs", HOST);
    }
    await rm(directory, { recursive: true });
    await rename(`${directory}.right`, directory);
    await comesBack();
    await expectSame();
  },
  TEST_MS,
);

test(
  "a copy of a repository is refused while the original serves",
  async () => {
    const { lab } = harness;
    const { directory } = await lab.service("cs", HOST);
    const copy = join(lab.directory, "copy");
    await cp(directory, copy, { recursive: true, filter: (path) => !/(LOCK|\.sock)$/.test(path) });
    await rm(join(copy, "logs"), { recursive: true });
    await mkdir(join(copy, "logs"));
    const program = fileURLToPath(new URL("../../bin/csd.js", import.meta.url));
    const clone = spawn(process.execPath, [program, "-r", copy], {
      env: { ...process.env, PSTORAGE_ROOT: lab.root(HOST) },
      stdio: "ignore",
    });
    const ended = new Promise((resolve) => clone.once("exit", resolve));
    try {
      const said = await eventually("the cluster refuses it", async () => {
        const text = await readFile(join(copy, "logs/log"), "utf8").catch(() => "");
        return text.split("\n").find((line) => line.includes("the cluster refuses this chunk server"));
      });
      expect(said).toContain("runs already, at ");
    } finally {
      clone.kill("SIGKILL");
      await ended;
      await rm(copy, { recursive: true, force: true });
    }
    const { chunkServers } = await harness.lab.status();
    expect(chunkServers.every(({ status }) => status === "active")).toBe(true);
    await expectSame();
  },
  TEST_MS,
);

test(
  "a foreign repository, and a mount point without its disk, are refused with advice",
  async () => {
    const { lab } = harness;
    const { directory } = await lab.service("cs", HOST);
    await lab.stopOne("cs", HOST);
    const identity = join(directory, "identity.json");
    const right = await readFile(identity, "utf8");
    const { clusterId } = JSON.parse(right) as { clusterId: string };
    await writeFile(identity, right.replace(clusterId, "00000000-0000-4000-8000-000000000000"));
    expect(await refusalOfStart()).toContain("is of another cluster than");
    await writeFile(identity, right);

    await rename(directory, `${directory}.unmounted`);
    await mkdir(directory);
    expect(await refusalOfStart()).toContain("is its disk mounted?");
    await rm(directory, { recursive: true });
    await rename(`${directory}.unmounted`, directory);
    await comesBack();
    await expectSame();
  },
  TEST_MS,
);
