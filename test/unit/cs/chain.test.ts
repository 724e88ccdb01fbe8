import { describe, expect, test } from "vitest";
import { defined } from "../../../src/base/index.js";
import {
  type ChainMember,
  type ChunkMap,
  type CsId,
  checksumsOf,
  chunkVersion,
} from "../../../src/chunk/index.js";
import { CHUNK, ChainWorld } from "./world/chain-world.js";
import { headOf } from "./world/toy-client.js";

const NOTHING = new Uint8Array(0);
const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

/** As `toEqual`, which takes its time over large arrays. */
function expectAll(contents: readonly Uint8Array[], expected: Uint8Array, count: number): void {
  expect(contents.map((one) => Buffer.compare(one, expected))).toEqual(new Array(count).fill(0));
}

function member(chain: ChainWorld, index: number): CsId {
  return defined(chain.csIds[index], "there are so many servers");
}

function addressOf(map: ChunkMap, index: number): string {
  return defined(map.chain[index], "the chain is so long").address;
}

test("what was written is read from every member of the chain", async () => {
  const chain = await ChainWorld.of(1, 3);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 0, filled(8192, 1)), "a write");
  await chain.run(chain.client.write(CHUNK, 100, filled(5000, 2)), "a write");

  const contents = await chain.contents(12_288);

  const expected = new Uint8Array(12_288);
  expected.fill(1, 0, 8192);
  expected.fill(2, 100, 5100);
  expect(contents).toEqual([expected, expected, expected]);
});

test("the high-water mark is exact to the byte on every member", async () => {
  const chain = await ChainWorld.of(2, 3);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 5000, filled(1234, 1)), "a write");

  expect(await chain.highWaters()).toEqual([6234, 6234, 6234]);
});

test("a truncation forgets what is behind it, to the byte, and what comes later starts from zeros", async () => {
  const chain = await ChainWorld.of(3, 3);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 0, filled(20_000, 1)), "a write");
  await chain.run(chain.mds.reinstall(CHUNK, 5000), "a truncation");

  expect(await chain.highWaters()).toEqual([5000, 5000, 5000]);
  await chain.run(chain.client.write(CHUNK, 9000, filled(10, 2)), "a write");
  const expected = new Uint8Array(9010);
  expected.fill(1, 0, 5000);
  expected.fill(2, 9000);
  expectAll(await chain.contents(9010), expected, 3);
});

test("a request under another version is refused as stale", async () => {
  const chain = await ChainWorld.of(4, 3);
  await chain.make();
  const old = await chain.run(chain.mds.map(CHUNK), "the map");
  await chain.run(chain.mds.reinstall(CHUNK), "a new version");
  const { client } = chain;
  const payload = filled(4096, 1);
  const checksums = checksumsOf(payload, 0);
  const body = { chunkId: CHUNK, version: old.version, ...client.newWriteId(), offset: 0, checksums };

  const write = client.send(headOf(old), { type: "write", body }, payload);
  const read = client.send(
    headOf(old),
    {
      type: "read",
      body: { chunkId: CHUNK, version: old.version, offset: 0, lengthBytes: 1, background: false },
    },
    NOTHING,
  );

  await expect(chain.run(write, "a write")).rejects.toThrow("stale_map");
  await expect(chain.run(read, "a read")).rejects.toThrow("stale_map");
});

test("a server without the chunk answers that the map is stale", async () => {
  const chain = await ChainWorld.of(5, 3);
  await chain.make(1 << 20, chain.csIds.slice(0, 2));
  const map = await chain.run(chain.mds.map(CHUNK), "the map");
  const body = { chunkId: CHUNK, version: map.version, offset: 0, lengthBytes: 1, background: false };

  const address = `${chain.host(member(chain, 2)).ip}:2600`;

  const read = chain.client.send(address, { type: "read", body }, NOTHING);

  await expect(chain.run(read, "a read")).rejects.toThrow("stale_map");
});

