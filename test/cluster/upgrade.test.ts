import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LEVEL } from "../../src/chunk/index.js";
import { Lab } from "../../src/cli/lab/lab.js";
import { waitHealthy } from "../../src/cli/lab/lab-health.js";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import type { ClusterStatus } from "../../src/meta/index.js";
import { ClusterDirectory } from "./harness.js";
import { BusyClient, requireSame } from "./ordeal/busy-client.js";
import { Calls, eventually, inTime } from "./ordeal/calls.js";
import { stateDigests } from "./ordeal/mds-states.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";
import { noPreviousBuild, type PreviousBuild, previousBuild } from "./ordeal/previous-build.js";
import { say, seededPrng } from "./ordeal/seed.js";
import { tellsOneStory } from "./ordeal/story.js";

/**
 * From the last build that knew nothing of levels to the present one, server by server, while clients of both work. The tests
 * tell one story: each begins where the one before ended.
 */
const PREVIOUS = "71b8717a09f5aedeb711799a6239364f23e97de2";
/** Without them, a leader of that build never speaks again to a member that was restarted. */
const MENDS = ["994bd7a8b6d51810dfde7ba452bb0ac299c39b8b", "9ed9a718c038068f390eba2249d0df812abbe998"];
const HOSTS = [1, 2, 3, 4];
const MDS_HOSTS = [1, 2, 3];
const STREAM_BYTES = 6 << 20;
const SMALL_COUNT = 20;
const GOODBYE_MS = 30_000;

const why = noPreviousBuild(PREVIOUS);
if (why !== undefined) say(`skipped: ${why}`);

