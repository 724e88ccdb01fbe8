import { describe, expect, test } from "vitest";
import { fromUtf8, toUtf8 } from "../../src/base/index.js";
import type { InodeOperations } from "../../src/client/index.js";
import { MODE_DIRECTORY, MODE_FILE, MODE_SYMLINK, ROOT_INODE } from "../../src/meta/index.js";
import { SimCluster } from "./cluster/sim-cluster.js";
import { codeOf } from "./workloads/workload.js";

const FILE = { mode: MODE_FILE | 0o644 };
const name = toUtf8;

/** One metadata server and three clients, of which the second and third cache. */
class World {
  readonly cluster: SimCluster;

  constructor(cluster: SimCluster) {
    this.cluster = cluster;
  }

  static async create(mdsCount = 1): Promise<World> {
    return new World(await SimCluster.create({ seed: 4, mdsCount, csCount: 1, clientCount: 3 }));
  }

  inodes(client: number): InodeOperations {
    const cluster = this.cluster.clients[client - 1]?.cluster;
    if (cluster === undefined) throw new Error(`client ${client} is not connected`);
    return cluster.fileSystem.inodes;
  }

  /** From all metadata servers, unnoticed. */
  cutOff(client: number): void {
    const { clients, mds, world } = this.cluster;
    const ip = clients[client - 1]?.host.ip ?? "";
    for (const { host } of mds) {
      world.network.cut(ip, host.ip);
      world.network.cut(host.ip, ip);
    }
  }

  get nowMs(): number {
    return this.cluster.simulator.nowMs;
  }

  run<T>(work: Promise<T>): Promise<T> {
    return this.cluster.simulator.run(work, "the test", { timeoutMs: 60_000 });
  }

  /** Virtual milliseconds: none if nobody was asked. */
  async msOf(work: () => Promise<unknown>): Promise<number> {
    const beganMs = this.nowMs;
    await this.run(work());
    return this.nowMs - beganMs;
  }
}

const failing = (work: Promise<unknown>): Promise<string> => work.then(() => "ok", codeOf);

