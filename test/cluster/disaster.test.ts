import { createHash } from "node:crypto";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import type { ClusterStatus } from "../../src/meta/index.js";
import { ClusterHarness } from "./harness.js";
import { BusyClient } from "./ordeal/busy-client.js";
import { Calls, eventually, inTime } from "./ordeal/calls.js";
import { chunkFiles, flipBits } from "./ordeal/chunk-files.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";
import { say, seededPrng } from "./ordeal/seed.js";
import { tellsOneStory } from "./ordeal/story.js";

/**
 * The majority of the metadata servers is lost for good: first all of them, with a backup, then all but one. The tests tell one
 * story on one cluster: each begins where the one before ended.
 */

const HOSTS = [1, 2, 3];

tellsOneStory();
const prng = seededPrng(import.meta.url);
const calls = new Calls();
/** Path to SHA-256. */
const kept = new Map<string, string>();
const changed = prng.bytes(700_000);
let harness: ClusterHarness;
let cluster: Cluster;
let backup: string;
let replicasOfLater: number;

beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 3, csCount: 4 });
  cluster = await connect();
  await cluster.admin.setConfig({ name: "mds.alloc.failed_pause", value: "0" });
  await cluster.admin.setConfig({ name: "mds.recovery.settle_time", value: "5000" });
  await cluster.admin.setConfig({ name: "mds.session.lease_tout", value: "6000" });
  await cluster.fileSystem.setStorage("/", { replicas: 2, replicasMinimum: 1, chunkBytes: 1 << 20 });
  await cluster.fileSystem.mkdirp("/kept");
  for (let index = 0; index < 20; index++) {
    // The last one is deleted later, and has chunks: the contents of small files come back with the metadata.
    const bytes = prng.bytes(index === 19 ? 100_000 : prng.pick([10, 4096, 100_000, 3_000_000]));
    const path = `/kept/${index}`;
    await cluster.fileSystem.writeFile(path, bytes, { sync: true });
    kept.set(path, sha256(bytes));
  }
  backup = join(harness.lab.directory, "backup");
}, TEST_MS);

afterAll(async () => {
  await cluster?.close();
  await harness?.close();
});

