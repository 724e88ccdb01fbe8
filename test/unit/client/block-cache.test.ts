import { describe, expect, test } from "vitest";
import { equalBytes, Prng } from "../../../src/base/index.js";
import { BlockCache, type Cluster, type FileHandle } from "../../../src/client/index.js";
import { ClientWorld } from "./doubles/client-world.js";
import { CLUSTER_ID } from "./doubles/fake-mds.js";

const BLOCK = 65536;
const BLOCKS = 12;
const PLACE = { path: "/cache", megabytes: 2, clusterId: CLUSTER_ID };

/** A client with a read cache, on a host of that name. */
interface Reader {
  readonly cluster: Cluster;
  readonly cache: BlockCache;
}

async function reader(world: ClientWorld, name: string): Promise<Reader> {
  const { clock, disk } = world.host(name);
  const cache = await world.run(BlockCache.open({ clock, disk, log: world.log }, PLACE));
  const onClosed = (): Promise<void> => cache.close();
  return { cluster: await world.client(name, { blockCache: cache, buffered: true, onClosed }), cache };
}

const start = (): Promise<ClientWorld> => ClientWorld.start({ chunkBytes: 4 * BLOCK });

async function write(world: ClientWorld, bytes: Uint8Array, offset = 0, who = "writer"): Promise<void> {
  const cluster = await world.client(who);
  const handle = await world.run(cluster.fileSystem.open("/f", { access: "write", create: true }));
  await world.run(handle.write(bytes, offset));
  await world.run(handle.close());
  await world.run(cluster.close());
}

const open = (world: ClientWorld, { cluster }: Reader): Promise<FileHandle> =>
  world.run(cluster.fileSystem.open("/f"));

/** A little of each block, in an order that no reader in sequence has. */
async function readAll(world: ClientWorld, handle: FileHandle, expected: Uint8Array): Promise<void> {
  for (let i = 0; i < BLOCKS; i++) {
    const offset = ((i * 5) % BLOCKS) * BLOCK + 5000;
    const bytes = await world.run(handle.read(offset, 4096));
    expect(equalBytes(bytes, expected.subarray(offset, offset + 4096))).toBe(true);
  }
  await world.pass(1000);
}

/** Twice, so that every block is taken in. */
async function fillCache(world: ClientWorld, handle: FileHandle, expected: Uint8Array): Promise<void> {
  await readAll(world, handle, expected);
  await readAll(world, handle, expected);
}

/** How many blocks come from the cache while everything is read once. */
async function hitsOf(
  world: ClientWorld,
  { cache }: Reader,
  handle: FileHandle,
  expected: Uint8Array,
): Promise<number> {
  const before = cache.status.hits;
  await readAll(world, handle, expected);
  return cache.status.hits - before;
}

async function filled(): Promise<{ world: ClientWorld; ann: Reader; handle: FileHandle; bytes: Uint8Array }> {
  const world = await start();
  const bytes = world.bytes(BLOCKS * BLOCK);
  await write(world, bytes);
  const ann = await reader(world, "ann");
  const handle = await open(world, ann);
  await fillCache(world, handle, bytes);
  return { world, ann, handle, bytes };
}

