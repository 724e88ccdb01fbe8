import { expect, test } from "vitest";
import { defined } from "../../../../src/base/index.js";
import { checksumsOf, chunkId, chunkVersion, csId } from "../../../../src/chunk/index.js";
import { Bitmap } from "../../../../src/cs/core/bitmap.js";
import { createRepository } from "../../../../src/cs/repository.js";
import type { ChunkStore } from "../../../../src/cs/store/chunk-store.js";
import { putFetched } from "../../../../src/cs/store/put-fetched.js";
import { TEST_CLUSTER } from "../world/constants.js";
import { StoreWorld } from "../world/store-world.js";

const CHUNK = chunkId(7);
const DATA = "/cs/chunks/07/0000000000000007.data";
const SUMS = "/cs/chunks/07/0000000000000007.sums";
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
const find = (store: ChunkStore) => defined(store.find(CHUNK), "the replica is there");
const IDENTITY = { clusterId: TEST_CLUSTER, clusterName: "test", csId: csId(1025), tier: 0 };

test("the data file has the chunk's bytes where they are in the chunk, and ends at the high-water mark", async () => {
  const world = await StoreWorld.made(1);
  const replica = await world.create(await world.open());
  await world.write(replica, 8192, filled(4096, 5), 8292);

  const bytes = await world.run(world.host.disk.readFile(DATA, "test"));

  expect(bytes.length).toBe(8292);
  expect(bytes.subarray(8192)).toEqual(filled(100, 5));
});

test("after a crash of the process a dirty region is distrusted, and reads as it was written", async () => {
  const world = await StoreWorld.made(2);
  await world.write(await world.create(await world.open()), 0, filled(4096, 5));
  world.host.crash();
  const replica = find(await world.open());

  expect(replica.record.isSuspect).toBe(true);
  expect(replica.record.isHostCrashed).toBe(false);
  expect([...replica.record.suspectRegions]).toContain(0);
  expect(await world.read(replica, 0, 4096)).toEqual(filled(4096, 5));
});

test("a sync covers what a process that crashed had written, and so does cleaning", async () => {
  for (let seed = 100; seed < 120; seed++) {
    const world = await StoreWorld.made(seed);
    await world.write(await world.create(await world.open()), 0, filled(4096, 5));
    world.host.crash();
    const replica = find(await world.open());
    if (seed % 2 === 0) await world.run(replica.sync());
    else await world.run(replica.clean(replica.dirty.cleanable(Number.POSITIVE_INFINITY)));
    world.host.powerLoss();

    expect(await world.read(find(await world.open()), 0, 4096)).toEqual(filled(4096, 5));
  }
});

test("after a loss of power what was dirty is distrusted as lost with the host", async () => {
  const world = await StoreWorld.made(3);
  const replica = await world.create(await world.open());
  await world.write(replica, 0, filled(4096, 5));
  await world.run(replica.sync());
  world.host.powerLoss();
  const after = find(await world.open());

  expect(after.record.isHostCrashed).toBe(true);
  expect(await world.read(after, 0, 4096)).toEqual(filled(4096, 5));
});

test("a region that was written before, and is only marked beside a writer now, becomes clean and reads as it was", async () => {
  const world = await StoreWorld.made(12);
  const store = await world.open();
  const first = await world.create(store);
  for (const region of [0, 1, 2]) await world.write(first, region << 20, filled(4096, 5));
  await world.run(first.clean(first.dirty.cleanable(Number.POSITIVE_INFINITY)));
  await world.run(store.close(true));

  const replica = find(await world.open());
  for (const region of [0, 1]) await world.write(replica, region << 20, filled(4096, 6));
  expect(replica.dirty.has(2)).toBe(true);
  await world.run(replica.clean(replica.dirty.cleanable(Number.POSITIVE_INFINITY)));
  expect(replica.dirty.count).toBe(0);
  world.host.powerLoss();

  const after = find(await world.open());
  expect(after.record.isSuspect).toBe(false);
  for (const region of [0, 1, 2])
    expect(await world.read(after, region << 20, 4096)).toEqual(filled(4096, region === 2 ? 5 : 6));
});

