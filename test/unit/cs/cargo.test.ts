import { expect, test } from "vitest";
import { defined, Prng } from "../../../src/base/index.js";
import { BLOCK_BYTES, chunkId } from "../../../src/chunk/index.js";
import { type Cargo, completePayload, storeChange } from "../../../src/cs/cargo.js";
import type { Change } from "../../../src/cs/core/chain-types.js";
import { regionsOf } from "../../../src/cs/core/dirty-regions.js";
import { blockRange, NO_PAYLOAD } from "../../../src/cs/merge-blocks.js";
import type { StoredReplica } from "../../../src/cs/store/stored-replica.js";
import { StoreWorld } from "./world/store-world.js";

const BLOCKS = 4;

/** Zeros in a range of bytes, as a chain has a server store them. */
async function punch(replica: StoredReplica, offset: number, lengthBytes: number): Promise<void> {
  const range = blockRange(offset, lengthBytes);
  const change = { kind: "zero", ...range, endBytes: range.offset + range.lengthBytes } as Change;
  const cargo: Cargo = { offset, lengthBytes, payload: NO_PAYLOAD, isDurable: false };
  const regions = regionsOf(range.offset, range.lengthBytes);
  await replica.prepare(regions);
  const payload = await completePayload(replica, change, cargo);
  await storeChange(replica, change, { ...cargo, payload });
  replica.release(regions);
}

/** With data behind the range, and as the last of the chunk. */
test.each([false, true])(
  "bytes beside zeros, in the same blocks, outlive a loss of power if they were synced (at the end: %s)",
  async (isTail) => {
    let changedCount = 0;
    for (let seed = 0; seed < 24; seed++) {
      const prng = new Prng(seed);
      const world = await StoreWorld.made(seed);
      const replica = await world.create(await world.open());
      const bytes = prng.bytes((BLOCKS + (isTail ? 0 : 1)) * BLOCK_BYTES).map((byte) => byte | 1);
      await world.write(replica, 0, bytes);
      await world.run(replica.sync());
      const begin = prng.below((BLOCKS - 1) * BLOCK_BYTES);
      const end = isTail && prng.chance(0.5) ? BLOCKS * BLOCK_BYTES : begin + 1 + prng.below(BLOCK_BYTES);
      await world.run(punch(replica, begin, end - begin));
      world.host.powerLoss();
      const after = defined((await world.open()).find(chunkId(7)), "the replica is there");
      const { bytes: seen } = await world.run(after.readUnverified(0, bytes.length));
      const outside = seen.findIndex((byte, at) => (at < begin || at >= end) && byte !== bytes[at]);
      expect(outside, `seed ${seed}, zeros from ${begin} to ${end}`).toBe(-1);
      if (seen.subarray(begin, end).some((byte) => byte === 0)) changedCount++;
    }
    expect(changedCount).toBeGreaterThan(5);
  },
);