test("bytes that were damaged on the way are refused", async () => {
  const chain = await ChainWorld.of(6, 3);
  await chain.make();
  const map = await chain.run(chain.mds.map(CHUNK), "the map");
  const payload = filled(4096, 1);
  const checksums = checksumsOf(payload, 0);
  payload[17] = 9;
  const body = { chunkId: CHUNK, version: map.version, ...chain.client.newWriteId(), offset: 0, checksums };

  const write = chain.client.send(headOf(map), { type: "write", body }, payload);

  await expect(chain.run(write, "a write")).rejects.toThrow("damaged on the way");
  expect(await chain.highWaters()).toEqual([0, 0, 0]);
});

test("a write that is repeated is applied once, also at a new head", async () => {
  const chain = await ChainWorld.of(7, 3);
  chain.mds.isHealing = false;
  await chain.make();
  const { client } = chain;
  const ids = client.newWriteId();
  const first = filled(4096, 1);
  const send = async (): Promise<unknown> => {
    const map = await chain.mds.map(CHUNK);
    const body = {
      chunkId: CHUNK,
      version: map.version,
      ...ids,
      offset: 0,
      checksums: checksumsOf(first, 0),
    };
    return await client.send(headOf(map), { type: "write", body }, first);
  };
  await chain.run(send(), "a write");
  await chain.run(client.write(CHUNK, 0, filled(4096, 2)), "a later write");

  await chain.run(send(), "the first write again");
  chain.kill(member(chain, 0));
  await chain.healed(2);
  await chain.run(send(), "the first write again, at the new head");

  expect(await chain.contents(4096)).toEqual([filled(4096, 2), filled(4096, 2)]);
});

test("a read waits for a write that the rest of the chain has not acknowledged", async () => {
  const chain = await ChainWorld.of(8, 3);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 0, filled(4096, 1)), "a write");
  chain.mds.isHealing = false;
  chain.host(member(chain, 2)).pause();
  const write = chain.client.write(CHUNK, 0, filled(4096, 2));
  await chain.runFor(50);
  let isRead = false;
  const read = chain.client
    .read(CHUNK, 0, 4096, () => 0)
    .then((bytes) => {
      isRead = true;
      return bytes;
    });
  await chain.runFor(300);
  expect(isRead).toBe(false);

  // The second server reports the silent third one; the chain goes on without it.
  expect(await chain.run(read, "the read")).toEqual(filled(4096, 2));
  await chain.run(write, "the write");
  expect(chain.mds.reports.map(({ csId }) => csId)).toContain(member(chain, 2));
});

test.each([0, 1, 2])("kill -9 of member %i costs a writer tens of milliseconds", async (index) => {
  const chain = await ChainWorld.of(9, 3);
  await chain.make();
  chain.mds.isHealing = false;
  await chain.run(chain.client.write(CHUNK, 0, filled(4096, 1)), "a write");
  const writes = [1, 2, 3, 4].map((block) => chain.client.write(CHUNK, block * 4096, filled(4096, 2)));
  await chain.runFor(0.4);
  const startMs = chain.world.simulator.nowMs;
  chain.kill(member(chain, index));
  await chain.run(Promise.all(writes), "the writes");

  expect(chain.world.simulator.nowMs - startMs).toBeLessThan(100);
  const expected = filled(5 * 4096, 2).fill(1, 0, 4096);
  expectAll(await chain.contents(5 * 4096), expected, 2);
});

test("an orderly restart of an idle member costs no new version", async () => {
  const chain = await ChainWorld.of(10, 3);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 0, filled(4096, 1)), "a write");
  const { version } = await chain.run(chain.mds.map(CHUNK), "the map");
  for (const id of chain.csIds) {
    // As if the MDS had not noticed.
    chain.mds.attached.delete(id);
    await chain.run(defined(chain.servers.get(id), "it runs").close(), "a stop");
    chain.kill(id);
    await chain.start(id);
  }
  await chain.run(chain.client.write(CHUNK, 4096, filled(4096, 2)), "a write");

  expect((await chain.run(chain.mds.map(CHUNK), "the map")).version).toBe(version);
  const expected = filled(8192, 2).fill(1, 0, 4096);
  expectAll(await chain.contents(8192), expected, 3);
});

