import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import { ClusterHarness } from "./harness.js";
import { requireSame } from "./ordeal/busy-client.js";
import { Calls, eventually, inTime } from "./ordeal/calls.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";
import { say, seededPrng } from "./ordeal/seed.js";

/** A metadata server that was away for so long that the others have not kept the log for it. */

const HOSTS = [1, 2, 3];
const FILE_BYTES = 60_000;
/** What the log is allowed to keep, and half of it again: `keepBytes` and `compactBytes` of the replica. */
const LOG_BYTES = 150 << 20;
/** A metadata server that held a snapshot of everything in memory would need more. */
const MEMORY_BYTES_MAX = 600 << 20;
const WORKERS = 4;

const prng = seededPrng(import.meta.url);
const calls = new Calls();
let harness: ClusterHarness;
let cluster: Cluster;

beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 3, csCount: 1 });
  const { clusterName } = harness.lab;
  cluster = await connectCluster({ cluster: clusterName, root: harness.lab.root(1), buffered: true });
}, TEST_MS);

afterAll(async () => {
  await cluster?.close();
  await harness?.close();
}, TEST_MS);

/** Writes small files, which are kept in the metadata, over and over; each is read back. */
class Load {
  writtenBytes = 0;
  #isOver = false;
  readonly #running = Promise.all(Array.from({ length: WORKERS }, (_, number) => this.#work(number)));

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #work(number: number): Promise<void> {
    const own = prng.fork();
    for (let round = 0; !this.#isOver; round++) {
      const path = `/small-${number}-${round % 200}`;
      const bytes = own.bytes(FILE_BYTES);
      await calls.run("write", () => cluster.fileSystem.writeFile(path, bytes));
      requireSame(path, bytes, await calls.run("read", () => cluster.fileSystem.readFile(path)), 0);
      this.writtenBytes += FILE_BYTES;
    }
  }
}

/** Of the process at its highest, bytes. */
function peakMemory(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}

test(
  "a metadata server that is far behind catches up by a snapshot under load: no call fails, and nobody's memory grows with it",
  async () => {
    const leader = await harness.leaderHost();
    const behind = HOSTS.find((host) => host !== leader) ?? 1;
    await harness.lab.stopOne("mds", behind);
    const load = new Load();
    const written = async (bytes: number): Promise<void> => {
      await eventually("enough is written", () => load.writtenBytes >= bytes || undefined, TEST_MS);
    };
    await written(LOG_BYTES);
    await harness.lab.startOne("mds", behind);
    await harness.until(
      ({ mdsServers }) => mdsServers.every(({ status }) => status === "avail"),
      "it has caught up",
    );
    const beforeBytes = load.writtenBytes;
    await written(beforeBytes + (2 << 20));
    await inTime("the last calls", load.stop(), PATIENCE_MS, calls);
    expect((await harness.run(["get-event"])).output).toContain("will do a full resync");
    const peaks = await Promise.all(
      HOSTS.map(async (host) => peakMemory((await harness.lab.service("mds", host)).pid ?? 0)),
    );
    say(
      `${calls}; peaks of memory: ${peaks.map((bytes) => `${Math.round(bytes / 2 ** 20)} MiB`).join(", ")}`,
    );
    expect(Math.max(...peaks)).toBeLessThan(MEMORY_BYTES_MAX);
    // It may lead now: what it has is the same.
    await harness.lab.kill("mds", leader);
    const other = HOSTS.find((host) => host !== leader && host !== behind) ?? 1;
    for (let index = 0; index < 10; index++) {
      const path = `/small-0-${index}`;
      const bytes = await calls.run("read", () => cluster.fileSystem.readFile(path));
      expect(bytes.length).toBe(FILE_BYTES);
    }
    await harness.lab.startOne("mds", leader);
    say(`${other} and ${behind} went on alone`);
  },
  TEST_MS,
);