describe("what a client keeps", () => {
  test("asking again for what has not changed costs no round trip", async () => {
    const world = await World.create();
    const two = world.inodes(2);
    const dir = await world.run(
      two.create({ parent: ROOT_INODE, name: name("d"), mode: MODE_DIRECTORY | 0o755 }),
    );
    const file = await world.run(two.create({ parent: dir.ino, name: name("f"), ...FILE }));
    const link = { parent: dir.ino, name: name("l"), mode: MODE_SYMLINK | 0o777, target: name("f") };
    const { ino } = await world.run(two.create(link));
    const asks: (() => Promise<unknown>)[] = [
      () => two.lookup(dir.ino, name("f")),
      () => failing(two.lookup(dir.ino, name("nothing"))),
      () => two.getAttributes(file.ino),
      () => two.readDirectory(dir.ino, new Uint8Array(), 100, true),
      () => two.readSymlink(ino),
      () => failing(two.getXattr(file.ino, name("security.capability"))),
      () => two.listXattrs(file.ino),
      () => two.resolvePath(name("/d/f"), true),
    ];
    for (const ask of asks) await world.run(ask());
    expect(await world.msOf(() => world.inodes(1).getAttributes(file.ino))).toBeGreaterThan(0);

    for (const ask of asks) expect(await world.msOf(ask)).toBe(0);
    expect(await failing(two.lookup(dir.ino, name("nothing")))).toBe("not_found");
    expect(await failing(two.getXattr(file.ino, name("security.capability")))).toBe("no_such_attribute");
  });

  test("what is not there costs no round trip: names of a directory all of which are known, extended attributes", async () => {
    const world = await World.create();
    const [one, two] = [world.inodes(1), world.inodes(2)];
    const dir = await world.run(
      two.create({ parent: ROOT_INODE, name: name("d"), mode: MODE_DIRECTORY | 0o755 }),
    );
    expect(await world.msOf(() => failing(two.lookup(dir.ino, name("f"))))).toBe(0);
    const file = await world.run(two.create({ parent: dir.ino, name: name("f"), ...FILE }));
    expect(await world.msOf(() => failing(two.lookup(dir.ino, name("g"))))).toBe(0);
    expect(await failing(two.lookup(dir.ino, name("g")))).toBe("not_found");
    expect(await world.msOf(() => failing(two.getXattr(file.ino, name("user.x"))))).toBe(0);
    expect(await world.msOf(() => two.listXattrs(file.ino))).toBe(0);

    await world.run(one.create({ parent: dir.ino, name: name("g"), ...FILE }));
    await world.run(one.setXattr(file.ino, name("user.x"), name("1"), "any"));
    expect((await world.run(two.lookup(dir.ino, name("g")))).ino).toBeGreaterThan(file.ino);
    expect(await world.run(two.getXattr(file.ino, name("user.x")))).toEqual(name("1"));
    expect(await world.run(two.listXattrs(file.ino))).toEqual([name("user.x")]);
    expect(await world.run(failing(two.lookup(dir.ino, new Uint8Array(256).fill(97))))).toBe("name_too_long");
  });

  test("a change by somebody else is seen at once, whatever was kept", async () => {
    const world = await World.create();
    const [one, two, three] = [world.inodes(1), world.inodes(2), world.inodes(3)];
    const file = await world.run(one.create({ parent: ROOT_INODE, name: name("f"), ...FILE }));
    for (const client of [two, three]) {
      await world.run(client.lookup(ROOT_INODE, name("f")));
      await world.run(failing(client.lookup(ROOT_INODE, name("g"))));
      await world.run(failing(client.getXattr(file.ino, name("user.x"))));
      await world.run(client.readDirectory(ROOT_INODE, new Uint8Array(), 100, true));
    }

    await world.run(one.setXattr(file.ino, name("user.x"), name("1"), "any"));
    for (const client of [two, three])
      expect(fromUtf8(await world.run(client.getXattr(file.ino, name("user.x"))))).toBe("1");
    await world.run(two.rename({ ...renaming, fromName: name("f"), toName: name("g") }));
    for (const client of [one, two, three]) {
      expect(await world.run(failing(client.lookup(ROOT_INODE, name("f"))))).toBe("not_found");
      expect((await world.run(client.lookup(ROOT_INODE, name("g")))).ino).toBe(file.ino);
      const { entries } = await world.run(client.readDirectory(ROOT_INODE, new Uint8Array(), 100, true));
      expect(entries.map((entry) => fromUtf8(entry.name))).toEqual(["g"]);
    }
    await world.run(three.setAttributes(file.ino, { mode: 0o600 }));
    for (const client of [one, two, three])
      expect((await world.run(client.getAttributes(file.ino))).mode).toBe(MODE_FILE | 0o600);
  });

  test("after a change of its own a client asks nobody, and knows the change", async () => {
    const world = await World.create();
    const two = world.inodes(2);
    await world.run(failing(two.lookup(ROOT_INODE, name("f"))));
    const { ino } = await world.run(two.create({ parent: ROOT_INODE, name: name("f"), ...FILE }));

    expect(await world.msOf(() => two.lookup(ROOT_INODE, name("f")))).toBe(0);
    expect(await world.msOf(() => two.getAttributes(ROOT_INODE))).toBe(0);
    expect((await two.getAttributes(ROOT_INODE)).sizeBytes).toBe(1);
    await world.run(two.remove(ROOT_INODE, name("f"), false));
    expect(await world.msOf(() => failing(two.lookup(ROOT_INODE, name("f"))))).toBe(0);
    expect(await failing(two.lookup(ROOT_INODE, name("f")))).toBe("not_found");
    expect(await world.run(failing(two.getAttributes(ino)))).toBe("not_found");
  });

  test("the size of a file that another client writes is never kept", async () => {
    const world = await World.create();
    const [one, two] = [world.inodes(1), world.inodes(2)];
    const made = await world.run(
      one.createAndOpen({ parent: ROOT_INODE, name: name("f"), ...FILE }, "write"),
    );
    const { ino } = made.attributes;
    for (const size of [1, 2, 3]) {
      await world.run(made.handle.write(Uint8Array.of(size), size - 1));
      expect((await world.run(two.getAttributes(ino))).sizeBytes).toBe(size);
    }
    await world.run(made.handle.close());
    expect((await world.run(two.getAttributes(ino))).sizeBytes).toBe(3);
    expect(await world.msOf(() => two.getAttributes(ino))).toBe(0);
  });

  test("a client that is gone holds up only what it knew, and no longer than its session lives", async () => {
    const world = await World.create();
    const [one, two] = [world.inodes(1), world.inodes(2)];
    const known = await world.run(one.create({ parent: ROOT_INODE, name: name("known"), ...FILE }));
    const other = await world.run(one.create({ parent: ROOT_INODE, name: name("other"), ...FILE }));
    await world.run(two.getAttributes(known.ino));
    world.cluster.clients[1]?.kill();

    expect(await world.msOf(() => one.setAttributes(other.ino, { mode: 0o600 }))).toBeLessThan(500);
    const ms = await world.msOf(() => one.setAttributes(known.ino, { mode: 0o600 }));
    expect(ms).toBeGreaterThan(500);
    expect(ms).toBeLessThan(20_000);
    expect(await world.msOf(() => one.setAttributes(known.ino, { mode: 0o644 }))).toBeLessThan(500);
  });

  test("a new leader answers as soon as everybody has come over, and what was kept before is gone", async () => {
    const world = await World.create(3);
    const [one, two] = [world.inodes(1), world.inodes(2)];
    const { ino } = await world.run(one.create({ parent: ROOT_INODE, name: name("f"), ...FILE }));
    await world.run(two.getAttributes(ino));
    world.cluster.leader?.kill();

    const ms = await world.msOf(() => one.setAttributes(ino, { mode: 0o600 }));
    expect(ms).toBeLessThan(10_000);
    expect((await world.run(two.getAttributes(ino))).mode).toBe(MODE_FILE | 0o600);
  });
});

