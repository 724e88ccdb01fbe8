import { execFile } from "node:child_process";
import { appendFile, cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import type { Kv } from "../../src/io/index.js";
import { realWorld } from "../../src/io/real/index.js";
import { decodeEntry, decodeHardState, entryKey, HARD_STATE_KEY } from "../../src/mds/store/raft-records.js";
import type { ClusterStatus } from "../../src/meta/index.js";
import { ClusterHarness } from "./harness.js";
import { requireSame } from "./ordeal/busy-client.js";
import { Calls, eventually } from "./ordeal/calls.js";
import { chunkFiles, flipBits, hostsWithChunks } from "./ordeal/chunk-files.js";
import { leaderHostOf } from "./ordeal/mischief.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";
import { seededPrng } from "./ordeal/seed.js";
import { tellsOneStory } from "./ordeal/story.js";

/** Damage on disks, of chunks and of the metadata log. The tests tell one story on one cluster. */

const FILE = "/treasure";
const CSD = fileURLToPath(new URL("../../bin/csd.js", import.meta.url));

tellsOneStory();
const prng = seededPrng(import.meta.url);
const contents = prng.bytes(3_000_001);
/** Too long to live in the metadata. */
const CHUNK_FILE_BYTES = 30 * 4096;
const calls = new Calls();
let harness: ClusterHarness;
let cluster: Cluster;

beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 3, csCount: 4 });
  cluster = await connectTo(1);
  await cluster.admin.setConfig({ name: "mds.alloc.failed_pause", value: "0" });
  await cluster.fileSystem.setStorage("/", { replicas: 3, replicasMinimum: 2 });
  await cluster.fileSystem.writeFile(FILE, contents, { sync: true });
}, TEST_MS);

afterAll(async () => {
  await cluster?.close();
  await harness?.close();
});

function connectTo(host: number): Promise<Cluster> {
  const { lab } = harness;
  return connectCluster({ cluster: lab.clusterName, root: lab.root(host) });
}

/** Read on that host, which asks its own chunk server first. */
async function expectRead(host: number): Promise<void> {
  const reader = await connectTo(host);
  try {
    const found = await calls.run(`read on host ${host}`, () => reader.fileSystem.readFile(FILE));
    requireSame(FILE, contents, found, 0);
  } finally {
    await reader.close();
  }
}

const isHealthy = ({ chunks }: ClusterStatus): boolean => chunks.total > 0 && chunks.healthy === chunks.total;

/** A follower; the leader goes on. */
function followerHost(): number {
  const leader = leaderHostOf(harness.lab, cluster);
  return [1, 2, 3].find((host) => host !== leader) ?? 1;
}

/** Changes the Raft log of an MDS that is stopped. */
async function withRaftLog<T>(host: number, change: (kv: Kv) => Promise<T>): Promise<T> {
  const kv = await realWorld().disk.openKv(join(harness.lab.repository("mds", host), "raft"), "test");
  try {
    return await change(kv);
  } finally {
    await kv.close();
  }
}

/** What the daemon says when it does not start. */
async function refusalOfStart(kind: "mds" | "cs", host: number): Promise<string> {
  const error = await harness.lab.startOne(kind, host).then(
    () => undefined,
    (failure: Error) => failure,
  );
  if (error === undefined) throw new Error(`the ${kind} on host ${host} started`);
  return error.message;
}

/** Types the one command that the message names, as the operator of that host. */
async function follow(message: string, host: number): Promise<void> {
  const [, command = ""] = /: pstorage (-c \S+ make-mds --replace \d+ -r \S+)$/.exec(message.trim()) ?? [];
  const result = await harness.run(command.split(" "), { host });
  expect(result.errors).toBe("");
  expect(result.status).toBe(0);
}

/** What is typed when nothing is left to say what to do. */
async function replaceByHand(host: number, mdsId: number): Promise<void> {
  const directory = harness.lab.repository("mds", host);
  const result = await harness.run(["make-mds", "--replace", `${mdsId}`, "-r", directory], { host });
  expect(result).toMatchObject({ errors: "", status: 0 });
}

