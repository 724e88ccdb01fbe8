import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Lab } from "../../src/cli/lab/lab.js";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import type { ClusterStatus } from "../../src/meta/index.js";
import { ClusterHarness } from "./harness.js";
import { requireSame } from "./ordeal/busy-client.js";
import { inTime } from "./ordeal/calls.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";
import { say, seededPrng } from "./ordeal/seed.js";
import { SmallDisk, whyNoSmallDisks } from "./ordeal/small-disk.js";
import { tellsOneStory } from "./ordeal/story.js";

/** Chunk servers on real file systems that are small and full. The tests tell one story. */

const MIB = 2 ** 20;
const FILE_BYTES = 8 * MIB;
const DISK_MIB = 64;
/** A write that takes longer waits for space, however busy the machine is. */
const WAITING_MS = 20_000;

const reason = whyNoSmallDisks();
if (reason !== undefined) say(`skipped: ${reason}`);

describe.skipIf(reason !== undefined)("chunk servers on small disks", () => {
  tellsOneStory();
  const prng = seededPrng(import.meta.url);
  const disks: SmallDisk[] = [];
  const contents = new Map<string, Uint8Array>();
  let harness: ClusterHarness;
  let lab: Lab;
  let fileCount = 0;
  let cluster: Cluster;

  beforeAll(async () => {
    harness = await ClusterHarness.start({ mdsCount: 1, csCount: 3 }, (planned) => {
      for (const host of [1, 2, 3]) disks.push(new SmallDisk(planned.repository("cs", host), DISK_MIB));
    });
    lab = harness.lab;
    cluster = await connectCluster({ cluster: lab.clusterName, root: lab.root(1) });
    await setConfig("mds.alloc.free_space_margin", 0);
    await setConfig("mds.rebalance.margin", 8);
    // The usual 1024 MB are more than these disks have together.
    await writeFile(join(lab.root(1), "etc/pstorage/pstorage.conf"), "freespace.threshold.mb = 1\n");
    await cluster.fileSystem.setStorage("/", { replicas: 2, replicasMinimum: 1, chunkBytes: 4 * MIB });
  }, TEST_MS);

  afterAll(async () => {
    await cluster?.close();
    for (const disk of disks) disk.remove();
    await harness?.close(lab);
  });

  async function setConfig(name: string, value: number): Promise<void> {
    await cluster.admin.setConfig({ name, value: String(value) });
  }

  /** Writes one more file; `isDone` tells whether it could. */
  function writeNext(): { readonly written: Promise<unknown>; readonly path: string; isDone: boolean } {
    const path = `/file${fileCount++}`;
    const bytes = prng.bytes(FILE_BYTES);
    contents.set(path, bytes);
    const state = { path, isDone: false, written: Promise.resolve() as Promise<unknown> };
    state.written = cluster.fileSystem.writeFile(path, bytes, { sync: true }).then(() => {
      state.isDone = true;
    });
    state.written.catch(() => undefined);
    return state;
  }

  /** Files are written until one has to wait: that one. */
  async function fill(): Promise<ReturnType<typeof writeNext>> {
    for (let count = 0; count < 40; count++) {
      const next = writeNext();
      await Promise.race([next.written, sleep(WAITING_MS)]);
      if (!next.isDone) return next;
    }
    throw new Error("the disks do not get full");
  }

  async function expectAll(): Promise<void> {
    for (const [path, bytes] of contents)
      requireSame(path, bytes, await cluster.fileSystem.readFile(path), 0);
  }

  /** What stat says of the space: OK or WARN, by a fifth of the disks. */
  async function spaceState(): Promise<string | undefined> {
    const { output } = await harness.run(["-q", "stat"]);
    return /^Space: \[(\w+)\] /m.exec(output)?.[1];
  }

  const fractions = ({ chunkServers }: ClusterStatus): number[] =>
    chunkServers.map(({ totalBytes, freeBytes }) => 1 - freeBytes / totalBytes);

  test(
    "when they are full writers wait, files can be removed, and then the writers go on",
    async () => {
      expect(await spaceState()).toBe("OK");
      const waiting = await fill();
      expect(await spaceState()).toBe("WARN");
      say(`${contents.size - 1} files of 8 MiB in 3 disks of ${DISK_MIB} MiB, twice each`);
      expect(contents.size).toBeGreaterThan(5);
      const whole = [...contents.keys()].filter((path) => path !== waiting.path);
      for (const path of whole)
        requireSame(path, contents.get(path) ?? new Uint8Array(), await cluster.fileSystem.readFile(path), 0);
      expect(waiting.isDone).toBe(false);
      for (const path of whole.slice(0, 2)) {
        await cluster.fileSystem.unlink(path);
        contents.delete(path);
      }
      await inTime("the write", waiting.written, PATIENCE_MS);
      await expectAll();
    },
    TEST_MS,
  );

  test(
    "a chunk server that is added lets writers go on, too, and then all disks become evenly full",
    async () => {
      const waiting = await fill();
      lab = await Lab.plan(lab.directory, { csCount: 4 });
      disks.push(new SmallDisk(lab.repository("cs", 4), 2 * DISK_MIB));
      await lab.start();
      await inTime("the write", waiting.written, PATIENCE_MS);
      const isEven = (status: ClusterStatus): boolean => {
        const all = fractions(status);
        return all.length === 4 && Math.max(...all) - Math.min(...all) < 0.15;
      };
      const status = await harness.until(isEven, "disks are evenly full");
      say(`full: ${fractions(status).map((fraction) => `${Math.round(fraction * 100)} %`)}`);
      await expectAll();
    },
    TEST_MS,
  );
});