describe.skipIf(why !== undefined)("an upgrade", () => {
  tellsOneStory();
  const prng = seededPrng(import.meta.url);
  const calls = new Calls();
  let directory: ClusterDirectory;
  let previous: PreviousBuild;
  /** The same cluster, whose daemons are started by the earlier build and by this one. */
  let before: Lab;
  let lab: Lab;
  let older: Cluster | undefined;
  let newer: Cluster;
  const busy: BusyClient[] = [];

  beforeAll(async () => {
    previous = await previousBuild(PREVIOUS, MENDS);
    directory = await ClusterDirectory.make();
    const path = join(directory.path, "lab");
    before = await previous.Lab.plan(path, { mdsCount: MDS_HOSTS.length, csCount: HOSTS.length });
    await before.start();
    lab = await Lab.open(path);
    await waitHealthy(lab, () => undefined);
    const options = { cluster: lab.clusterName, root: lab.root(1), buffered: true };
    const cached = { ...options, cacheMetadata: true, earlyAnswers: true };
    older = await previous.connectCluster(cached);
    newer = await connectCluster(cached);
    await newer.fileSystem.setStorage("/", { replicas: 3, replicasMinimum: 2, chunkBytes: 8 << 20 });
  }, TEST_MS);

  afterAll(async () => {
    // After a failure there may be no cluster to say goodbye to.
    await Promise.race([Promise.all([older?.close(), newer?.close()]), sleep(GOODBYE_MS)]);
    await directory?.remove(HOSTS.map((host) => lab.root(host)));
  }, TEST_MS);

  async function until(what: string, truth: (status: ClusterStatus) => boolean): Promise<ClusterStatus> {
    return await eventually(what, async () => {
      const status = await lab.status(PATIENCE_MS);
      return truth(status) ? status : undefined;
    });
  }

  const isWhole = ({ chunks, chunkServers, mdsServers }: ClusterStatus): boolean =>
    // Truncations take a chunk to a new version all the time, for a moment.
    chunks.total > 0 &&
    chunks.standby + chunks.degraded + chunks.urgent + chunks.blocked + chunks.offline === 0 &&
    chunkServers.every(({ status }) => status === "active") &&
    mdsServers.every(({ status }) => status === "avail");

  /** Restarts what runs on a host as a daemon of that build, and waits until it has caught up. */
  async function replace(host: number, by: Lab): Promise<void> {
    for (const kind of ["mds", "cs"] as const) {
      if (kind === "mds" && !MDS_HOSTS.includes(host)) continue;
      await lab.stopOne(kind, host);
      await by.startOne(kind, host);
    }
    await until(`host ${host} has caught up`, isWhole);
    await work();
  }

  /** What earlier and later programs do differently: long streams, many small files made at once, small files of some length. */
  async function work(): Promise<void> {
    const stream = prng.bytes(STREAM_BYTES);
    const small = prng.bytes(30_000);
    for (const [name, cluster] of [
      ["older", older],
      ["newer", newer],
    ] as const) {
      if (cluster === undefined) continue;
      const files = cluster.fileSystem;
      const folder = `/work-${name}-${prng.uint32()}`;
      await calls.run("mkdir", () => files.mkdir(folder));
      await calls.run("stream", () => files.writeFile(`${folder}/stream`, stream));
      await Promise.all(
        Array.from({ length: SMALL_COUNT }, (_, index) =>
          calls.run("small", () =>
            files.writeFile(`${folder}/${index}`, small.subarray(0, (index + 1) * 1000)),
          ),
        ),
      );
      // The other one reads it.
      const others = (cluster === newer ? (older ?? newer) : newer).fileSystem;
      const found = await calls.run("read stream", () => others.readFile(`${folder}/stream`));
      requireSame("stream", stream, found, 0);
      for (let index = 0; index < SMALL_COUNT; index++) {
        const bytes = await calls.run("read small", () => others.readFile(`${folder}/${index}`));
        requireSame(`small ${index}`, small.subarray(0, (index + 1) * 1000), bytes, 0);
      }
      for (let index = 0; index < SMALL_COUNT; index += 2)
        await calls.run("unlink", () => files.unlink(`${folder}/${index}`));
    }
    for (const client of busy) if (client.failure !== undefined) throw client.failure;
  }

  test(
    "clients of both builds work while one server after the other goes to the present one, and no call fails",
    async () => {
      for (const [index, cluster] of [older, newer].entries()) {
        if (cluster === undefined) throw new Error("both are there");
        const client = new BusyClient(cluster.fileSystem, `/busy${index}`, calls, prng.fork());
        busy.push(client);
        client.start();
      }
      await inTime("work before", work(), PATIENCE_MS, calls);
      // The first one goes back once more, as one may.
      for (const by of [lab, before, lab]) await inTime("host 1", replace(1, by), TEST_MS, calls);
      await inTime("host 2", replace(2, lab), TEST_MS, calls);
      say(String(calls));
    },
    TEST_MS,
  );

  test(
    "metadata servers of both builds make the same of the same log, and start again as they were",
    async () => {
      await lab.stop();
      const states = await stateDigests(MDS_HOSTS.map((host) => lab.repository("mds", host)));
      expect(new Set(states).size, states.join(" ")).toBe(1);
      for (const host of MDS_HOSTS) await (host === 3 ? before : lab).startOne("mds", host);
      for (const host of HOSTS) await (host >= 3 ? before : lab).startOne("cs", host);
      await until("all are there", isWhole);
      await inTime("work", work(), PATIENCE_MS, calls);
    },
    TEST_MS,
  );

  test(
    "the level stays as long as one program does not know a higher one, and is said to be held by it",
    async () => {
      await inTime("host 3", replace(3, lab), TEST_MS, calls);
      await inTime("host 4", replace(4, lab), TEST_MS, calls);
      const { level, levelHeldBy } = await until(
        "the client is named",
        ({ levelHeldBy: held }) => held.length === 1,
      );
      expect(level).toBe(1);
      expect(levelHeldBy[0]).toMatch(/^the client \d+ \(library on .*\) knows level 1 only$/);
    },
    TEST_MS,
  );

  test(
    "the level is raised when the last of them is gone, and clients take it up as they are",
    async () => {
      const [olderBusy, newerBusy] = busy;
      await inTime("the last calls", olderBusy?.stop() ?? Promise.resolve(), PATIENCE_MS, calls);
      await older?.close();
      older = undefined;
      const { levelHeldBy } = await until("the level is raised", ({ level }) => level === LEVEL);
      expect(levelHeldBy).toEqual([]);
      await inTime("work after", work(), PATIENCE_MS, calls);
      await inTime("the last calls", newerBusy?.stop() ?? Promise.resolve(), PATIENCE_MS, calls);
      say(String(calls));
      await lab.stop();
      const states = await stateDigests(MDS_HOSTS.map((host) => lab.repository("mds", host)));
      expect(new Set(states).size).toBe(1);
      await lab.start();
      await until("all are there", isWhole);
    },
    TEST_MS,
  );

  test(
    "from then on programs of the earlier build are refused, and told to update",
    async () => {
      const options = { cluster: lab.clusterName, root: lab.root(1), timeoutMs: 30_000 };
      await expect(previous.connectCluster(options)).rejects.toThrow(
        `this cluster works at level ${LEVEL}, and that program knows none above 1: update it`,
      );
      await lab.stopOne("cs", 4);
      await before.startOne("cs", 4);
      const log = join(lab.repository("cs", 4), "logs/log");
      await eventually("the chunk server says why", async () =>
        (await readFile(log, "utf8"))
          .split("\n")
          .some(
            (line) => line.includes("refuses this chunk server") && /works at level.*update it/.test(line),
          ),
      );
      await lab.stopOne("cs", 4);
      await lab.startOne("cs", 4);
      await lab.stopOne("mds", 3);
      await expect(before.startOne("mds", 3)).rejects.toThrow("did not start");
      await lab.startOne("mds", 3);
      await until("all are there again", isWhole);
    },
    TEST_MS,
  );
});
