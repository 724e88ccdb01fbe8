import { expect, test } from "vitest";
import { defined } from "../../../../src/base/index.js";
import { chunkId, chunkVersion } from "../../../../src/chunk/index.js";
import type { ChunkStore } from "../../../../src/cs/store/chunk-store.js";
import { putFirstContents } from "../../../../src/cs/store/first-contents.js";
import type { StoredReplica } from "../../../../src/cs/store/stored-replica.js";
import { StoreWorld } from "../world/store-world.js";

const CHUNK = chunkId(7);
const CONTENTS = new Uint8Array([1, 2, 3]);
const BLOCK = new Uint8Array(4096);
BLOCK.set(CONTENTS);
const LONG = Uint8Array.from({ length: 50_000 }, (_, i) => 1 + (i % 250));
const find = (store: ChunkStore): StoredReplica => defined(store.find(CHUNK), "the replica is there");

/** As an install with contents makes it. */
async function begin(
  store: ChunkStore,
  chunkBytes: number,
  contents: Uint8Array = CONTENTS,
): Promise<StoredReplica> {
  const fresh = { chunkId: CHUNK, version: chunkVersion(1), chunkBytes, chain: [], needed: "all" as const };
  const replica = await store.create(fresh);
  await putFirstContents(replica, contents);
  return replica;
}

test("a replica that begins with contents has them, and ends with them, in a chunk of any size", async () => {
  for (const chunkBytes of [4096, 8 << 20]) {
    const world = await StoreWorld.made(chunkBytes);
    const replica = await world.run(begin(await world.open(), chunkBytes));
    expect(await world.read(replica, 0, 4096)).toEqual(BLOCK);
    expect(replica.highWaterBytes).toBe(3);
    expect(replica.record.needed).toBeUndefined();
  }
});

test("first contents of several blocks survive the loss of power whole", async () => {
  for (let seed = 0; seed < 10; seed++) {
    const world = await StoreWorld.made(seed);
    await world.run(begin(await world.open(), 65_536, LONG));
    world.host.powerLoss();
    const replica = find(await world.open());
    expect(replica.record.needed).toBeUndefined();
    expect(replica.highWaterBytes).toBe(LONG.length);
    const read = await world.read(replica, 0, 53_248);
    expect(read.subarray(0, LONG.length)).toEqual(LONG);
    expect(read.subarray(LONG.length).every((byte) => byte === 0)).toBe(true);
  }
});

test("first contents survive the loss of power in the moment in which they are confirmed", async () => {
  for (let seed = 0; seed < 20; seed++) {
    const world = await StoreWorld.made(seed);
    await world.run(begin(await world.open(), 8 << 20));
    world.host.powerLoss();
    const replica = find(await world.open());
    expect(replica.record.needed).toBeUndefined();
    expect(await world.read(replica, 0, 4096)).toEqual(BLOCK);
  }
});

test("a replica whose server died before its first contents were safe says that they are missing", async () => {
  let cutOffCount = 0;
  for (let seed = 0; seed < 60; seed++) {
    const world = await StoreWorld.made(seed);
    const store = await world.open();
    let isDone = false;
    void begin(store, 8 << 20).then(() => {
      isDone = true;
    });
    await world.world.simulator.runFor((seed % 20) / 4);
    const wasDone = isDone;
    if (seed % 2 === 0) world.host.powerLoss();
    else world.host.crash();
    const replica = (await world.open()).find(CHUNK);
    if (replica === undefined) {
      expect(wasDone).toBe(false);
      continue;
    }
    if (replica.record.needed === undefined) expect(await world.read(replica, 0, 4096)).toEqual(BLOCK);
    else cutOffCount++;
    if (wasDone) expect(replica.record.needed).toBeUndefined();
  }
  expect(cutOffCount).toBeGreaterThan(0);
});