describe("a client that is cut off while the leader changes", () => {
  test.each([0, 300, 600, 900])(
    "believes what the old leader told it only while the new one answers no change (%i ms later)",
    async (phaseMs) => {
      const world = await World.create(3);
      const [one, two] = [world.inodes(1), world.inodes(2)];
      const { ino } = await world.run(one.create({ parent: ROOT_INODE, name: name("f"), ...FILE }));
      await world.cluster.simulator.runFor(phaseMs);
      await world.run(two.getAttributes(ino));
      world.cutOff(2);
      world.cluster.leader?.kill();

      let isChanged = false;
      const changing = one.setAttributes(ino, { mode: 0o600 }).then(() => {
        isChanged = true;
      });
      const seen: string[] = [];
      const looking = async (): Promise<void> => {
        while (!isChanged || seen.at(-1) !== "timed_out") {
          const wasChanged = isChanged;
          const look = two.getAttributes(ino, { timeoutMs: 20 });
          seen.push(
            await look.then(
              ({ mode }) => (wasChanged && mode !== (MODE_FILE | 0o600) ? "old" : "true"),
              codeOf,
            ),
          );
          await world.cluster.operatorNode.host.clock.sleep("test", 10);
        }
      };
      await world.run(Promise.all([looking(), changing]));
      expect(seen[0], "it goes on with what it keeps").toBe("true");
      expect(seen).not.toContain("old");
    },
  );
});

const renaming = { fromParent: ROOT_INODE, toParent: ROOT_INODE, mode: "replace" } as const;
