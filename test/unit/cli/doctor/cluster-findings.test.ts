import { describe, expect, test } from "vitest";
import { findingLines } from "../../../../src/cli/commands/host/doctor.js";
import { clockFinding, clusterFindings, listFindings } from "../../../../src/cli/doctor/cluster-findings.js";
import type { ClusterStatus, CsStatus, MdsStatus } from "../../../../src/meta/index.js";

const GB = 2 ** 30;
const mds = (mdsId: number, change: Partial<MdsStatus> = {}): MdsStatus => ({
  ...{ mdsId, address: `10.0.0.${mdsId}:2510`, isLeader: mdsId === 1, status: "avail", appliedIndex: 1 },
  ...{
    commitsPerSecond: 0,
    cpuPercent: 0,
    memoryBytes: 0,
    uptimeSeconds: 0,
    logTimePercent: 0,
    hasLoad: true,
  },
  ...change,
});
const cs = (number: number, change: Partial<CsStatus> = {}): CsStatus =>
  ({
    csId: 1024 + number,
    status: "active",
    address: `10.0.0.${number}:40000`,
    hostId: String(number),
    totalBytes: 100 * GB,
    freeBytes: 90 * GB,
    flags: "",
    ...change,
  }) as CsStatus;

const CHUNKS = {
  total: 5,
  healthy: 5,
  standby: 0,
  degraded: 0,
  urgent: 0,
  blocked: 0,
  pending: 0,
  offline: 0,
};

function status(change: Partial<ClusterStatus> = {}): ClusterStatus {
  const chunkServers = change.chunkServers ?? [1, 2, 3, 4].map((number) => cs(number));
  const totalBytes = chunkServers.reduce((sum, server) => sum + server.totalBytes, 0);
  const freeBytes = chunkServers.reduce((sum, server) => sum + server.freeBytes, 0);
  return {
    clusterName: "stor1",
    mdsServers: [1, 2, 3].map((id) => mds(id)),
    chunkServers,
    space: { totalBytes, freeBytes, allocatableBytes: totalBytes / 3, allocatableFreeBytes: freeBytes / 3 },
    chunks: CHUNKS,
    replicas: 3,
    replicasMinimum: 2,
    level: 2,
    levelHeldBy: [],
    ...change,
  } as ClusterStatus;
}

/** What mends something begins with what is typed. */
const COMMAND = /^(pstorage|pstorage-mdsd|pstorage-csd|npm|apt-get|rm) /;

/** What is not in order, `SEVERITY subject: text`. */
const troubles = (change?: Partial<ClusterStatus>): string[] =>
  clusterFindings(status(change))
    .filter(({ severity }) => severity !== "ok")
    .map(({ severity, subject, text, remedy }) => {
      expect(remedy, text).toMatch(COMMAND);
      return `${severity} ${subject}: ${text}`;
    });

