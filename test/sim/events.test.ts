import { describe, expect, test } from "vitest";
import { Prng } from "../../src/base/index.js";
import type { ClusterStatus } from "../../src/meta/index.js";
import { BY_LOOPS, patternOf, ROWS } from "../unit/mds/core/event-rows.js";
import { CS_DIRECTORY } from "./cluster/cs-node.js";
import { MdsNode } from "./cluster/mds-node.js";
import { SimCluster, type SimClusterOptions } from "./cluster/sim-cluster.js";

/** Events that loops of the leading metadata server tell, caused by what causes them in a machine room. */

const MIB = 2 ** 20;
/** Longer than a metadata server may be silent before it is told of. */
const LONG_MS = 15_000;

/** What was seen so far. */
const TOLD = new Set<string>();

class Room {
  readonly cluster: SimCluster;

  private constructor(cluster: SimCluster) {
    this.cluster = cluster;
  }

  static async open(options: Partial<SimClusterOptions>): Promise<Room> {
    return new Room(
      await SimCluster.create({ seed: 7, mdsCount: 1, csCount: 0, clientCount: 0, ...options }),
    );
  }

  run<T>(work: Promise<T>): Promise<T> {
    return this.cluster.simulator.run(work, "the test", { timeoutMs: 3_600_000 });
  }

  pass(ms: number): Promise<void> {
    return this.cluster.simulator.runFor(ms);
  }

  get files() {
    const [client] = this.cluster.clients;
    if (client?.cluster === undefined) throw new Error("a client was asked for");
    return client.cluster.fileSystem;
  }

  async status(): Promise<ClusterStatus> {
    return await this.run(this.cluster.operator.status());
  }

  async set(name: string, value: string): Promise<void> {
    await this.run(this.cluster.operator.setConfig({ name, value }));
  }

  /** A metadata server that follows. */
  follower(): MdsNode {
    const follower = this.cluster.mds.find((node) => !node.isLeader);
    if (follower === undefined) throw new Error("several metadata servers were asked for");
    return follower;
  }

  /** That many entries of the log. */
  async entries(count: number): Promise<void> {
    for (let done = 0; done < count; done += 200) {
      const values = Array.from({ length: Math.min(200, count - done) }, (_, index) => 600_000 + index);
      await this.run(
        Promise.all(
          values.map((value) =>
            this.cluster.operator.setConfig({ name: "mds.wd.maintenance_tout", value: String(value) }),
          ),
        ),
      );
    }
  }

  /** The log says it, as the list for operators has it: so many times altogether, or at least once. */
  async expectTold(message: string, count?: number): Promise<void> {
    const row = ROWS.find((one) => one.message === message);
    expect(row, "it is in docs/operating/events.md").toBeDefined();
    const { events } = await this.run(this.cluster.operator.getEvents({ after: 0, limit: 1000 }));
    const found = events.filter((event) => patternOf(message).test(event.message));
    const isKnown = (text: string): boolean => ROWS.some((one) => patternOf(one.message).test(text));
    expect(events.filter((event) => !isKnown(event.message))).toEqual([]);
    const all = events.map((event) => event.message).join("\n");
    if (count === undefined) expect(found.length, all).toBeGreaterThan(0);
    else expect(found, all).toHaveLength(count);
    TOLD.add(message);
    for (const { system, severity } of found)
      expect({ system, severity }).toEqual({ system: row?.system, severity: row?.severity });
  }
}

describe("metadata servers", () => {
  test("lead one after the other", async () => {
    const room = await Room.open({ mdsCount: 3 });
    await room.expectTold("MDS#N at ADDRESS became master");
    room.cluster.leader?.kill();
    await room.pass(LONG_MS);
    await room.expectTold("MDS#N at ADDRESS became master", 2);
  });

  test("are silent, and accept commits again", async () => {
    const room = await Room.open({ mdsCount: 3 });
    const follower = room.follower();
    follower.kill();
    await room.entries(1);
    await room.pass(LONG_MS);
    await room.expectTold("MDS#N (ADDRESS) didn't accept commits for N sec");
    await room.run(follower.start());
    await room.pass(LONG_MS);
    await room.expectTold("MDS#N (ADDRESS) accepts commits again");
  });

  test("lag behind, and catch up", async () => {
    const room = await Room.open({ mdsCount: 3 });
    const follower = room.follower();
    follower.host.diskFaults.timing.slowness = 2000;
    await room.entries(3000);
    await room.pass(LONG_MS);
    await room.expectTold("MDS#N (ADDRESS) lags behind for more than N rounds");
    follower.host.diskFaults.timing.slowness = 1;
    await room.pass(4 * LONG_MS);
    await room.expectTold("MDS#N (ADDRESS) has caught up");
  });

  test("are given all metadata, when they join and when they were away for too long", async () => {
    const room = await Room.open({ mdsCount: 3 });
    const follower = room.follower();
    follower.kill();
    await room.entries(21_000);
    await room.run(follower.start());
    await room.pass(LONG_MS);
    await room.expectTold("MDS#N (ADDRESS) state is outdated and will do a full resync");
    const fourth = new MdsNode(room.cluster.nodeWorld("mds4"));
    await room.run(room.cluster.joinMds(fourth));
    await room.pass(LONG_MS);
    await room.expectTold("MDS#N (ADDRESS) gets a full copy of the metadata");
  }, 120_000);
});

