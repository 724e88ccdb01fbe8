import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import { ClusterHarness } from "./harness.js";
import { BusyClient } from "./ordeal/busy-client.js";
import { Calls, eventually, inTime } from "./ordeal/calls.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";
import { say, seededPrng } from "./ordeal/seed.js";
import { tellsOneStory } from "./ordeal/story.js";

/**
 * The wall clocks of real daemons jump. The tests tell one story: each begins where the one before ended. OpenSSL looks at the
 * real clock all the same; what a certificate's time means is decided by ours.
 */

const HOUR_MS = 3_600_000;
const YEAR_MS = 365 * 24 * HOUR_MS;
const HOSTS = [1, 2, 3];
const JUMPS = 8;
const PRELOAD = pathToFileURL(join(import.meta.dirname, "ordeal/wrong-clock.mjs")).href;

tellsOneStory();
const prng = seededPrng(import.meta.url);
const calls = new Calls();
let harness: ClusterHarness;
let cluster: Cluster;

beforeAll(async () => {
  const before = process.env["NODE_OPTIONS"];
  process.env["NODE_OPTIONS"] = `--import ${PRELOAD}`;
  harness = await ClusterHarness.start({ mdsCount: 3, csCount: 3 });
  if (before === undefined) delete process.env["NODE_OPTIONS"];
  else process.env["NODE_OPTIONS"] = before;
  cluster = await connectCluster({ cluster: harness.lab.clusterName, root: harness.lab.root(1) });
  await cluster.fileSystem.setStorage("/", { replicas: 3, replicasMinimum: 2, chunkBytes: 8 << 20 });
}, TEST_MS);

afterAll(async () => {
  await cluster?.close();
  await harness?.close();
}, TEST_MS);

const jump = (host: number, offsetMs: number): Promise<void> =>
  writeFile(join(harness.lab.root(host), "clock-offset"), String(Math.round(offsetMs)));

async function events(): Promise<string> {
  return (await harness.run(["get-event"])).output;
}

test(
  "clocks that jump by hours, on all hosts and in both directions, end no session, no lease and no chunk server",
  async () => {
    const busy = new BusyClient(cluster.fileSystem, "/busy", calls, prng.fork());
    const { sessionId } = cluster;
    const before = await events();
    busy.start();
    for (let count = 0; count < JUMPS; count++) {
      await Promise.all(HOSTS.map((host) => jump(host, (prng.below(20) - 10) * HOUR_MS)));
      await sleep(1500);
      if (busy.failure !== undefined) throw busy.failure;
    }
    await inTime("the last calls", busy.stop(), PATIENCE_MS, calls);
    say(String(calls));
    expect(cluster.sessionId).toBe(sessionId);
    const { chunkServers, mdsServers } = await harness.lab.status(PATIENCE_MS);
    expect(chunkServers.map(({ status }) => status)).toEqual(["active", "active", "active"]);
    expect(mdsServers.map(({ status }) => status)).toEqual(["avail", "avail", "avail"]);
    // A list: what was told before is its beginning.
    expect((await events()).slice(before.length)).not.toMatch(/inactive|offline/);
  },
  TEST_MS,
);

test(
  "a clock that is years ahead keeps a server that starts out, which says why, and the others go on",
  async () => {
    for (const host of HOSTS) await jump(host, 0);
    await harness.lab.stopOne("cs", 3);
    process.env["NODE_OPTIONS"] = `--import ${PRELOAD}`;
    await jump(3, 30 * YEAR_MS);
    await harness.lab.startOne("cs", 3);
    delete process.env["NODE_OPTIONS"];
    const log = join(harness.lab.repository("cs", 3), "logs/log");
    await eventually("the chunk server says that a certificate has expired", async () =>
      /certificate.*expired/i.test(await readFile(log, "utf8")),
    );
    await calls.run("write", () => cluster.fileSystem.writeFile("/meanwhile", prng.bytes(100_000)));
    await jump(3, 0);
    await harness.until(
      ({ chunkServers }) => chunkServers.every(({ status }) => status === "active"),
      "it takes part when its clock is right again",
    );
  },
  TEST_MS,
);
