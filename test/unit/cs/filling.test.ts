import { expect, test } from "vitest";
import { BLOCK_BYTES, chunkVersion, rangeAround } from "../../../src/chunk/index.js";
import { Activity } from "../../../src/cs/activity.js";
import { Bitmap } from "../../../src/cs/core/bitmap.js";
import { Fill } from "../../../src/cs/core/fill.js";
import { Filling } from "../../../src/cs/filling.js";
import type { StoredReplica } from "../../../src/cs/store/stored-replica.js";
import { StoreWorld } from "./world/store-world.js";

/** A replica that holds data up to 9000, and kept it to be filled from a source that ends at `sourceEnd`. */
async function kept(
  sourceEnd: number,
): Promise<{ world: StoreWorld; stored: StoredReplica; filling: Filling }> {
  const world = await StoreWorld.made(1);
  const stored = await world.create(await world.open());
  await world.write(stored, 0, new Uint8Array(12_288).fill(5, 0, 9000), 9000);
  const needed = Bitmap.of();
  await world.run(stored.install({ version: chunkVersion(2), chain: [], needed, endSuspicion: false }));
  const fill = new Fill(needed);
  fill.describe({ highWaterBytes: sourceEnd, regions: Bitmap.of(0), suspectRegions: Bitmap.of() });
  const filling = new Filling(fill, stored, new Activity(), (_offset, _lengthBytes, _deadlineMs, act) =>
    act(),
  );
  return { world, stored, filling };
}

const change = (kind: "write" | "truncate", endBytes: number) =>
  ({ kind, offset: 0, lengthBytes: 4096, endBytes }) as Parameters<Filling["changed"]>[0];

test("a replica ends where its source does when it is filled, though it had more or less", async () => {
  for (const sourceEnd of [5000, 20_000]) {
    const { world, stored, filling } = await kept(sourceEnd);
    await world.run(filling.finish());
    expect(stored.highWaterBytes).toBe(sourceEnd);
    expect(stored.record.needed).toBeUndefined();
  }
});

test("a replica that is filled keeps what the chain wrote beyond its source's end meanwhile", async () => {
  const { world, stored, filling } = await kept(5000);
  filling.changed(change("write", 8000));
  await world.run(filling.finish());
  expect(stored.highWaterBytes).toBe(8000);
});

test("what the chain wrote is not overwritten by what is fetched, and what it left out between is", async () => {
  const { filling } = await kept(20_000);
  const extents = [0, 2].map((block) => ({ offset: block * BLOCK_BYTES, lengthBytes: BLOCK_BYTES }));

  filling.changed({ ...change("write", 12_288), kind: "extents", ...rangeAround(extents), extents });

  expect([0, 1, 2, 3].map((block) => filling.fill.isWanted(block))).toEqual([false, true, false, true]);
});

test("a replica that is filled ends at a cut, whether it came down the chain or with an install", async () => {
  const byChain = await kept(20_000);
  byChain.filling.changed(change("truncate", 3000));
  const byInstall = await kept(20_000);
  byInstall.filling.cut(3000);
  for (const { world, stored, filling } of [byChain, byInstall]) {
    await world.run(filling.finish());
    expect(stored.highWaterBytes).toBe(3000);
  }
});