describe("chunk servers", () => {
  test.each([
    ["come back to their chunks", false],
    ["come back when their chunks are deleted", true],
  ])("are away on too many hosts, and %s", async (_, isDeleted) => {
    const config = { "mds.wd.max_offline_cs_hosts": "1" };
    const room = await Room.open({ csCount: 4, clientCount: 1, config });
    await room.run(room.files.setStorage("/", { replicas: 3, replicasMinimum: 1 }));
    await room.run(room.files.writeFile("/file", new Uint8Array(MIB).fill(7), { sync: true }));
    const [first, second] = room.cluster.chunkServers;
    first?.kill();
    second?.kill();
    await room.pass(2 * LONG_MS);
    await room.expectTold(
      "The cluster failed with N active, N inactive, N offline CS (mds.wd.max_offline_cs_hosts=N)",
    );
    await room.expectTold("Automatic replication is suppressed: REASON", 1);
    expect((await room.status()).health).toBe("failure");
    if (isDeleted) await room.run(room.files.unlink("/file"));
    await room.pass(LONG_MS);
    for (const server of [first, second]) if (server !== undefined) await room.run(server.start());
    await room.pass(2 * LONG_MS);
    await room.expectTold("Automatic replication goes on", 1);
    expect((await room.status()).health).toBe("healthy");
  });

  test("are full, and have space again", async () => {
    const room = await Room.open({
      csCount: 1,
      clientCount: 1,
      csCapacityBytes: 16 * MIB,
      config: { "mds.alloc.free_space_margin": "0", "mds.alloc.fill_margin": "50" },
    });
    await room.run(room.files.setStorage("/", { replicas: 1, replicasMinimum: 1, chunkBytes: MIB }));
    const writes = Array.from({ length: 20 }, (_, index) =>
      room.files.writeFile(`/file${index}`, new Uint8Array(MIB).fill(7), { sync: true }).then(
        () => undefined,
        () => undefined,
      ),
    );
    await room.pass(2 * LONG_MS);
    await room.expectTold("The cluster is out of space");
    for (let index = 0; index < 20; index++)
      await room.run(room.files.unlink(`/file${index}`)).catch(() => undefined);
    await room.run(Promise.all(writes));
    await room.pass(4 * LONG_MS);
    await room.expectTold("The cluster has free space again");
  });

  test("may not take more", async () => {
    const room = await Room.open({ csCount: 1, clientCount: 1 });
    await room.run(room.files.writeFile("/file", new Uint8Array(2 * MIB).fill(7), { sync: true }));
    await room.set("mds.alloc.capacity_max", "1");
    await room.pass(2 * LONG_MS);
    await room.expectTold("The cluster is out of space (mds.alloc.capacity_max is reached)");
    await room.set("mds.alloc.capacity_max", "100");
    await room.pass(2 * LONG_MS);
    await room.expectTold("The cluster has free space again");
  });

  /** Bits of all three replicas of a file flip, at the same place in each or not. Who reads any one of them finds out. */
  async function rotten(isSamePlace: boolean): Promise<Room> {
    const room = await Room.open({ csCount: 3, clientCount: 1 });
    await room.run(room.files.setStorage("/", { replicas: 3, replicasMinimum: 1 }));
    const bytes = new Prng(3).bytes(MIB);
    await room.run(room.files.writeFile("/file", bytes, { sync: true }));
    await room.pass(LONG_MS);
    for (const [index, { host }] of room.cluster.chunkServers.entries()) {
      const [path = ""] = host.media.paths(`${CS_DIRECTORY}/chunks`).filter((one) => one.endsWith(".data"));
      expect(host.media.rot(path, new Prng(isSamePlace ? 9 : 9 + index))).toBe(true);
    }
    const read = room.files.readFile("/file");
    if (isSamePlace) read.catch(() => undefined);
    else expect(Buffer.compare(await room.run(read), bytes)).toBe(0);
    await room.pass(2 * LONG_MS);
    return room;
  }

  test("mend a block out of other replicas", async () => {
    const room = await rotten(false);
    await room.expectTold("CS#N has a damaged block (in chunk N at byte N): 1 mended from other replicas", 1);
  });

  test("keep blocks that are whole nowhere", async () => {
    const room = await rotten(true);
    await room.expectTold(
      "CS#N has N damaged blocks (the last in chunk N at byte N): N whole in no replica, which are kept in quarantine",
    );
  });
});

test("every event that is told by a loop has its scene here", () => {
  expect([...TOLD].sort()).toEqual([...BY_LOOPS].sort());
});