async function expectThreeMds(): Promise<void> {
  const isWhole = ({ mdsServers }: ClusterStatus): boolean =>
    mdsServers.length === 3 && mdsServers.every(({ status }) => status === "avail");
  await harness.until(isWhole, "three metadata servers are available");
}

/** The last `count` messages of the event log. */
async function events(count = 20): Promise<string[]> {
  return (await cluster.admin.getEvents({ after: 0, limit: count })).events.map(({ message }) => message);
}

/** How many bytes of the files differ. */
async function differing(path: string, before: Uint8Array): Promise<number> {
  const now = await readFile(path);
  return before.filter((byte, index) => now[index] !== byte).length;
}

test(
  "bits that flip in the data of a replica are never returned, and mended where somebody reads",
  async () => {
    const [bad] = await hostsWithChunks(harness.lab);
    if (bad === undefined) throw new Error("the file lies somewhere");
    const paths = await chunkFiles(harness.lab, bad, "data");
    const before = await Promise.all(paths.map((path) => readFile(path)));
    for (const path of paths) await flipBits(path, 64 * 1024);
    await expectRead(bad);
    for (const [index, path] of paths.entries())
      expect(await differing(path, before[index] ?? Buffer.alloc(0))).toBe(0);
    await eventually("the event log tells", async () =>
      (await events()).some((message) =>
        /^CS#\d+ has \d+ damaged blocks .* mended from other replicas$/.test(message),
      ),
    );
    await harness.until((status) => isHealthy(status), "the file has three replicas still");
    const flags = (await cluster.admin.status()).chunkServers.map((server) => server.flags);
    expect(flags.filter((flag) => flag === "h")).toHaveLength(1);
  },
  TEST_MS,
);

