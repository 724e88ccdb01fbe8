import { describe, expect, test } from "vitest";
import { fromUtf8, toUtf8 } from "../../src/base/index.js";
import type { Cluster, InodeOperations } from "../../src/client/index.js";
import {
  type InodeNumber,
  MODE_DIRECTORY,
  MODE_FILE,
  MODE_SYMLINK,
  ROOT_INODE,
} from "../../src/meta/index.js";
import { SimCluster } from "./cluster/sim-cluster.js";
import { codeOf } from "./workloads/workload.js";

const FILE = { mode: MODE_FILE | 0o644 };
const DIRECTORY = { mode: MODE_DIRECTORY | 0o755 };
const name = toUtf8;

/** Three clients: the first keeps nothing, the second answers early, the third only keeps what it is told. */
class World {
  readonly cluster: SimCluster;

  constructor(cluster: SimCluster) {
    this.cluster = cluster;
  }

  static async create(mdsCount = 1): Promise<World> {
    const shape = { seed: 7, mdsCount, csCount: 3, clientCount: 3, earlyClients: [2], buffered: true };
    return new World(await SimCluster.create(shape));
  }

  client(number: number): Cluster {
    const cluster = this.cluster.clients[number - 1]?.cluster;
    if (cluster === undefined) throw new Error(`client ${number} is not connected`);
    return cluster;
  }

  inodes(number: number): InodeOperations {
    return this.client(number).fileSystem.inodes;
  }

  run<T>(work: Promise<T>): Promise<T> {
    return this.cluster.simulator.run(work, "the test", { timeoutMs: 60_000 });
  }

  /** Virtual milliseconds: none if the answer came at once. */
  async msOf(work: () => Promise<unknown>): Promise<number> {
    const beganMs = this.cluster.simulator.nowMs;
    await this.run(work());
    return this.cluster.simulator.nowMs - beganMs;
  }

  /** The second client, from all metadata servers. */
  cutOff(): void {
    const { clients, mds, world } = this.cluster;
    const ip = clients[1]?.host.ip ?? "";
    for (const { host } of mds) {
      world.network.cut(ip, host.ip);
      world.network.cut(host.ip, ip);
    }
  }

  /** The second client is alone with it, and has numbers for new inodes. */
  async ownDirectory(): Promise<InodeNumber> {
    const two = this.inodes(2);
    const { ino } = await this.run(two.create({ parent: ROOT_INODE, name: name("own"), ...DIRECTORY }));
    await this.run(two.create({ parent: ino, name: name("first"), ...FILE }));
    await this.cluster.simulator.runFor(100);
    return ino;
  }
}

const failing = (work: Promise<unknown>): Promise<string> => work.then(() => "ok", codeOf);

