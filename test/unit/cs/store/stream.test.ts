import { expect, test } from "vitest";
import type { StoredReplica } from "../../../../src/cs/store/stored-replica.js";
import { StoreWorld } from "../world/store-world.js";

const MIB = 1 << 20;

/** 17 MiB in parts of one, and time for what goes on beside. */
async function stream(world: StoreWorld, replica: StoredReplica): Promise<void> {
  for (let i = 0; i < 17; i++) await world.write(replica, i * MIB, new Uint8Array(MIB).fill(i + 1));
  await world.world.simulator.runFor(1000);
}

test("the disk writes a stream while it comes, so that little is left for the sync", async () => {
  const world = await StoreWorld.made(1);
  const replica = await world.create(await world.open(), undefined, 64 * MIB);
  const { diskFaults } = world.host;
  await stream(world, replica);
  expect(diskFaults.labelsSeen).toContain("cs.data.sync-ahead");
  expect(diskFaults.labelsSeen).not.toContain("cs.data.sync");

  // What was written after it waits for a sync still.
  await world.run(replica.sync());
  expect(diskFaults.labelsSeen).toContain("cs.data.sync");
});

test("small writes are left to whoever syncs them", async () => {
  const world = await StoreWorld.made(1);
  const replica = await world.create(await world.open(), undefined, 64 * MIB);
  for (let i = 0; i < 300; i++) await world.write(replica, i * 65_536, new Uint8Array(65_536).fill(1));
  expect(world.host.diskFaults.labelsSeen).not.toContain("cs.data.sync-ahead");
});

test.each([
  { streamedMiB: 16, later: 0 },
  { streamedMiB: 15, later: 1 },
])(
  "a sync beside one that nobody waits for fails with it ($later MiB come during the sync)",
  async (plan) => {
    const world = await StoreWorld.made(1);
    const replica = await world.create(await world.open(), undefined, 64 * MIB);
    const { diskFaults } = world.host;
    diskFaults.add({ label: "cs.data.sync-ahead", effect: "io_error", times: 1 });
    const write = (i: number): Promise<void> => world.write(replica, i * MIB, new Uint8Array(MIB).fill(1));
    for (let i = 0; i < plan.streamedMiB; i++) await write(i);
    diskFaults.timing.syncMs = [50, 50];
    const outcome = replica.sync().then(
      () => "synced",
      (error: unknown) => String(error),
    );
    for (let i = 0; i < plan.later; i++) await write(plan.streamedMiB + i);
    expect(await world.run(outcome)).toContain("io_error");
  },
);

test("that the disk failed while nobody waited is told by the next sync, and by every other one", async () => {
  const world = await StoreWorld.made(1);
  const replica = await world.create(await world.open(), undefined, 64 * MIB);
  world.host.diskFaults.add({ label: "cs.data.sync-ahead", effect: "io_error", times: 1 });
  await stream(world, replica);
  for (let i = 0; i < 2; i++) await expect(world.run(replica.sync())).rejects.toThrow("io_error");
});