describe("the read cache", () => {
  test("has what is read for the third time, also after the file was closed and opened again", async () => {
    const { world, ann, handle, bytes } = await filled();
    expect(ann.cache.status.blocksUsed).toBe(BLOCKS);
    expect(await hitsOf(world, ann, handle, bytes)).toBe(BLOCKS);
    await world.run(handle.close());
    expect(await hitsOf(world, ann, await open(world, ann), bytes)).toBe(BLOCKS);
  });

  test("takes nothing of who reads in sequence, and gives whole blocks and ranges of them", async () => {
    const { world, handle, bytes, ann } = await filled();
    const before = ann.cache.status.hits;
    const some = await world.run(handle.read(5 * BLOCK + 100, 2 * BLOCK));
    expect(equalBytes(some, bytes.subarray(5 * BLOCK + 100, 7 * BLOCK + 100))).toBe(true);
    expect(ann.cache.status.hits).toBe(before + 3);

    const bob = await reader(world, "bob");
    for (let round = 0; round < 2; round++) {
      const scan = await open(world, bob);
      for (let at = 0; at < bytes.length; at += BLOCK) await world.run(scan.read(at, BLOCK));
      await world.run(scan.close());
    }
    await world.pass(1000);
    expect(bob.cache.status.blocksUsed).toBeLessThan(3);
  });

  test("is not used by files whose attribute says so", async () => {
    const { world, ann, handle, bytes } = await filled();
    await world.run(ann.cluster.fileSystem.inodes.setStorage(handle.ino, { clientSsdCache: false }));
    await world.run(handle.close());
    expect(await hitsOf(world, ann, await open(world, ann), bytes)).toBe(0);
    expect(ann.cache.status.blocksUsed).toBe(0);
  });

  test("gives nothing that was written over, by others who have gone or have not", async () => {
    const { world, ann, handle, bytes } = await filled();
    bytes.set(world.bytes(100), 3 * BLOCK + 6000);
    await write(world, bytes.subarray(3 * BLOCK + 6000, 3 * BLOCK + 6100), 3 * BLOCK + 6000);
    await readAll(world, handle, bytes);

    const bob = await world.client("bob");
    const writer = await world.run(bob.fileSystem.open("/f", { access: "write" }));
    for (let i = 0; i < BLOCKS; i++) {
      bytes[i * BLOCK + 5001] = 77;
      await world.run(writer.write(Uint8Array.of(77), i * BLOCK + 5001));
    }
    await readAll(world, handle, bytes);
    expect(await hitsOf(world, ann, handle, bytes)).toBe(0);
    await world.run(writer.close());
    await world.run(handle.close());
    await readAll(world, await open(world, ann), bytes);
  });

  test("gives nothing that a writer wrote over that died before it reported anything", async () => {
    const { world, ann, handle, bytes } = await filled();
    await world.run(handle.close());
    const bob = await world.client("bob");
    const writer = await world.run(bob.fileSystem.open("/f", { access: "write" }));
    bytes.set(world.bytes(1000), 2 * BLOCK + 5000);
    await world.run(writer.write(bytes.subarray(2 * BLOCK + 5000, 2 * BLOCK + 6000), 2 * BLOCK + 5000));
    world.host("bob").crash();
    await world.pass(20_000);
    world.mds.expireSessions();
    await readAll(world, await open(world, ann), bytes);
  });

  test("gives nothing that was cut off, and grew again as zeros", async () => {
    const { world, ann, handle, bytes } = await filled();
    await world.run(handle.close());
    const bob = await world.client("bob");
    await world.run(bob.fileSystem.truncate("/f", 2 * BLOCK + 100));
    await world.run(bob.fileSystem.truncate("/f", bytes.length));
    bytes.fill(0, 2 * BLOCK + 100);
    await readAll(world, await open(world, ann), bytes);
  });

  test("goes on having what its own client did not touch while it was the only writer", async () => {
    const { world, ann, handle, bytes } = await filled();
    await world.run(handle.close());
    const writer = await world.run(ann.cluster.fileSystem.open("/f", { access: "write" }));
    bytes.set(world.bytes(10), 4 * BLOCK + 5000);
    await world.run(writer.write(bytes.subarray(4 * BLOCK + 5000, 4 * BLOCK + 5010), 4 * BLOCK + 5000));
    await world.run(writer.flush());
    expect(await hitsOf(world, ann, writer, bytes)).toBe(BLOCKS - 1);
    await world.run(writer.close());
    expect(await hitsOf(world, ann, await open(world, ann), bytes)).toBe(BLOCKS - 1);
  });
});