test("a region that was cleaned is trusted after a loss of power", async () => {
  const world = await StoreWorld.made(4);
  const replica = await world.create(await world.open());
  await world.write(replica, 0, filled(4096, 5));
  await world.run(replica.clean(replica.dirty.cleanable(Number.POSITIVE_INFINITY)));
  // The mark is dropped lazily: any later synced batch carries it.
  await world.run(
    replica.install({ version: chunkVersion(2), chain: [], needed: undefined, endSuspicion: false }),
  );
  await world.run(replica.sync());
  world.host.powerLoss();
  const after = find(await world.open());

  expect(after.record.isSuspect).toBe(false);
  expect(await world.read(after, 0, 4096)).toEqual(filled(4096, 5));
});

test("distrust survives further restarts until a newer version is installed", async () => {
  const world = await StoreWorld.made(5);
  await world.write(await world.create(await world.open()), 0, filled(4096, 5));
  world.host.crash();
  const suspect = await world.open();
  await world.run(find(suspect).clean(find(suspect).dirty.cleanable(Number.POSITIVE_INFINITY)));
  await world.run(suspect.close(true));
  world.host.crash();
  const again = find(await world.open());
  expect(again.record.isSuspect).toBe(true);

  await world.run(
    again.install({ version: chunkVersion(2), chain: [], needed: undefined, endSuspicion: true }),
  );

  expect(again.record.isSuspect).toBe(false);
  expect(again.record.suspectRegions.isEmpty).toBe(true);
});

test("what a crash of the host may have taken is missing until the replica was filled", async () => {
  const world = await StoreWorld.made(21);
  await world.write(await world.create(await world.open(), chunkId(7), 32 << 20), 0, filled(4096, 5));
  world.host.powerLoss();
  const replica = find(await world.open());
  const install = (version: number, needed: Bitmap | undefined) =>
    world.run(replica.install({ version: chunkVersion(version), chain: [], needed, endSuspicion: false }));
  const { isHostCrashed, suspectRegions } = replica.record;
  expect([isHostCrashed, suspectRegions.has(20)]).toEqual([true, false]);

  await install(2, Bitmap.of(20));
  expect(replica.record.isHostCrashed).toBe(true);
  await install(3, undefined);
  expect(replica.record.isHostCrashed, "it was made the source instead").toBe(false);
  expect(replica.record.suspectRegions.has(20), "what it was to fetch differs from others").toBe(true);
});

test("after the disk failed, the next process distrusts what was dirty as if the host had crashed", async () => {
  const world = await StoreWorld.made(22);
  const store = await world.open();
  await world.write(await world.create(store), 0, filled(4096, 5));
  await world.run(Promise.all([store.noteEpoch(3), store.distrust(), store.noteEpoch(4)]));
  world.host.crash();
  const after = await world.open();

  expect(after.lastEnd).toBe("host_crash");
  expect(after.epoch).toBe(4);
  expect(find(after).record.isHostCrashed).toBe(true);
});

test("an orderly stop after the disk failed is none", async () => {
  const world = await StoreWorld.made(23);
  const store = await world.open();
  await world.run(store.distrust());
  await world.run(store.close(true));

  expect((await world.open()).lastEnd).toBe("host_crash");
});

test("an orderly stop leaves nothing to distrust", async () => {
  const world = await StoreWorld.made(6);
  const store = await world.open();
  const replica = await world.create(store);
  await world.write(replica, 0, filled(4096, 5));
  await world.run(replica.clean(replica.dirty.cleanable(Number.POSITIVE_INFINITY)));
  await world.run(store.close(true));
  world.host.powerLoss();
  const after = await world.open();

  expect(after.lastEnd).toBe("clean");
  expect(find(after).record.isSuspect).toBe(false);
  expect(await world.read(find(after), 0, 4096)).toEqual(filled(4096, 5));
});