test("what was cut off stays so after the loss of power of all hosts at once, though nobody synced", async () => {
  for (const seed of [5, 6, 7, 8]) {
    const chain = await ChainWorld.of(seed, 2);
    await chain.make();
    await chain.run(chain.client.write(CHUNK, 0, filled(20_000, 1)), "a write");
    await chain.run(chain.client.sync(CHUNK), "a sync");
    await chain.run(chain.mds.reinstall(CHUNK, 0), "a truncation");
    await chain.run(chain.mds.reinstall(CHUNK), "a version that cuts nothing");
    for (const id of chain.csIds) chain.powerLoss(id);
    for (const id of chain.csIds) await chain.start(id);
    await chain.healed(2);
    await chain.run(chain.client.write(CHUNK, 20_000, filled(10, 2)), "a write");
    const expected = filled(20_010, 0);
    expected.fill(2, 20_000);
    expectAll(await chain.contents(20_010), expected, 2);
  }
});

test("what was synced survives the loss of power of all hosts at once", async () => {
  const chain = await ChainWorld.of(11, 3);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 100, filled(70_000, 1)), "a write");
  await chain.run(chain.client.sync(CHUNK), "a sync");
  for (const id of chain.csIds) chain.powerLoss(id);
  for (const id of chain.csIds) await chain.start(id);
  await chain.healed(3);

  const expected = filled(70_100, 1).fill(0, 0, 100);
  expectAll(await chain.contents(70_100), expected, 3);
  expect(await chain.highWaters()).toEqual([70_100, 70_100, 70_100]);
});

describe("a durable write survives the loss of power of all hosts at once, with all that was acknowledged before it", () => {
  const sequences = [
    { name: "the first one", isDurable: [true] },
    { name: "after one that is not", isDurable: [false, true] },
    { name: "after one that is", isDurable: [true, true] },
    { name: "after both", isDurable: [true, false, true] },
  ];
  test.each(sequences)("$name", async ({ isDurable }) => {
    for (let seed = 11; seed < 16; seed++) {
      const chain = await ChainWorld.of(seed, 3);
      await chain.make();
      const expected = new Uint8Array(100_000 * isDurable.length);
      for (const [index, durable] of isDurable.entries()) {
        const bytes = filled(70_000, index + 1);
        expected.set(bytes, 100_000 * index + 100);
        await chain.run(chain.client.write(CHUNK, 100_000 * index + 100, bytes, durable), "a write");
      }
      for (const id of chain.csIds) chain.powerLoss(id);
      for (const id of chain.csIds) await chain.start(id);
      await chain.healed(3);

      const end = 100_000 * (isDurable.length - 1) + 70_100;
      expectAll(await chain.contents(end), expected.slice(0, end), 3);
    }
  });
});

test("what was acknowledged survives kill -9 of all servers at once, with its exact end", async () => {
  const chain = await ChainWorld.of(12, 3);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 100, filled(70_000, 1)), "a write");
  for (const id of chain.csIds) chain.kill(id);
  for (const id of chain.csIds) await chain.start(id);
  await chain.healed(3);

  const expected = filled(70_100, 1).fill(0, 0, 100);
  expectAll(await chain.contents(70_100), expected, 3);
  expect(await chain.highWaters()).toEqual([70_100, 70_100, 70_100]);
});

test("a new member is filled while a writer goes on, and then equals the others", async () => {
  const chain = await ChainWorld.of(13, 3, { fillBytesPerSecond: 20_000_000 });
  await chain.make(6 << 20, chain.csIds.slice(0, 2));
  for (let piece = 0; piece < 6; piece++) {
    await chain.run(chain.client.write(CHUNK, piece << 20, filled(1 << 20, piece + 1)), "a write");
  }
  chain.mds.addMember(CHUNK, member(chain, 2));
  for (let step = 0; step < 60; step++) {
    await chain.run(
      chain.client.write(CHUNK, (step * 100_003) % (5 << 20), filled(3000, 100 + step)),
      "a write",
    );
  }
  await chain.healed(3);

  const [first, ...others] = await chain.contents(6 << 20);
  expect(others.map((one) => Buffer.compare(one, first ?? NOTHING))).toEqual([0, 0]);
});

