import { expect, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { BLOCK_BYTES, checksumsOf, REGION_BYTES } from "../../../../src/chunk/index.js";
import { regionsOf } from "../../../../src/cs/core/dirty-regions.js";
import { dataRuns, firstBlock } from "../../../../src/cs/store/checksum-page.js";
import type { StoredReplica } from "../../../../src/cs/store/stored-replica.js";
import { StoreWorld } from "../world/store-world.js";

const CHUNK_BYTES = 3 * REGION_BYTES;
const BLOCKS = CHUNK_BYTES / BLOCK_BYTES;

async function zero(replica: StoredReplica, offset: number, length: number): Promise<void> {
  const regions = regionsOf(offset, length);
  await replica.prepare(regions);
  await replica.zero(offset, length);
  replica.release(regions);
}

async function write(replica: StoredReplica, offset: number, bytes: Uint8Array): Promise<void> {
  const regions = regionsOf(offset, bytes.length);
  await replica.prepare(regions);
  await replica.write(offset, bytes, checksumsOf(bytes, 0), offset + bytes.length);
  replica.release(regions);
}

test.each([1, 2, 3, 4])("holes and data are found where a plain list has them (seed %i)", async (seed) => {
  const world = await StoreWorld.made(seed);
  const store = await world.open();
  const replica = await world.create(store, undefined, CHUNK_BYTES);
  const prng = new Prng(seed);
  const isData: boolean[] = new Array(BLOCKS).fill(false);
  for (let step = 0; step < 40; step++) {
    const first = prng.uint32() % BLOCKS;
    const count = 1 + (prng.uint32() % Math.min(100, BLOCKS - first));
    const offset = first * BLOCK_BYTES;
    if (prng.uint32() % 3 > 0) {
      await world.write(replica, offset, prng.bytes(count * BLOCK_BYTES));
      isData.fill(true, first, first + count);
    } else {
      await world.run(zero(replica, offset, count * BLOCK_BYTES));
      isData.fill(false, first, first + count);
    }
    for (let probe = 0; probe < 10; probe++) {
      const at = prng.uint32() % CHUNK_BYTES;
      const isHole = prng.uint32() % 2 === 0;
      const block = isData.findIndex((data, i) => (i + 1) * BLOCK_BYTES > at && data !== isHole);
      const expected = block < 0 ? CHUNK_BYTES : Math.max(at, block * BLOCK_BYTES);
      expect(await world.run(replica.seek(at, isHole))).toBe(expected);
    }
    const seen = await world.read(replica, offset, count * BLOCK_BYTES);
    for (let i = 0; i < count; i++) {
      const block = seen.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES);
      expect(block.some((byte) => byte !== 0)).toBe(isData[first + i]);
    }
  }
});

test("runs of data are those of a plain list", () => {
  const prng = new Prng(7);
  for (let round = 0; round < 200; round++) {
    const sums = new Uint32Array(prng.uint32() % 40).map(() => (prng.uint32() % 2) * 77);
    const bytes = new Uint8Array(sums.buffer);
    const blocks = dataRuns(bytes).flatMap(({ begin, end }) =>
      Array.from({ length: end - begin }, (_, i) => begin + i),
    );
    expect(blocks).toEqual([...sums.keys()].filter((block) => sums[block] !== 0));
    expect(firstBlock(bytes, true) ?? -1).toBe(sums.indexOf(0));
  }
});

test.each(Array.from({ length: 20 }, (_, seed) => seed))(
  "zeros up to the end take nothing from a write behind it that comes at the same time (seed %i)",
  async (seed) => {
    const world = await StoreWorld.made(seed);
    const replica = await world.create(await world.open(), undefined, CHUNK_BYTES);
    const prng = new Prng(seed);
    const half = 20 * BLOCK_BYTES;
    await world.write(replica, 0, prng.bytes(half));
    const bytes = prng.bytes(half);
    const writing = [0, 1, 2, 3].map(async (i) => {
      await world.host.clock.sleep("test", prng.float() / 2);
      await write(replica, half + (i * half) / 4, bytes.subarray((i * half) / 4, ((i + 1) * half) / 4));
    });
    await world.run(Promise.all([zero(replica, 0, half), ...writing]));

    expect(Buffer.compare(await world.read(replica, half, half), bytes)).toBe(0);
    expect(Buffer.compare(await world.read(replica, 0, half), new Uint8Array(half))).toBe(0);
  },
);