test("a byte that changed on the disk makes the read fail", async () => {
  const world = await StoreWorld.made(7);
  const replica = await world.create(await world.open());
  await world.write(replica, 0, filled(8192, 5));
  await world.damage(DATA, 5000, filled(1, 6));

  await expect(world.read(replica, 4096, 4096)).rejects.toThrow("chunk_corrupt");
  expect(await world.read(replica, 0, 4096)).toEqual(filled(4096, 5));
});

async function cleanedAndClosed(seed: number): Promise<StoreWorld> {
  const world = await StoreWorld.made(seed);
  const store = await world.open();
  const replica = await world.create(store);
  await world.write(replica, 0, filled(4096, 5));
  await world.run(replica.clean(replica.dirty.cleanable(Number.POSITIVE_INFINITY)));
  await world.run(store.close(true));
  return world;
}

test.each([
  ["whose page is damaged", 4096 + 3],
  ["whose header is damaged", 2],
])("checksums %s make reads fail: nothing is accepted unchecked", async (_, offset) => {
  const world = await cleanedAndClosed(8);
  await world.damage(SUMS, offset, filled(1, 0xee));
  const replica = find(await world.open());

  await expect(world.read(replica, 0, 4096)).rejects.toThrow("chunk_corrupt");
});

test("a checksum file that is missing makes reads fail: written data never turn into zeros", async () => {
  const world = await cleanedAndClosed(9);
  await world.run(world.host.disk.remove(SUMS, "test"));
  const replica = find(await world.open());

  await expect(world.read(replica, 0, 4096)).rejects.toThrow("chunk_corrupt");
});

test("files whose replica was being removed are swept up after a crash", async () => {
  const world = await StoreWorld.made(10);
  const store = await world.open();
  await world.write(await world.create(store), 0, filled(4096, 5));
  world.host.diskFaults.add({ label: "cs.file.remove", effect: "crash" });
  void store.remove(CHUNK);
  await world.world.simulator.runUntil(() => !world.host.isAlive, "the crash");
  world.host.diskFaults.clear();
  const after = await world.open();

  expect(after.find(CHUNK)).toBeUndefined();
  expect(await world.run(world.host.disk.list("/cs/chunks/07", "test"))).toEqual([]);
});

test("zeros up to the end give the space back and keep the end", async () => {
  const world = await StoreWorld.made(11);
  const replica = await world.create(await world.open());
  await world.write(replica, 0, filled(1 << 20, 5));
  await world.run(replica.zero(4096, (1 << 20) - 4096));

  expect(replica.highWaterBytes).toBe(1 << 20);
  expect(await world.read(replica, 4096, 8192)).toEqual(filled(8192, 0));
  expect(await world.read(replica, 0, 4096)).toEqual(filled(4096, 5));
});

test("blocks filled from a source leave alone what the chain has changed", async () => {
  const world = await StoreWorld.made(12);
  const replica = await world.create(await world.open());
  await world.write(replica, 4096, filled(4096, 9));
  const checksums = new Uint8Array(4 * 256);
  checksums.set((await world.run(replica.read(4096, 4096))).checksums, 0);
  checksums.set((await world.run(replica.read(4096, 4096))).checksums, 4);
  const bytes = new Uint8Array(8192).fill(9, 0, 4096).fill(1, 4096);
  await world.run(replica.prepare([0]) ?? Promise.resolve());

  await world.run(putFetched(replica, 0, { bytes, checksums }, (block) => block !== 1, 8192));

  expect(await world.read(replica, 0, 8192)).toEqual(filled(8192, 9));
});

test("a repository is refused when its cluster is another one", async () => {
  const world = await StoreWorld.made(13);

  await expect(world.open("99999999-2222-4333-8444-555555555555")).rejects.toThrow("wrong_cluster");
});

test("a directory without identity.json is refused with advice", async () => {
  const world = await StoreWorld.made(14);
  await world.run(world.host.disk.remove("/cs/identity.json", "test"));

  await expect(world.open()).rejects.toThrow("is its disk mounted");
});

test("a repository of a format that is not known is refused", async () => {
  const world = await StoreWorld.made(15);
  const future = new TextEncoder().encode(JSON.stringify({ ...IDENTITY, formatVersion: 2 }));
  await world.run(world.host.disk.replaceFile("/cs/identity.json", future, "test"));

  await expect(world.open()).rejects.toThrow("format version 2");
});

