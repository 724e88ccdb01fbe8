import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import { ClusterHarness } from "./harness.js";
import { BusyClient, requireSame } from "./ordeal/busy-client.js";
import { Calls, eventually, inTime } from "./ordeal/calls.js";
import type { DiskFaults } from "./ordeal/disk/faults.js";
import { FaultyDisk, noFaultyDisks } from "./ordeal/disk/faulty-disk.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";
import { say, seededPrng } from "./ordeal/seed.js";
import { tellsOneStory } from "./ordeal/story.js";

/**
 * Disks that fail under real daemons: those of chunk servers, that of the leading metadata server, and all of them at once
 * when the power goes. A client works meanwhile and compares every byte. The tests tell one story.
 */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const why = noFaultyDisks();
if (why !== undefined) say(`skipped: ${why}`);

/** How long a disk has its fault. */
const FAULT_MS = 4000;
/** While a disk hangs its chunk server is asked, given up, and replaced; on a machine that has other things to do as well. */
const HANG_STALL_MS = 60_000;
const POWER_FAILURES = 2;

describe.skipIf(why !== undefined)("bad disks", () => {
  tellsOneStory();
  const prng = seededPrng(import.meta.url);
  const disks = new Map<string, FaultyDisk>();
  let harness: ClusterHarness;
  let cluster: Cluster;

  beforeAll(async () => {
    harness = await ClusterHarness.start({ mdsCount: 3, csCount: 4 }, async (lab) => {
      for (const [kind, count] of [
        ["mds", 3],
        ["cs", 4],
      ] as const) {
        for (let host = 1; host <= count; host++) {
          const place = lab.repository(kind, host);
          disks.set(`${kind}${host}`, await FaultyDisk.mount(`${place}-disk`, place, prng.uint32()));
        }
      }
    });
    cluster = await connect();
    await cluster.fileSystem.setStorage("/", { replicas: 3, replicasMinimum: 2, chunkBytes: 2 ** 22 });
  });

  afterAll(async () => {
    await cluster?.close();
    for (const each of disks.values()) await each.suffer({});
    for (const { kind, host, pid } of (await harness?.lab.services()) ?? [])
      if (pid !== undefined) await harness.lab.kill(kind, host);
    for (const each of disks.values()) each.remove();
    await harness?.close();
  });

  const connect = (): Promise<Cluster> =>
    connectCluster({ cluster: harness.lab.clusterName, root: harness.lab.root(1) });

  function disk(kind: "mds" | "cs", host: number): FaultyDisk {
    const found = disks.get(`${kind}${host}`);
    if (found === undefined) throw new Error(`no disk ${kind}${host}`);
    return found;
  }

  /** Works while something happens; no call may fail, and every byte must be right. */
  async function duringWork(what: string, happens: () => Promise<void>): Promise<Calls> {
    const calls = new Calls();
    const client = new BusyClient(cluster.fileSystem, `/${what.replaceAll(" ", "-")}`, calls, prng.fork());
    client.start();
    await sleep(1000);
    await happens();
    await inTime(`work while ${what}`, client.stop(), PATIENCE_MS, calls);
    say(`${what}: ${calls}`);
    return calls;
  }

  /** A chunk server's disk has that fault for a while; then it is replaced by a good one, and the daemon started again. */
  async function withFault(host: number, faults: DiskFaults): Promise<void> {
    await disk("cs", host).suffer(faults);
    await sleep(FAULT_MS);
    await disk("cs", host).suffer({});
    await harness.lab.kill("cs", host).catch(() => undefined);
    await harness.lab.startOne("cs", host);
    await harness.healthy();
  }

  test("a chunk server whose disk cannot write costs nobody an error", async () => {
    await duringWork("a disk cannot write", () => withFault(1, { eio: { write: 1, sync: 1 } }));
  });

  test("nor one whose disk cannot read", async () => {
    await duringWork("a disk cannot read", () => withFault(2, { eio: { read: 1 } }));
  });

  test("nor one whose disk fails now and then", async () => {
    await duringWork("a disk fails at times", () =>
      withFault(3, { eio: { read: 0.05, write: 0.05, sync: 0.2, names: 0.1 } }),
    );
  });

  test("nor one whose file system became read-only", async () => {
    await duringWork("a disk is read-only", () => withFault(4, { isReadOnly: true }));
  });

  test("nor one that is full", async () => {
    await duringWork("a disk is full", () => withFault(1, { isFull: true }));
  });

  test("nor one that is slow", async () => {
    await duringWork("a disk is slow", () => withFault(2, { delayMs: 200 }));
  });

  test("one that hangs costs seconds, and no error", async () => {
    const { longestMs } = await duringWork("a disk hangs", () => withFault(3, { hangs: true }));
    expect(longestMs).toBeLessThan(HANG_STALL_MS);
  });

  test("the leading metadata server halts when its disk is full, another one leads, and it comes back", async () => {
    const leader = await harness.leaderHost();
    await duringWork("a metadata disk is full", async () => {
      await disk("mds", leader).suffer({ isFull: true });
      await eventually("another one leads", async () => (await harness.leaderHost()) !== leader);
      await sleep(2000);
      await disk("mds", leader).suffer({});
      await harness.lab.kill("mds", leader).catch(() => undefined);
      await harness.lab.startOne("mds", leader);
    });
    await harness.healthy();
  });

  test("or when it fails", async () => {
    const leader = await harness.leaderHost();
    await duringWork("a metadata disk fails", async () => {
      await disk("mds", leader).suffer({ eio: { write: 1, sync: 1 } });
      await eventually("another one leads", async () => (await harness.leaderHost()) !== leader);
      await disk("mds", leader).suffer({});
      await harness.lab.kill("mds", leader).catch(() => undefined);
      await harness.lab.startOne("mds", leader);
    });
    await harness.healthy();
  });

  test("when the power fails everywhere nothing is lost that was synced", async () => {
    const synced = new Map<string, Uint8Array>();
    for (let round = 0; round < POWER_FAILURES; round++) {
      const unsynced = await connect();
      const file = await unsynced.fileSystem.open("/unsynced", { access: "write", create: true });
      for (let count = 0; count < 40; count++) {
        const path = `/synced-${round}-${count}`;
        const bytes = prng.bytes(prng.pick([100, 5000, 70_000, 600_000]));
        await cluster.fileSystem.writeFile(path, bytes, { sync: true });
        synced.set(path, bytes);
        await file.write(prng.bytes(20_000), prng.below(5_000_000));
      }
      const again = await cluster.fileSystem.open("/synced-0-0", { access: "write" });
      const start = prng.bytes(50);
      await again.write(start, 0);
      await again.sync();
      synced.get("/synced-0-0")?.set(start);
      const services = await harness.lab.services();
      await Promise.all(services.map(({ kind, host }) => harness.lab.kill(kind, host)));
      for (const each of disks.values()) await each.losePower();
      await harness.lab.start();
      await harness.healthy();
      for (const [path, bytes] of synced)
        requireSame(path, bytes, await cluster.fileSystem.readFile(path), 0);
      await again.close();
      await file.close().catch(() => undefined);
      await unsynced.close();
    }
    say(`${synced.size} synced files are there after ${POWER_FAILURES} failures of the power everywhere`);
  });
});