describe("the file of a read cache", () => {
  test("is used again by the next process, whether it was closed in order or killed", async () => {
    const { world, ann, bytes } = await filled();
    await world.run(ann.cluster.close());
    const second = await reader(world, "ann");
    expect(await hitsOf(world, second, await open(world, second), bytes)).toBe(BLOCKS);
    world.host("ann").crash();
    world.host("ann").restart();
    const third = await reader(world, "ann");
    expect(await hitsOf(world, third, await open(world, third), bytes)).toBe(BLOCKS);
  });

  test("is empty after the power was lost, unless it had been closed", async () => {
    const { world, ann, handle, bytes } = await filled();
    world.host("ann").powerLoss();
    world.host("ann").restart();
    const second = await reader(world, "ann");
    expect(second.cache.status.blocksUsed).toBe(0);
    await fillCache(world, await open(world, second), bytes);
    await world.run(second.cluster.close());
    world.host("ann").powerLoss();
    world.host("ann").restart();
    const third = await reader(world, "ann");
    expect(await hitsOf(world, third, await open(world, third), bytes)).toBe(BLOCKS);
    expect([ann.cache.status.failures, handle.ino > 0]).toEqual([0, true]);
  });

  test("says nothing about files that were written while nobody used it", async () => {
    const { world, ann, bytes } = await filled();
    await world.run(ann.cluster.close());
    bytes.set(world.bytes(100), 5000);
    await write(world, bytes.subarray(5000, 5100), 5000);
    const second = await reader(world, "ann");
    const handle = await open(world, second);
    expect(await hitsOf(world, second, handle, bytes)).toBe(0);
  });

  test("may rot: what is wrong in it is read from the cluster", async () => {
    const { world, ann, handle, bytes } = await filled();
    const prng = new Prng(3);
    for (let i = 0; i < 50; i++) world.host("ann").media.rot("/cache", prng);
    await readAll(world, handle, bytes);
    expect(ann.cache.status.wrongBlocks).toBeGreaterThan(0);
    await world.run(ann.cluster.close());
    for (let i = 0; i < 50; i++) world.host("ann").media.rot("/cache", prng);
    const second = await reader(world, "ann");
    await fillCache(world, await open(world, second), bytes);
  });

  test("may be cut, its disk may fail and fill up: nobody hears of it but the log, once", async () => {
    const { world, ann, handle, bytes } = await filled();
    const { disk, diskFaults } = world.host("ann");
    const cut = await world.run(disk.open("/cache", "read-write", "test"));
    await world.run(cut.truncate(BLOCK, "test"));
    await readAll(world, handle, bytes);
    diskFaults.add({ label: "cache.block.write", effect: "no_space" });
    diskFaults.add({ label: "cache.block.read", effect: "io_error" });
    for (let i = 0; i < 3; i++) await readAll(world, handle, bytes);
    expect(ann.cache.status.failures).toBeGreaterThan(0);
    await world.run(ann.cluster.close());
    expect(world.log.lines.filter(({ level }) => level === "warn").length).toBe(1);
  });

  test("is left alone if it is something else, and of another size or cluster it is made anew", async () => {
    const { world, ann, bytes } = await filled();
    await world.run(ann.cluster.close());
    const { disk, clock } = world.host("ann");
    const { log } = world;
    const opened = (place: Partial<typeof PLACE>): Promise<BlockCache> =>
      world.run(BlockCache.open({ clock, disk, log }, { ...PLACE, ...place }));
    const other = await opened({ megabytes: 3 });
    expect([other.isOn, other.status.blocksUsed]).toEqual([true, 0]);
    await world.run(other.close());
    const stranger = await opened({ clusterId: "another" });
    expect([stranger.isOn, stranger.status.blocksUsed]).toEqual([true, 0]);
    await world.run(stranger.close());
    await world.run(disk.replaceFile("/letters", bytes, "test"));
    const letters = await opened({ path: "/letters" });
    expect(letters.status.offReason).toMatch(/not a read cache/);
    expect(equalBytes(await world.run(disk.readFile("/letters", "test")), bytes)).toBe(true);
  });
});

test.each([11, 12, 13])(
  "whatever two caching clients and a third one do, no read is stale (seed %i)",
  async (seed) => {
    const world = await start();
    const prng = new Prng(seed);
    const truth = world.bytes(BLOCKS * BLOCK);
    await write(world, truth);
    const names = ["ann", "bob"] as const;
    const readers = new Map<string, Reader>();
    const handles = new Map<string, FileHandle>();
    const handleOf = async (name: string): Promise<FileHandle> => {
      const one = readers.get(name) ?? (await reader(world, name));
      readers.set(name, one);
      const access = prng.chance(0.3) ? "write" : "read";
      const handle =
        handles.get(name) ?? (await world.run(one.cluster.fileSystem.open("/f", { access, buffered: true })));
      handles.set(name, handle);
      return handle;
    };
    const forget = async (name: string): Promise<void> => {
      await world.run(handles.get(name)?.close() ?? Promise.resolve());
      handles.delete(name);
    };
    let hits = 0;
    for (let step = 0; step < 250; step++) {
      const name = prng.pick(names);
      const block = 3 + prng.below(4);
      const offset = block * BLOCK + prng.below(BLOCK - 4096);
      const handle = await handleOf(name);
      const draw = prng.below(40);
      if (draw < 30) {
        for (const other of [2, 0, 3, 1, 2, 0]) {
          const at = ((block + other) % 4) * BLOCK + 3 * BLOCK + (offset % 50_000);
          const bytes = await world.run(handle.read(at, 4096));
          expect(equalBytes(bytes, truth.subarray(at, at + 4096)), `step ${step}`).toBe(true);
        }
      } else if (draw < 32 && handle.access === "write") {
        const bytes = prng.bytes(1 + prng.below(4096));
        truth.set(bytes, offset);
        await world.run(handle.write(bytes, offset));
      } else if (draw === 32) {
        const bytes = prng.bytes(10);
        truth.set(bytes, offset);
        await write(world, bytes, offset);
      } else if (draw < 35) await forget(name);
      else if (draw === 36 && prng.chance(0.4)) {
        await forget(name);
        hits += readers.get(name)?.cache.status.hits ?? 0;
        if (prng.chance(0.5)) await world.run(readers.get(name)?.cluster.close() ?? Promise.resolve());
        else {
          world.host(name).crash();
          world.host(name).restart();
        }
        readers.delete(name);
        await world.pass(20_000);
        world.mds.expireSessions();
      } else await world.pass(prng.below(300));
    }
    for (const { cache } of readers.values()) hits += cache.status.hits;
    expect(hits).toBeGreaterThan(50);
  },
);