test("a damaged block is never returned, and its replica stays", async () => {
  const chain = await ChainWorld.of(14, 3);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 0, filled(4096, 1)), "a write");
  const { disk } = chain.host(member(chain, 1));
  const path = "/cs/chunks/4d/000000000000004d.data";
  const file = await chain.run(disk.open(path, "read-write", "damage"), "the file");
  await chain.run(file.write([filled(1, 7)], 1000, "damage"), "the damage");

  const bytes = await chain.run(
    chain.client.read(CHUNK, 0, 4096, () => 1),
    "a read",
  );

  expect(bytes).toEqual(filled(4096, 1));
  expect(chain.mds.reports).toEqual([]);
  expect(await chain.contents(4096)).toEqual([filled(4096, 1), filled(4096, 1), filled(4096, 1)]);
});

test("a server that hears nothing from the MDS stops serving when its lease is over", async () => {
  const chain = await ChainWorld.of(15, 3);
  await chain.make();
  const server = defined(chain.servers.get(member(chain, 0)), "it runs");
  const map = await chain.run(chain.mds.map(CHUNK), "the map");
  chain.mds.isSilent = true;
  await chain.runFor(chain.mds.leaseMs - 400);
  expect(server.isServing).toBe(true);

  await chain.runFor(500);

  expect(server.isServing).toBe(false);
  const body = { chunkId: CHUNK, version: map.version, offset: 0, lengthBytes: 1, background: false };
  const read = chain.client.send(addressOf(map, 0), { type: "read", body }, NOTHING);
  await expect(chain.run(read, "a read")).rejects.toThrow("lost touch");
  chain.mds.isSilent = false;
  await chain.world.simulator.runUntil(() => server.isServing, "it to be admitted again");
});

test("a server whose lease was over while it stood still serves again, though its connection never broke", async () => {
  const chain = await ChainWorld.of(20, 1);
  const id = member(chain, 0);
  const server = defined(chain.servers.get(id), "it runs");
  await chain.runFor(50);
  chain.host(id).pause();
  await chain.runFor(chain.mds.leaseMs + 200);
  chain.host(id).resume();
  expect(server.isServing).toBe(false);

  await chain.runFor(5000);

  expect(server.isServing).toBe(true);
});

test("a replica is deleted under its version or a newer one, never under an older one", async () => {
  const chain = await ChainWorld.of(16, 2);
  await chain.make();
  await chain.run(chain.mds.reinstall(CHUNK), "version 2");
  await chain.run(chain.client.write(CHUNK, 0, filled(4096, 1)), "a write");
  const id = member(chain, 1);
  const remove = (version: number) =>
    chain.run(
      chain.mds.command(id, {
        type: "deleteReplica",
        body: { chunkId: CHUNK, version: chunkVersion(version) },
      }),
      "a command",
    );

  expect((await remove(1)).failure?.code).toBe("stale_map");
  expect((await remove(2)).failure).toBeUndefined();
  expect((await remove(2)).failure).toBeUndefined();
  expect(await chain.run(chain.host(id).disk.list("/cs/chunks/4d", "test"), "a list")).toEqual([]);
});

test("a replica whose removal takes long is not cleaned meanwhile, and leaves nothing behind", async () => {
  const chain = await ChainWorld.of(21, 2, { cleanIdleMs: 200 });
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 0, filled(4096, 1)), "a write");
  const id = member(chain, 1);
  const host = chain.host(id);
  host.diskFaults.add({ label: "cs.file.remove", skip: 1, effect: "hang" });
  const body = { chunkId: CHUNK, version: chunkVersion(1) };
  const remove = () => chain.run(chain.mds.command(id, { type: "deleteReplica", body }), "the removal");
  expect((await remove()).failure?.code).toBe("timed_out");
  host.diskFaults.clear();

  expect((await remove()).failure).toBeUndefined();
  await chain.runFor(3000);
  expect(await chain.run(host.disk.list("/cs/chunks/4d", "test"), "a list")).toEqual([]);
});