test(
  "a scrub finds what nobody reads, mends it, and says how far it is",
  async () => {
    const hosts = await hostsWithChunks(harness.lab);
    const [, bad] = hosts;
    if (bad === undefined) throw new Error("the file lies on several hosts");
    const paths = await chunkFiles(harness.lab, bad, "data");
    const before = await Promise.all(paths.map((path) => readFile(path)));
    for (const path of paths) await flipBits(path, 700_001, 5);
    const damaged = await harness.run(["scrub", "start"], { host: 1 });
    expect(damaged.errors).toBe("");
    expect(damaged.output).toMatch(/CS#1025 reads everything again\nCS#1026 /);
    const isOver = async (): Promise<boolean> => {
      const { chunkServers } = await cluster.admin.scrubStatus();
      return chunkServers.every(
        ({ isRunning, beganMs, endedMs }) => !isRunning && beganMs > 0 && endedMs >= beganMs,
      );
    };
    await eventually("every server has read everything", isOver);
    for (const [index, path] of paths.entries())
      expect(await differing(path, before[index] ?? Buffer.alloc(0))).toBe(0);
    const shown = await harness.run(["scrub", "status"], { host: 1 });
    expect(shown.output).toMatch(
      /CSID STATUS SCRUB BEGAN +ENDED +CHECKED DAMAGED QUARANTINED\n1025 active idle /,
    );
    const listed = JSON.parse((await harness.run(["scrub", "--json"], { host: 1 })).output);
    expect(
      listed.reduce((sum: number, { damagedCount }: { damagedCount: number }) => sum + damagedCount, 0),
    ).toBeGreaterThan(0);
    for (const host of [1, 2, 3, 4]) await expectRead(host);
  },
  TEST_MS,
);

test(
  "an operator sees where a file is, how its replicas are, and what will be done about them",
  async () => {
    const info = JSON.parse((await harness.run(["file-info", "-p", FILE, "--json"], { host: 1 })).output);
    expect(info.chunks).toHaveLength(1);
    const [chunk] = info.chunks;
    expect(chunk).toMatchObject({ index: 0, state: "healthy", replicas: 3, replicasMinimum: 2 });
    const roles = chunk.members.map(
      ({ role, status }: { role: string; status: string }) => `${role} ${status}`,
    );
    expect(roles).toEqual(["complete active", "complete active", "complete active"]);
    const text = (await harness.run(["file-info", "-p", FILE], { host: 1 })).output;
    expect(text).toMatch(/INDEX CHUNK STATE +VERSION REPLICAS\n +0 +\d+ healthy +\d+ CS#\d+ CS#\d+ CS#\d+/);
    const one = await harness.run(["chunk-info", String(chunk.chunkId), "--path"], { host: 1 });
    expect(one.output).toContain(`Path: ${FILE}`);
    expect(one.output).toMatch(/CS#\d+ complete active [0-9a-f]{16} 2\.9MB 0/);
    const verified = await harness.run(["verify", "-p", FILE], { host: 1 });
    expect(verified.output).toContain("whole and equal");
    expect(verified.status).toBe(0);
    expect((await harness.run(["repair", "--dry-run"], { host: 1 })).output).toContain(
      "nothing is to be done now",
    );
    for (const [line, sentence] of [
      ["chunk-info 999999", "there is no chunk 999999"],
      ["chunk-info xyz", '"xyz" is no chunk'],
      ["file-info -p /nobody", "/nobody"],
      ["verify -p /", "is a directory"],
      ["scrub stop", '"stop" is neither start nor status'],
      ["scrub start --cs 4711", "there is no CS#4711"],
      ["repair", "the cluster repairs by itself"],
    ] as const) {
      const refused = await harness.run(line.split(" "), { host: 1 });
      expect(refused.errors).toContain(sentence);
      expect(refused.errors.trimEnd().split("\n")).toHaveLength(1);
      expect(refused.status).toBe(1);
    }
  },
  TEST_MS,
);

test(
  "bits that flip in the checksums of a replica are noticed as well",
  async () => {
    const [bad] = await hostsWithChunks(harness.lab);
    if (bad === undefined) throw new Error("the file lies somewhere");
    // It forgets what it has in memory.
    await harness.lab.stopOne("cs", bad);
    for (const path of await chunkFiles(harness.lab, bad, "sums")) await flipBits(path, 512);
    await harness.lab.startOne("cs", bad);
    await expectRead(bad);
    await harness.until(isHealthy, "the file has three replicas again");
    for (const host of [1, 2, 3, 4]) await expectRead(host);
  },
  TEST_MS,
);

test(
  "where every replica is damaged the read fails, and what is whole around it is still read",
  async () => {
    await cluster.fileSystem.writeFile("/lost", contents.subarray(0, CHUNK_FILE_BYTES), { sync: true });
    const before = new Set(await everyDataFile());
    await cluster.fileSystem.writeFile("/doomed", contents.subarray(0, CHUNK_FILE_BYTES), { sync: true });
    const files = (await everyDataFile()).filter((path) => !before.has(path));
    expect(files).toHaveLength(3);
    for (const path of files) await flipBits(path, 1 << 30, 4096 + 17);
    const handle = await cluster.fileSystem.open("/doomed");
    await expect(handle.read(4096, 4096, { timeoutMs: PATIENCE_MS })).rejects.toMatchObject({
      failure: { code: "chunk_corrupt" },
    });
    requireSame("/doomed", contents.subarray(0, 4096), await handle.read(0, 4096), 0);
    // Nothing of it is thrown away, and everybody can see what is the matter.
    const verified = await harness.run(["verify", "-p", "/doomed", "--json"], { host: 1 });
    expect(verified.status).toBe(1);
    const { findings } = JSON.parse(verified.output);
    expect(findings.map(({ what }: { what: string }) => what)).toEqual(["damaged", "damaged", "damaged"]);
    const { output } = await harness.run(["file-info", "-p", "/doomed", "--json"], { host: 1 });
    expect(JSON.parse(output).chunks[0]).toMatchObject({ state: "healthy" });
    await eventually("the event log tells", async () =>
      (await events()).some((text) => /kept in quarantine/.test(text)),
    );
    await eventually("three replicas are in quarantine", async () => {
      const { chunkServers } = await cluster.admin.scrubStatus();
      return chunkServers.reduce((sum, { quarantinedCount }) => sum + quarantinedCount, 0) === 3;
    });
    await handle.close();
    await cluster.fileSystem.unlink("/doomed");
  },
  TEST_MS,
);

async function everyDataFile(): Promise<string[]> {
  return (await Promise.all([1, 2, 3, 4].map((host) => chunkFiles(harness.lab, host, "data")))).flat();
}

test(
  "a chunk server refuses a repository of another cluster, a damaged identity, and one that is served already",
  async () => {
    const { lab } = harness;
    const path = join(lab.repository("cs", 4), "identity.json");
    const before = await readFile(path, "utf8");
    await lab.stopOne("cs", 4);
    await writeFile(path, JSON.stringify({ ...JSON.parse(before), clusterId: "0".repeat(32) }));
    expect(await refusalOfStart("cs", 4)).toContain("of another cluster");
    await writeFile(path, before.slice(0, 40));
    // Its directory cannot even be told apart by its id.
    expect(await refusalOfStart("cs", 4)).toContain("is damaged");
    await writeFile(path, before);
    await lab.startOne("cs", 4);
    const second = await promisify(execFile)(process.execPath, [CSD, "-r", lab.repository("cs", 4)], {
      env: { ...process.env, ...lab.env(4) },
    }).catch((error: { stderr: string }) => error);
    expect(second.stderr).toContain("another process serves");
    await harness.until(
      ({ chunkServers }) => chunkServers.every(({ status }) => status === "active"),
      "all are back",
    );
  },
  TEST_MS,
);

test(
  "a copy of a chunk server's repository is refused on another host",
  async () => {
    const { lab } = harness;
    await lab.stopOne("cs", 4);
    await lab.stopOne("cs", 3);
    const own = join(lab.directory, "own");
    await cp(lab.repository("cs", 3), own, { recursive: true });
    await rm(lab.repository("cs", 3), { recursive: true });
    await cp(lab.repository("cs", 4), lab.repository("cs", 3), { recursive: true });
    await lab.startOne("cs", 4);
    await lab.startOne("cs", 3);
    const log = join(lab.repository("cs", 3), "logs/log");
    await eventually("the copy is refused", async () =>
      /belongs to another host.*refuses this chunk server/.test(await readFile(log, "utf8")),
    );
    await lab.stopOne("cs", 3);
    await rm(lab.repository("cs", 3), { recursive: true });
    await cp(own, lab.repository("cs", 3), { recursive: true });
    await lab.startOne("cs", 3);
    await harness.until(isHealthy, "everything is as before");
    await expectRead(3);
  },
  TEST_MS,
);

test(
  "a write of the Raft log that never completed is cut off, and the MDS goes on",
  async () => {
    const { lab } = harness;
    const host = followerHost();
    const raft = join(lab.repository("mds", host), "raft");
    await lab.kill("mds", host);
    const last = await withRaftLog(host, async (kv) => {
      let index = 0;
      for await (const { key } of kv.range({
        gte: entryKey(0),
        lt: entryKey(Number.MAX_SAFE_INTEGER),
        reverse: true,
        limit: 1,
      }))
        index = Number(Buffer.from(key).readBigUInt64BE(1));
      await kv.batch([{ type: "put", key: entryKey(index + 1), value: prng.bytes(40) }], {
        sync: true,
        label: "test",
      });
      return index;
    });
    expect(last).toBeGreaterThan(10);
    // Half a record of LevelDB's own log: 64 bytes were announced, 20 came.
    const [wal] = (await readdir(raft)).filter((name) => name.endsWith(".log"));
    if (wal === undefined) throw new Error("LevelDB has a log");
    await appendFile(join(raft, wal), Buffer.concat([Buffer.from([1, 2, 3, 4, 64, 0, 1]), prng.bytes(20)]));
    await lab.startOne("mds", host);
    const log = await readFile(join(lab.repository("mds", host), "logs/log"), "utf8");
    expect(log).toContain("cut a torn tail off the Raft log");
    await expectThreeMds();
    await calls.run("write", () => cluster.fileSystem.writeFile("/after the torn tail", "all is well"));
  },
  TEST_MS,
);

test(
  "a damaged committed entry stops the MDS, and doing what it says makes it whole",
  async () => {
    const { lab } = harness;
    const host = followerHost();
    await lab.stopOne("mds", host);
    await withRaftLog(host, async (kv) => {
      const commit = decodeHardState(kv.get(HARD_STATE_KEY) ?? new Uint8Array())?.commit ?? 0;
      const key = entryKey(commit - 1);
      const bytes = Uint8Array.from(kv.get(key) ?? []);
      expect(decodeEntry(bytes, commit - 1)).toBeDefined();
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      await kv.batch([{ type: "put", key, value: bytes }], { sync: true, label: "test" });
    });
    const message = await refusalOfStart("mds", host);
    expect(message).toMatch(/Raft log entry \d+ is damaged or missing, but committed/);
    await calls.run("write", () => cluster.fileSystem.writeFile("/by two", "a majority goes on"));
    await follow(message, host);
    await lab.startOne("mds", host);
    await expectThreeMds();
    await expectRead(host);
  },
  TEST_MS,
);

test(
  "damage inside the files of the Raft log stops the MDS, and doing what it says makes it whole",
  async () => {
    const { lab } = harness;
    const host = followerHost();
    await lab.stopOne("mds", host);
    const directory = join(lab.repository("mds", host), "raft");
    for (const name of await readdir(directory)) {
      if (/\.(log|ldb)$/.test(name)) await flipBits(join(directory, name), 997, 100);
    }
    await follow(await refusalOfStart("mds", host), host);
    await lab.startOne("mds", host);
    await expectThreeMds();
    await expectRead(host);
  },
  TEST_MS,
);

test(
  "an MDS whose log is gone does not come back under its old id",
  async () => {
    const { lab } = harness;
    const host = followerHost();
    for (const lost of [["raft", "state"], ["raft"]]) {
      await lab.stopOne("mds", host);
      for (const store of lost) await rm(join(lab.repository("mds", host), store), { recursive: true });
      await follow(await refusalOfStart("mds", host), host);
      await lab.startOne("mds", host);
      await expectThreeMds();
    }
    await expectRead(host);
  },
  TEST_MS,
);

test(
  "an MDS whose disk is gone is replaced by one command, as the same place under a new id, also if it was begun before",
  async () => {
    const { lab } = harness;
    const host = followerHost();
    const { id, directory } = await lab.service("mds", host);
    expect(
      (await harness.run(["make-mds", "--replace", `${id}`, "-r", directory], { host })).errors,
    ).toContain("is running");
    await lab.stopOne("mds", host);
    await rm(directory, { recursive: true });
    expect(await refusalOfStart("mds", host)).toContain("make-mds --replace");
    const other = await lab.service("mds", (host % 3) + 1);
    expect(
      (await harness.run(["make-mds", "--replace", `${id}`, "-r", other.directory], { host })).errors,
    ).toContain(`is the repository of MDS#${other.id}`);
    // As if the command had been interrupted in its middle.
    expect((await harness.run(["rm-mds", `${id}`], { host: other.host })).errors).toBe("");
    const again = await harness.run(["make-mds", "--replace", `${id}`, "-r", directory], { host });
    expect(again.errors).toContain("give the address of the new one with -a");
    const address = lab.mdsAddresses[host - 1] ?? "";
    const made = await harness.run(["make-mds", "--replace", `${id}`, "-a", address, "-r", directory], {
      host,
    });
    expect(made).toMatchObject({ errors: "", status: 0 });
    await lab.startOne("mds", host);
    await expectThreeMds();
    expect((await lab.service("mds", host)).id).toBeGreaterThan(id);
    await lab.stopOne("mds", host);
    await rm(directory, { recursive: true });
    await replaceByHand(
      host,
      (await harness.lab.status()).mdsServers.find((one) => one.address === address)?.mdsId ?? 0,
    );
    await lab.startOne("mds", host);
    await expectThreeMds();
  },
  TEST_MS,
);