test("a repository is not made over another one, nor beside lost+found or strange files", async () => {
  const world = await StoreWorld.made(16);
  const { disk } = world.host;
  await world.run(disk.makeDirectory("/mounted/lost+found", "test"));
  await world.run(disk.makeDirectory("/full/things", "test"));

  await expect(world.run(createRepository("/cs", IDENTITY, disk))).rejects.toThrow("exists");
  await expect(world.run(createRepository("/mounted", IDENTITY, disk))).rejects.toThrow("lost+found");
  await expect(world.run(createRepository("/full", IDENTITY, disk))).rejects.toThrow("not empty");
});

test("every start has a number of its own", async () => {
  const world = await StoreWorld.made(17);
  const first = (await world.open()).incarnation;
  world.host.crash();
  const second = (await world.open()).incarnation;
  world.host.powerLoss();

  expect([second - first, (await world.open()).incarnation - second]).toEqual([1, 1]);
});

test.each(["cs.state.write", "cs.record.recover", "cs.data.read", "cs.identity.read", "cs.records.open"])(
  "a crash at %s during the start is survived by the next start",
  async (label) => {
    const world = await StoreWorld.made(18);
    await world.write(await world.create(await world.open()), 0, filled(4096, 5));
    world.host.crash();
    world.host.diskFaults.add({ label, effect: "crash", times: 1 });
    await world.crashWhileOpening();
    world.host.diskFaults.clear();
    const after = find(await world.open());

    expect(after.record.isSuspect).toBe(true);
    expect(await world.read(after, 0, 4096)).toEqual(filled(4096, 5));
  },
);

test.each(["cs.state.write", "cs.record.recover", "cs.data.read", "cs.identity.read", "cs.records.open"])(
  "that the host crashed is still known after another crash at %s during the start",
  async (label) => {
    const world = await StoreWorld.made(19);
    const replica = await world.create(await world.open());
    await world.write(replica, 0, filled(4096, 5));
    world.host.powerLoss();
    world.host.diskFaults.add({ label, effect: "crash", times: 1 });
    await world.crashWhileOpening();
    world.host.diskFaults.clear();

    expect(find(await world.open()).record.isHostCrashed).toBe(true);
  },
);

test("a region is durably marked before anything in it is written", async () => {
  for (let seed = 20; seed < 30; seed++) {
    const world = await StoreWorld.made(seed);
    const replica = await world.create(await world.open());
    await world.write(replica, 5 << 20, filled(4096, 5));
    world.host.powerLoss();
    const after = find(await world.open());

    expect([...after.record.suspectRegions], `seed ${seed}`).toContain(5);
  }
});

test("a sync makes the version durable under which the data were written", async () => {
  for (let seed = 30; seed < 40; seed++) {
    const world = await StoreWorld.made(seed);
    const replica = await world.create(await world.open());
    const version = chunkVersion(2);
    await world.run(replica.install({ version, chain: [], needed: undefined, endSuspicion: false }));
    await world.write(replica, 0, filled(4096, 5));
    await world.run(replica.sync());
    world.host.powerLoss();

    expect(find(await world.open()).record.version, `seed ${seed}`).toBe(2);
  }
});

test("a sync while the file of a chunk is being made neither fails nor takes its name for safe", async () => {
  for (let step = 0; step < 30; step++) {
    const world = await StoreWorld.made(step);
    const store = await world.open();
    const replica = await world.create(store);
    const bytes = new Uint8Array(4096).fill(9);
    const writing = (async () => {
      await replica.prepare([0]);
      await replica.write(0, bytes, checksumsOf(bytes, 0), 4096);
      replica.release([0]);
    })();
    await world.world.simulator.runFor(step / 25);
    await world.run(replica.sync());
    await world.run(writing);
    await world.run(replica.sync());
    world.host.powerLoss();
    const found = (await world.open()).find(replica.chunkId);
    expect(found && (await world.read(found, 0, 4096))).toEqual(bytes);
  }
});