test("an install that is repeated is answered as before, an older one is refused", async () => {
  const chain = await ChainWorld.of(17, 2);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 0, filled(5000, 1)), "a write");
  await chain.run(chain.mds.reinstall(CHUNK), "version 2");
  const map = await chain.run(chain.mds.map(CHUNK), "the map");
  const install = (version: number, create: boolean) =>
    chain.run(
      chain.mds.command(member(chain, 1), {
        type: "install",
        body: {
          chunkId: CHUNK,
          version: chunkVersion(version),
          chunkBytes: 4 << 20,
          chain: map.chain,
          create,
          sources: [],
          keepContents: false,
        },
      }),
      "a command",
    );

  const again = await install(2, true);
  const older = await install(1, true);

  expect([again.failure, again.highWaterBytes]).toEqual([undefined, 5000]);
  expect(older.failure?.code).toBe("stale_map");
  expect(await chain.contents(5000)).toEqual([filled(5000, 1), filled(5000, 1)]);
});

test("a replica that kept its contents while it was being filled becomes a full member again when its source is gone", async () => {
  const chain = await ChainWorld.of(19, 2);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 0, filled(5000, 1)), "a write");
  const { chain: members } = await chain.run(chain.mds.map(CHUNK), "the map");
  const [source, self] = members as [ChainMember, ChainMember];
  const install = (version: number, newChain: readonly ChainMember[], create = false, keepContents = false) =>
    chain.run(
      chain.mds.command(self.csId, {
        type: "install",
        body: {
          chunkId: CHUNK,
          version: chunkVersion(version),
          chunkBytes: 4 << 20,
          chain: newChain,
          create,
          sources: [source.csId],
          keepContents,
        },
      }),
      "a command",
    );
  const syncing = { ...self, syncing: true };
  // The source never hears of these versions, so that nothing can be fetched under them.
  await install(2, [source, syncing], false, true);
  const kept = await install(3, [self]);
  // Version 4 went by without this server.
  await install(5, [source, syncing], false, true);
  const keptAfterGap = await install(6, [self]);
  await install(7, [source, syncing], true);
  const emptied = await install(8, [self]);

  expect([kept.failure, kept.highWaterBytes]).toEqual([undefined, 5000]);
  expect([keptAfterGap.failure, keptAfterGap.highWaterBytes]).toEqual([undefined, 5000]);
  expect(emptied.failure?.code).toBe("refused");
});

test("a replica that is filled and keeps its contents is cut with the others by an install that cuts the chunk", async () => {
  const chain = await ChainWorld.of(21, 2);
  await chain.make();
  for (let piece = 0; piece < 3; piece++) {
    await chain.run(chain.client.write(CHUNK, piece << 20, filled(1 << 20, 1)), "a write");
  }
  // Until nothing is dirty: what is, would be fetched in any case.
  await chain.runFor(60_000);
  const chunk = defined(chain.mds.chunks.get(CHUNK), "it was made");
  chunk.members.splice(1, 1, { csId: member(chain, 1), syncing: true });
  await chain.run(chain.mds.reinstall(CHUNK, 5000), "a version that cuts");
  await chain.healed(2);
  expect(await chain.highWaters()).toEqual([5000, 5000]);

  await chain.run(chain.client.write(CHUNK, 2_000_000, filled(10, 2)), "a write beyond the end");

  const expected = new Uint8Array(2_000_010).fill(1, 0, 5000).fill(2, 2_000_000);
  const { version } = chunk;
  expectAll(await chain.contents(2_000_010), expected, 2);
  expect(chunk.version, "nobody had to be left out as damaged").toBe(version);
});

test("zeros at the edges of blocks leave the neighbours alone on every member", async () => {
  const chain = await ChainWorld.of(18, 3);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 0, filled(20_000, 1)), "a write");
  await chain.run(chain.client.zero(CHUNK, 1000, 9000), "zeros");
  await chain.run(chain.client.zero(CHUNK, 12_000, 10), "zeros in one block");

  const expected = filled(20_000, 1).fill(0, 1000, 10_000).fill(0, 12_000, 12_010);
  expectAll(await chain.contents(20_000), expected, 3);
  expect(await chain.highWaters()).toEqual([20_000, 20_000, 20_000]);
});