function connect(): Promise<Cluster> {
  const { lab } = harness;
  return connectCluster({ cluster: lab.clusterName, root: lab.root(1) });
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function expectKept(): Promise<void> {
  for (const [path, wanted] of kept) {
    const bytes = await inTime(
      `read ${path}`,
      calls.run(`read ${path}`, () => cluster.fileSystem.readFile(path)),
      PATIENCE_MS,
      calls,
    );
    expect(sha256(bytes), path).toBe(wanted);
  }
}

async function expectDone(args: readonly string[], host = 1): Promise<string> {
  const result = await harness.run(args, { host });
  expect(result.errors).toBe("");
  expect(result.status).toBe(0);
  return result.output;
}

async function refusalOf(args: readonly string[], host = 1): Promise<string> {
  const result = await harness.run(args, { host });
  expect(result.status).toBe(1);
  return result.errors;
}

async function untilHealthy(what: string): Promise<ClusterStatus> {
  const isHealthy = ({ chunks }: ClusterStatus): boolean =>
    chunks.total > 0 && chunks.healthy === chunks.total;
  return await harness.until(isHealthy, what, PATIENCE_MS);
}

async function untilThreeMds(): Promise<void> {
  const isWhole = ({ mdsServers }: ClusterStatus): boolean =>
    mdsServers.length === 3 && mdsServers.every(({ status }) => status === "avail");
  await harness.until(isWhole, "three metadata servers are available");
}

const restoreArgs = (file: string, ...more: string[]): string[] => [
  "restore",
  file,
  "-r",
  harness.lab.repository("mds", 1),
  "-a",
  harness.lab.mdsAddresses[0] ?? "",
  ...more,
];

test(
  "a backup is made under load and no call fails; on standard output it is the same format",
  async () => {
    const busy = new BusyClient(cluster.fileSystem, "/busy", calls, prng.fork());
    busy.start();
    const until = calls.count + 100;
    await eventually("there is load", () => calls.count > until);
    const output = await expectDone(["backup", backup]);
    expect(output).toMatch(/the metadata at entry \d+ of the log/);
    expect(((await stat(backup)).mode & 0o777).toString(8), "it has the keys of the cluster").toBe("600");
    const piped = await harness.run(["backup", "-"]);
    expect(piped).toMatchObject({ errors: "", status: 0 });
    expect(piped.output.startsWith("PSTBACK1")).toBe(true);
    await inTime("the last calls", busy.stop(), PATIENCE_MS, calls);
  },
  TEST_MS,
);

test(
  "after the backup chunks move to other servers, files come, change and go",
  async () => {
    const files = cluster.fileSystem;
    await files.writeFile("/kept/changed", changed, { sync: true });
    await files.writeFile("/later", prng.bytes(2_500_000), { sync: true });
    await files.unlink("/kept/19");
    kept.delete("/kept/19");
    await cluster.admin.setConfig({ name: "mds.wd.offline_tout", value: "2000" });
    await cluster.admin.setConfig({ name: "mds.wd.maintenance_tout", value: "0" });
    for (const host of [1, 2]) {
      await harness.lab.stopOne("cs", host);
      const { id } = await harness.lab.service("cs", host);
      const isOffline = ({ chunkServers }: ClusterStatus): boolean =>
        chunkServers.some(({ csId, status }) => csId === id && status === "offline");
      await harness.until(isOffline, `CS#${id} is offline`);
      await untilHealthy("everything is replicated elsewhere");
      await harness.lab.startOne("cs", host);
      await untilHealthy("it is back");
    }
    await expectKept();
  },
  TEST_MS,
);

test(
  "a restore is refused while the cluster is led, into a directory that is used, and from a damaged or foreign backup",
  async () => {
    const { lab } = harness;
    const other = join(lab.directory, "elsewhere");
    const address = "127.0.0.1:1";
    const elsewhere = (file: string): string[] => ["restore", file, "-r", other, "-a", "127.0.0.1:19510"];
    expect(await refusalOf(elsewhere(backup))).toContain("the cluster has a leader");
    expect(await refusalOf(restoreArgs(backup))).toContain("already is a repository");
    const bytes = await readFile(backup);
    const damaged = `${backup}.damaged`;
    await writeFile(damaged, bytes);
    await flipBits(damaged, 1 << 30, Math.floor(bytes.length / 2));
    expect(await refusalOf(elsewhere(damaged))).toMatch(/this is no whole backup|not a snapshot/);
    await writeFile(damaged, bytes.subarray(0, bytes.length - 10));
    expect(await refusalOf(elsewhere(damaged))).toContain("it ends too early");
    await writeFile(damaged, "");
    expect(await refusalOf(elsewhere(damaged))).toContain("it ends too early");
    expect(await refusalOf(elsewhere(`${backup}.missing`))).toContain("cannot be read");
    expect(await refusalOf(["-c", "another", ...elsewhere(backup)])).toContain(
      `this is a backup of the cluster "${lab.clusterName}"`,
    );
    await expect(stat(other), `nothing is left behind of ${address}`).rejects.toThrow("ENOENT");
  },
  TEST_MS,
);

test(
  "all metadata servers are destroyed, and out of the backup every file that was not changed comes back",
  async () => {
    const { lab } = harness;
    await cluster.close();
    for (const host of HOSTS) {
      await lab.kill("mds", host);
      await rm(lab.repository("mds", host), { recursive: true });
    }
    replicasOfLater = await replicaFiles();
    const output = await expectDone(restoreArgs(backup));
    expect(output).toContain("is made from the backup of");
    await lab.startOne("mds", 1);
    cluster = await connect();
    const beganMs = performance.now();
    await expectKept();
    say(`all was read ${Math.round((performance.now() - beganMs) / 1000)} s after the first answer`);
    expect(await cluster.fileSystem.exists("/later")).toBe(false);
    const events = await expectDone(["get-event", "-n", "200"]);
    expect(events).toMatch(/The metadata were recovered from a backup of/);
  },
  TEST_MS,
);

test(
  "the group grows again, everything is written as before, and all that is left of the lost time is kept until its time is over",
  async () => {
    const { lab } = harness;
    for (const host of [2, 3]) {
      const directory = lab.repository("mds", host);
      await expectDone(["make-mds", "-a", lab.mdsAddresses[host - 1] ?? "", "-r", directory], host);
      await lab.startOne("mds", host);
    }
    await untilThreeMds();
    const bytes = prng.bytes(2_000_000);
    await calls.run("write", () => cluster.fileSystem.writeFile("/kept/new", bytes, { sync: true }));
    kept.set("/kept/new", sha256(bytes));
    await expectKept();
    // The names of what was deleted in the lost time are back, and nothing else of it.
    await eventually("all servers are heard", async () =>
      /Files with parts that nobody has:\n(?:.*\n)* {2}\/kept\/19$/m.test(await expectDone(["recovery"])),
    );
    await cluster.fileSystem.unlink("/kept/19");
    await expectDone(["fs", "rm", "-r", "/busy"]);
    expect(replicasOfLater).toBeGreaterThan(0);
    const before = await replicaFiles();
    expect(await expectDone(["recovery"])).toMatch(/only the lost time knew: +[1-9]\d*/);
    await cluster.admin.setConfig({ name: "mds.recovery.orphan_tout", value: "0" });
    await eventually(
      "what only the lost time knew is deleted",
      async () => (await expectDone(["recovery"])).match(/only the lost time knew: +0/) !== null,
    );
    await eventually("their files are gone", async () => (await replicaFiles()) <= before - 4);
    await untilHealthy("everything has its replicas");
    await expectKept();
  },
  TEST_MS,
);

async function replicaFiles(): Promise<number> {
  const files = await Promise.all([1, 2, 3, 4].map((host) => chunkFiles(harness.lab, host, "data")));
  return files.flat().length;
}

/** The host of a metadata server that has everything and does not lead. */
async function survivorHost(): Promise<number> {
  const leader = await harness.leaderHost();
  return HOSTS.find((host) => host !== leader) ?? 1;
}

test(
  "one survivor becomes a group of its own, but only when no majority is there",
  async () => {
    const { lab } = harness;
    const survivor = await survivorHost();
    const [first, second] = HOSTS.filter((host) => host !== survivor);
    const recover = ["make-mds", "--recover", "-r", lab.repository("mds", survivor)];
    expect(await refusalOf(recover, survivor)).toContain("is running");
    await lab.stopOne("mds", survivor);
    expect(await refusalOf(recover, survivor)).toContain("the cluster has a leader");
    await lab.kill("mds", first ?? 0);
    // Without a leader, but with a majority if the one that is asked is started.
    expect(await refusalOf(recover, survivor)).toContain("2 of 3 metadata servers are there");
    await cluster.close();
    await lab.kill("mds", second ?? 0);
    expect(await expectDone([...recover, "--dry-run"], survivor)).toMatch(/ends with entry \d+ of term \d+/);
    expect(await expectDone(recover, survivor)).toContain("begins a new group");
    await lab.startOne("mds", survivor);
    cluster = await connect();
    await expectKept();
    await calls.run("write", () => cluster.fileSystem.writeFile("/kept/alone", "one is enough"));
    kept.set("/kept/alone", sha256(new TextEncoder().encode("one is enough")));
  },
  TEST_MS,
);

test(
  "members of the old group that come late stop and say what to do, and doing it makes them members again",
  async () => {
    const { lab } = harness;
    const { mdsServers } = await harness.lab.status();
    const alone = lab.mdsAddresses.indexOf(mdsServers[0]?.address ?? "") + 1;
    for (const host of HOSTS.filter((one) => one !== alone)) {
      await lab.startOne("mds", host).catch(() => undefined);
      const fatal = join(lab.repository("mds", host), "logs/fatal-log");
      const pattern = /were recovered .*: pstorage (-c \S+ make-mds --replace \d+ -r \S+)\n/;
      const command = await eventually(
        "it says what to do",
        async () => pattern.exec(await readFile(fatal, "utf8"))?.[1],
      );
      await eventually("it has ended", async () => (await lab.service("mds", host)).pid === undefined);
      await expectDone(command.split(" "), host);
      await lab.startOne("mds", host);
    }
    await untilThreeMds();
    await untilHealthy("everything has its replicas");
    await expectKept();
    say(`${calls}`);
  },
  TEST_MS,
);