describe("what the doctor sees in a cluster", () => {
  test("is nothing where nothing is wrong", () => {
    expect(troubles()).toEqual([]);
  });

  test("metadata servers that are alone, even, silent, behind, or on one host", () => {
    expect(troubles({ mdsServers: [mds(1)] })[0]).toContain("warn MDS: there is one metadata server");
    expect(troubles({ mdsServers: [mds(1), mds(2)] })[0]).toContain("no more than 1 do");
    const silent = [mds(1), mds(2), mds(3, { status: "unavail" })];
    expect(troubles({ mdsServers: silent })).toEqual(["fail MDS#3: it does not answer at 10.0.0.3:2510"]);
    const behind = [mds(1), mds(2), mds(3, { status: "stale" })];
    expect(troubles({ mdsServers: behind })[0]).toContain("warn MDS#3: it is stale");
    const together = [mds(1), mds(2), mds(3, { address: "10.0.0.2:2610" })];
    expect(troubles({ mdsServers: together })[0]).toContain("3 metadata servers on 2 hosts");
    const [placement] = clusterFindings(status({ mdsServers: together }));
    expect(placement?.remedy).toBe(
      "pstorage -c stor1 make-mds -a IP -r DIR on another host, then pstorage -c stor1 rm-mds 2",
    );
  });

  test("metadata servers that bs.list does not name, if it names any", () => {
    const found = (listed: readonly string[]): string[] =>
      listFindings(status(), listed).map(({ severity, subject, text }) => `${severity} ${subject}: ${text}`);
    expect(found(["10.0.0.1:2510"])).toEqual([
      "warn bs.list: it lacks 10.0.0.2:2510, 10.0.0.3:2510: this host finds nobody when the others are away",
    ]);
    expect(found(["10.0.0.1:2510", "10.0.0.2:2510", "10.0.0.3:2510"])).toEqual([]);
    expect(found([])).toEqual([]);
  });

  test("chunk servers that are silent, failed, or have found damage", () => {
    const others = [1, 2, 3, 4].map((number) => cs(number));
    const withOne = (change: Partial<CsStatus>): string[] =>
      troubles({ chunkServers: [...others, cs(5, change)] });
    expect(withOne({ status: "offline" })).toEqual(["fail CS#1029: it is offline (10.0.0.5:40000)"]);
    const resting = withOne({ status: "maintenance" })[0];
    expect(resting).toContain(
      "warn CS#1029: it was stopped in order (10.0.0.5:40000): nothing is replicated",
    );
    expect(withOne({ status: "failed", flags: "H" })).toEqual(["fail CS#1029: it has failed, flags H"]);
    expect(withOne({ flags: "h" })[0]).toContain("warn CS#1029: damaged blocks were found");
    expect(withOne({ freeBytes: GB })[0]).toContain("warn CS#1029: its disk is full but for 1GB");
    expect(withOne({ hostId: "1" })[0]).toContain(
      "fail host 1: several hosts have this id (10.0.0.1, 10.0.0.5)",
    );
  });

  test("too few copies, and too few places for them", () => {
    expect(troubles({ replicas: 1, replicasMinimum: 1 })[0]).toContain("the loss of a disk loses data");
    expect(troubles({ replicasMinimum: 3 })[0]).toContain("stops writers");
    expect(troubles({ chunkServers: [cs(1), cs(2)] })[0]).toContain(
      "fail copies: 2 chunk servers for 3 copies",
    );
    const twoHosts = [cs(1), cs(2), cs(3, { hostId: "2", address: "10.0.0.2:1" })];
    expect(troubles({ chunkServers: twoHosts })[0]).toContain("warn copies: 2 hosts for 3 copies");
    expect(troubles({ chunkServers: [cs(1), cs(2), cs(3)] })[0]).toContain("there is none to copy to");
  });

  test("space that is short, or that copies cannot use", () => {
    const full = [1, 2, 3, 4].map((number) => cs(number, { freeBytes: 10 * GB }));
    expect(troubles({ chunkServers: full })).toEqual(["warn space: 40GB of 400GB are free"]);
    const space = {
      totalBytes: 400 * GB,
      freeBytes: 300 * GB,
      allocatableBytes: 100 * GB,
      allocatableFreeBytes: 0,
      ...{ tiers: [], capacityBytes: 0, usedBytes: 0 },
    };
    expect(troubles({ space })[0]).toContain("warn balance: 100GB of 400GB cannot be used");
  });

  test("chunks that wait", () => {
    expect(troubles({ chunks: { ...CHUNKS, offline: 1 } as ClusterStatus["chunks"] })[0]).toContain(
      "fail chunks: 1 have no server",
    );
    expect(troubles({ chunks: { ...CHUNKS, blocked: 1 } as ClusterStatus["chunks"] })[0]).toContain(
      "writers wait",
    );
    expect(troubles({ chunks: { ...CHUNKS, degraded: 2 } as ClusterStatus["chunks"] })[0]).toContain(
      "warn chunks: 2 have fewer",
    );
  });

  test("who keeps the level of the cluster from being raised, a few by name", () => {
    const levelHeldBy = ["a", "b", "c", "d"].map((name) => `${name} knows level 1 only`);
    expect(troubles({ level: 1, levelHeldBy })).toEqual([
      "warn level: the cluster works at level 1; a higher one waits for: a knows level 1 only; b knows level 1 only; c knows level 1 only; and 1 more",
    ]);
  });

  test("a clock that is off by more than the answer took", () => {
    expect(clockFinding(10_000, 9_000, 12_000).severity).toBe("ok");
    expect(clockFinding(10_000, 10_500, 10_600).severity).toBe("ok");
    expect(clockFinding(10_000, 15_000, 15_100).text).toContain("5.0 s ahead of");
    expect(clockFinding(200_000, 10_000, 10_100)).toMatchObject({ severity: "fail", subject: "clock" });
  });
});

test("each finding is a line, and what mends it stands below", () => {
  const lines = findingLines([
    { severity: "ok", subject: "clock", text: "it agrees" },
    { severity: "fail", subject: "CS#1025", text: "it does not run", remedy: "pstorage-csd start" },
  ]);
  expect(lines).toEqual([
    "[OK]   clock    it agrees",
    "[FAIL] CS#1025  it does not run",
    "                -> pstorage-csd start",
    "1 to mend, 0 to think about",
  ]);
});