describe("a client that is alone with a directory", () => {
  test("makes, changes and removes what is in it without waiting for the metadata server", async () => {
    const world = await World.create(3);
    const two = world.inodes(2);
    const parent = await world.ownDirectory();

    expect(await world.msOf(() => two.create({ parent, name: name("f"), ...FILE }))).toBe(0);
    expect(await world.msOf(() => two.create({ parent, name: name("d"), ...DIRECTORY }))).toBe(0);
    const { ino: inner } = await two.lookup(parent, name("d"));
    const link = { parent: inner, name: name("l"), mode: MODE_SYMLINK | 0o777, target: name("f") };
    expect(await world.msOf(() => two.create(link))).toBe(0);
    const { ino } = await two.lookup(parent, name("f"));
    expect(
      await world.msOf(() => two.setAttributes(ino, { mode: 0o600, mtime: { seconds: 5, nanos: 6 } })),
    ).toBe(0);
    expect(await world.msOf(() => two.remove(inner, name("l"), false))).toBe(0);
    expect(await world.msOf(() => two.remove(parent, name("d"), true))).toBe(0);

    expect(await world.msOf(() => two.commit())).toBeGreaterThan(0);
    const seen = await world.run(world.inodes(1).lookup(parent, name("f")));
    expect(seen).toMatchObject({ ino, mode: MODE_FILE | 0o600, mtime: { seconds: 5, nanos: 6 } });
    expect(seen).toEqual(await world.run(two.getAttributes(ino)));
    expect(await world.run(failing(world.inodes(1).lookup(parent, name("d"))))).toBe("not_found");
    const told = await world.run(world.inodes(1).getAttributes(parent));
    expect(await world.run(two.getAttributes(parent))).toEqual(told);
  });

  test("is answered at once, or told that it has to wait and nothing was done", async () => {
    const world = await World.create(3);
    const two = world.inodes(2);
    const three = world.inodes(3);
    const parent = await world.ownDirectory();
    const file = { parent, name: name("f"), ...FILE };
    expect(three.createAtOnce(file)).toBeUndefined();
    expect(two.createAtOnce({ ...file, name: name("first") })).toBeUndefined();

    const made = two.createAndOpenAtOnce(file, "write");
    expect(two.createAndOpenAtOnce(file, "write")).toBeUndefined();
    const ino = made?.attributes.ino ?? ROOT_INODE;
    expect(made?.handle.writeAtOnce(name("x"), 0)).toBe(true);
    expect(made?.handle.releaseAtOnce()).toBe(true);
    expect(made?.handle.releaseAtOnce()).toBe(false);
    expect(two.setAttributesAtOnce(ino, { mode: 0o600 })?.mode).toBe(MODE_FILE | 0o600);
    expect(two.openAtOnce(ino, "read")?.readAtOnce(0, 10)).toEqual(name("x"));
    expect(two.createAtOnce({ parent, name: name("d"), ...DIRECTORY })?.linkCount).toBe(2);
    expect(two.removeAtOnce(parent, name("d"), false)).toBe(false);
    expect(two.removeAtOnce(parent, name("d"), true)).toBe(true);
    expect(two.removeAtOnce(parent, name("d"), true)).toBe(false);

    const seen = await world.run(world.inodes(1).lookup(parent, name("f")));
    expect(seen).toMatchObject({ ino, mode: MODE_FILE | 0o600, sizeBytes: 1 });
    expect(await world.run(failing(world.inodes(1).lookup(parent, name("d"))))).toBe("not_found");
    // Now the first client knows it too.
    expect(two.setAttributesAtOnce(ino, { mode: 0o644 })).toBeUndefined();
  });

  test("lets a kernel keep the attributes of a new file until it is written, and once more when that is told", async () => {
    const world = await World.create(3);
    const two = world.inodes(2);
    const parent = await world.ownDirectory();
    const made = two.createAndOpenAtOnce({ parent, name: name("f"), ...FILE }, "write");
    if (made === undefined) throw new Error("not made");
    const { handle, attributes } = made;
    expect(two.attributesValidMs(attributes)).toBeGreaterThan(0);
    expect(handle.writeAtOnce(name("x"), 0)).toBe(true);
    const written = await two.getAttributes(attributes.ino);
    expect(written.sizeBytes).toBe(1);
    expect(two.attributesValidMs(written)).toBe(0);
    await world.run(handle.flush());
    const told = await two.getAttributes(attributes.ino);
    expect(told.sizeBytes).toBe(1);
    expect(two.attributesValidMs(told)).toBeGreaterThan(0);
  });

  test("lists what it made there without asking, page by page, and once more asks when others made something", async () => {
    const world = await World.create(3);
    const two = world.inodes(2);
    const parent = await world.ownDirectory();
    for (const text of ["b", "a", "c", "\u00e9"]) await two.create({ parent, name: name(text), ...FILE });
    await two.remove(parent, name("b"), false);
    await two.create({ parent, name: name("d"), ...DIRECTORY });
    const list = async (after: string, limit: number): Promise<string> => {
      const page = await two.readDirectory(parent, name(after), limit, true);
      const names = page.entries.map(({ name, mode }) => `${fromUtf8(name)}:${mode.toString(8)}`);
      return `${names.join(" ")}${page.isEnd ? "" : " ..."}`;
    };
    expect(await world.msOf(() => list("", 100))).toBe(0);
    expect(await list("", 2)).toBe("a:100000 c:100000 ...");
    expect(await list("c", 2)).toBe("d:40000 first:100000 ...");
    expect(await list("first", 2)).toBe("\u00e9:100000");
    const mine = await list("", 0);
    expect(await world.run(two.commit().then(() => list("", 0)))).toBe(mine);

    await world.run(world.inodes(1).create({ parent, name: name("e"), ...FILE }));
    expect(await world.run(list("d", 2))).toBe("e:100000 first:100000 ...");
  });

  test("that has just written and closed a file there does not keep others waiting for a list of it", async () => {
    const world = await World.create(1);
    const parent = await world.ownDirectory();
    const write = async (): Promise<void> => {
      const { handle } = await world.inodes(2).createAndOpen({ parent, name: name("f"), ...FILE }, "write");
      await handle.write(name("x"), 0);
      await handle.release();
    };
    await world.run(write());
    for (const reader of [3, 1]) {
      const ms = await world.msOf(async () => {
        await world.inodes(reader).lookup(parent, name("f"));
        const { entries } = await world.inodes(reader).readDirectory(parent, name(""), 100, true);
        expect(entries.map((entry) => fromUtf8(entry.name))).toContain("f");
      });
      // Some round trips, and not until its holder lets go of the file by itself.
      expect(ms).toBeLessThan(200);
    }
  });

  test("has many changes carried out by few entries of the log", async () => {
    const world = await World.create(3);
    const parent = await world.ownDirectory();
    const two = world.inodes(2);
    const lastIndex = (): number => world.cluster.leader?.server?.replica.status().lastIndex ?? 0;
    const before = lastIndex();
    for (let i = 0; i < 100; i++) {
      const { ino } = await two.create({ parent, name: name(`f${i}`), ...FILE });
      await two.setAttributes(ino, { mode: 0o600 });
    }
    for (let i = 0; i < 50; i++) await two.remove(parent, name(`f${i}`), false);
    await world.run(two.commit());

    expect(lastIndex() - before).toBeLessThan(10);
    const { entries } = await world.run(world.inodes(1).readDirectory(parent, new Uint8Array(), 1000, true));
    expect(entries).toHaveLength(51);
    expect(entries.filter(({ attributes }) => attributes?.mode === (MODE_FILE | 0o600))).toHaveLength(50);
  });

  test("hears of what others change in what it made together with other things", async () => {
    const world = await World.create();
    const parent = await world.ownDirectory();
    const two = world.inodes(2);
    const made: InodeNumber[] = [];
    for (let i = 0; i < 10; i++) {
      const kind = i % 2 === 0 ? FILE : DIRECTORY;
      made.push((await two.create({ parent, name: name(`f${i}`), ...kind })).ino);
    }
    await world.run(two.commit());
    for (const ino of made) {
      await world.run(world.inodes(1).setAttributes(ino, { mode: 0o700 }));
      expect((await world.run(two.getAttributes(ino))).mode & 0o777).toBe(0o700);
    }
    for (const ino of made.filter((_, i) => i % 2 === 1)) {
      expect(await world.run(failing(two.lookup(ino, name("x"))))).toBe("not_found");
      await world.run(world.inodes(1).create({ parent: ino, name: name("x"), ...FILE }));
      expect((await world.run(two.lookup(ino, name("x")))).mode).toBe(MODE_FILE | 0o644);
    }
  });

  test("tells of a new file before it tells what is in it", async () => {
    const world = await World.create(3);
    const parent = await world.ownDirectory();
    const two = world.inodes(2);
    for (const lengthBytes of [100, 100_000]) {
      const file = { parent, name: name(`f${lengthBytes}`), ...FILE };
      const { handle, attributes } = await two.createAndOpen(file, "write");
      await world.run(handle.write(new Uint8Array(lengthBytes).fill(1), 0));
      await world.run(handle.sync());
      const told = await world.run(world.inodes(1).getAttributes(attributes.ino));
      expect(told.sizeBytes).toBe(lengthBytes);
    }
  });

  test("opens a new file at once, and its bytes arrive", async () => {
    const world = await World.create(3);
    const parent = await world.ownDirectory();
    const two = world.inodes(2);

    const ms = await world.msOf(async () => {
      const { handle } = await two.createAndOpen({ parent, name: name("f"), ...FILE }, "write");
      await handle.write(name("hello"), 0);
    });

    expect(ms).toBe(0);
    const { ino } = await world.run(world.inodes(1).lookup(parent, name("f")));
    const reader = await world.run(world.inodes(1).open(ino, "read"));
    expect(fromUtf8(await world.run(reader.read(0, 10)))).toBe("hello");
  });

  test.each([1, 3])(
    "shows everybody else what it has done, in whatever way they ask (client %i)",
    async (other) => {
      const world = await World.create(3);
      const parent = await world.ownDirectory();
      const [two, them] = [world.inodes(2), world.inodes(other)];
      const asks: ((file: string, ino: InodeNumber) => Promise<unknown>)[] = [
        (file) => them.lookup(parent, name(file)),
        async (file) => {
          const { entries } = await them.readDirectory(parent, new Uint8Array(), 100, true);
          if (!entries.some((entry) => fromUtf8(entry.name) === file))
            throw new Error(`${file} is not listed`);
        },
        (file) => them.resolvePath(name(`/own/${file}`), true),
        (_, ino) => them.getAttributes(ino),
        async (_, ino) => (await them.open(ino, "read")).close(),
        (file) => them.rename({ ...renaming(parent), fromName: name(file), toName: name(`${file}-moved`) }),
        (file) => them.remove(parent, name(file), false),
        (_, ino) => them.setAttributes(ino, { mode: 0o600 }),
      ];
      for (const [i, ask] of asks.entries()) {
        const { ino } = await world.run(two.create({ parent, name: name(`f${i}`), ...FILE }));
        await world.run(ask(`f${i}`, ino));
      }
    },
  );

  test("is not alone with it any more when somebody else has seen it", async () => {
    const world = await World.create(3);
    const parent = await world.ownDirectory();
    const [two, three] = [world.inodes(2), world.inodes(3)];
    expect(await world.run(failing(three.lookup(parent, name("f"))))).toBe("not_found");

    expect(await world.msOf(() => two.create({ parent, name: name("f"), ...FILE }))).toBeGreaterThan(0);
    expect(await world.msOf(() => three.lookup(parent, name("f")))).toBeGreaterThan(0);
  });

  test("loses what it did not sync when it dies, and everything after it", async () => {
    const world = await World.create(3);
    const parent = await world.ownDirectory();
    const two = world.inodes(2);
    await world.run(two.create({ parent, name: name("synced"), ...FILE }));
    await world.run(two.commit());
    world.cutOff();
    for (const lost of ["lost", "lost too"]) await two.create({ parent, name: name(lost), ...FILE });
    world.cluster.clients[1]?.kill();

    const { entries } = await world.run(world.inodes(1).readDirectory(parent, new Uint8Array(), 100, false));
    const names = entries.map((entry) => fromUtf8(entry.name));
    expect(names).toContain("synced");
    expect(names.filter((each) => each.startsWith("lost"))).toEqual([]);
  });

  test("comes through a change of leader with what it answered, before anybody else is served", async () => {
    const world = await World.create(3);
    const parent = await world.ownDirectory();
    const two = world.inodes(2);
    world.cluster.leader?.kill();
    for (let i = 0; i < 20; i++) await two.create({ parent, name: name(`f${i}`), ...FILE });

    const { entries } = await world.run(world.inodes(1).readDirectory(parent, new Uint8Array(), 100, false));
    expect(entries).toHaveLength(21);
    await world.run(two.commit());
  });

  test("that loses its session is told so by the next commit, once", async () => {
    const world = await World.create(3);
    const parent = await world.ownDirectory();
    const two = world.inodes(2);
    const losses = two.lossCount;
    world.cutOff();
    await two.create({ parent, name: name("lost"), ...FILE });
    const committing = failing(two.commit(losses));
    await world.cluster.simulator.runFor(20_000);
    world.cluster.world.network.heal();

    expect(await world.run(committing)).toBe("io_error");
    expect(await world.run(failing(two.commit(two.lossCount)))).toBe("ok");
    expect(await world.run(failing(two.lookup(parent, name("lost"))))).toBe("not_found");
  });
});

const renaming = (parent: InodeNumber) =>
  ({ fromParent: parent, toParent: parent, mode: "replace" }) as const;
