import { expect, test } from "vitest";
import { defined, failureOf } from "../../../src/base/index.js";
import { type CsId, csId } from "../../../src/chunk/index.js";
import { CHUNK, ChainWorld } from "./world/chain-world.js";

const BLOCK = 4096;
const CONTENTS = Uint8Array.from({ length: 20 * BLOCK }, (_, index) => (index * 7 + (index >> 12)) % 251);
const DATA = "/cs/chunks/4d/000000000000004d.data";
const SUMS = "/cs/chunks/4d/000000000000004d.sums";

/** A chunk with contents on so many servers, idle for long enough to be clean. */
async function writtenChain(seed: number, csCount: number): Promise<ChainWorld> {
  const chain = await ChainWorld.of(seed, csCount);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 0, CONTENTS), "a write");
  await chain.runFor(5_000);
  return chain;
}

/** Changes one byte on the disk of that server. */
async function damage(chain: ChainWorld, id: CsId, offset: number, path = DATA): Promise<void> {
  const byte = await byteAt(chain, id, offset, path);
  const { disk } = chain.host(id);
  const change = async (): Promise<void> => {
    const file = await disk.open(path, "read-write", "test.open");
    await file.write([Uint8Array.of(byte ^ 0x10)], offset, "test.write");
    await file.sync("test.sync");
    await file.close();
  };
  await chain.run(change(), "damage");
}

function byteAt(chain: ChainWorld, id: CsId, offset: number, path = DATA): Promise<number> {
  const look = async (): Promise<number> =>
    defined((await chain.host(id).disk.readFile(path, "test"))[offset], "a byte");
  return chain.run(look(), "a look at the disk");
}

/** Reads everything from one member of the chain. */
async function readFrom(
  chain: ChainWorld,
  index: number,
  offset = 0,
  length = CONTENTS.length,
): Promise<Uint8Array> {
  return await chain.run(
    chain.client.read(CHUNK, offset, length, () => index),
    "a read",
  );
}

async function failureOfRead(chain: ChainWorld, id: CsId, offset: number): Promise<string | undefined> {
  const map = await chain.run(chain.mds.map(CHUNK), "the map");
  const { address } = defined(
    map.chain.find((member) => member.csId === id),
    "a member",
  );
  const body = { chunkId: CHUNK, version: map.version, offset, lengthBytes: BLOCK, background: false };
  const asking = chain.client.send(address, { type: "read", body }, new Uint8Array(0), 20_000).then(
    () => undefined,
    (error: unknown) => failureOf(error)?.code,
  );
  return await chain.run(asking, "a read");
}

async function scrubbed(chain: ChainWorld, id: CsId): Promise<void> {
  await chain.run(chain.mds.command(id, { type: "startScrub", body: {} }), "the order");
  const ends = (): boolean => {
    const scrub = chain.mds.heartbeats.get(id)?.scrub;
    return scrub !== undefined && !scrub.isRunning && scrub.endedMs >= scrub.beganMs && scrub.beganMs > 0;
  };
  await chain.runFor(400);
  await chain.world.simulator.runUntil(ends, "the scrub to end", { timeoutMs: 120_000 });
}

test("a damaged block is put right with another server's bytes before anybody reads it", async () => {
  const chain = await writtenChain(1, 3);
  const id = csId(1026);
  await damage(chain, id, 3 * BLOCK + 5);

  expect(Buffer.compare(await readFrom(chain, 1), CONTENTS)).toBe(0);

  expect(await byteAt(chain, id, 3 * BLOCK + 5)).toBe(CONTENTS[3 * BLOCK + 5]);
  expect(chain.mds.reports).toEqual([]);
  await chain.runFor(1_000);
  expect(chain.mds.damages).toMatchObject([
    { body: { mendedCount: 1, lostCount: 0, chunkId: CHUNK, offset: 3 * BLOCK } },
  ]);
  expect(chain.mds.heartbeats.get(id)?.flags).toBe("h");
});

test("a server that was filled under this version puts others right, too", async () => {
  const chain = await writtenChain(1, 3);
  chain.kill(csId(1027));
  await chain.healed(2);
  await chain.start(csId(1027));
  await chain.healed(3);
  const [first, second] = [csId(1025), csId(1026)];
  for (const id of [first, second]) await damage(chain, id, 3 * BLOCK + 5);

  expect(Buffer.compare(await readFrom(chain, 0), CONTENTS)).toBe(0);

  expect(await byteAt(chain, first, 3 * BLOCK + 5)).toBe(CONTENTS[3 * BLOCK + 5]);
  expect(chain.mds.reports).toEqual([]);
});

test("the head writes a part of a damaged block after it was put right", async () => {
  const chain = await writtenChain(2, 3);
  await damage(chain, csId(1025), 2 * BLOCK + 9);

  await chain.run(chain.client.write(CHUNK, 2 * BLOCK + 100, Uint8Array.of(1, 2, 3)), "a write");

  const expected = CONTENTS.slice();
  expected.set([1, 2, 3], 2 * BLOCK + 100);
  for (const index of [0, 1, 2]) expect(Buffer.compare(await readFrom(chain, index), expected)).toBe(0);
  expect(chain.mds.reports).toEqual([]);
});

test("what nobody reads is found by the scrub, and put right", async () => {
  const chain = await writtenChain(3, 2);
  const id = csId(1026);
  await damage(chain, id, 7 * BLOCK);
  await damage(chain, id, 11 * BLOCK + 4095);

  await scrubbed(chain, id);

  expect(await byteAt(chain, id, 7 * BLOCK)).toBe(CONTENTS[7 * BLOCK]);
  expect(await byteAt(chain, id, 11 * BLOCK + 4095)).toBe(CONTENTS[11 * BLOCK + 4095]);
  expect(chain.mds.heartbeats.get(id)).toMatchObject({
    flags: "h",
    scrub: { damagedCount: 2, quarantinedCount: 0, checkedBytes: 1 << 20, totalBytes: 1 << 20 },
  });
  expect(chain.mds.reports).toEqual([]);
});

test("the letter h goes when a whole round found nothing", async () => {
  const chain = await writtenChain(4, 2);
  const id = csId(1026);
  await damage(chain, id, 7 * BLOCK);
  await scrubbed(chain, id);

  await scrubbed(chain, id);

  expect(chain.mds.heartbeats.get(id)?.flags).toBe("");
});

test("checksums that rotted on the disk are written again from memory", async () => {
  const chain = await writtenChain(5, 2);
  const id = csId(1026);
  const before = await byteAt(chain, id, 4096 + 40, SUMS);
  await damage(chain, id, 4096 + 40, SUMS);

  await scrubbed(chain, id);

  expect(await byteAt(chain, id, 4096 + 40, SUMS)).toBe(before);
  expect(chain.mds.reports).toEqual([]);
});

test("checksums that nobody remembers cost the replica", async () => {
  const chain = await writtenChain(6, 1);
  const id = csId(1025);
  await chain.run(defined(chain.servers.get(id), "a server").close(), "a stop");
  await damage(chain, id, 4096 + 40, SUMS);
  await chain.start(id);
  await chain.runFor(5_000);

  await scrubbed(chain, id);

  expect(chain.mds.reports).toMatchObject([{ csId: id, code: "chunk_corrupt" }]);
});

test("a block that no server has whole is refused, its replicas are kept, and the rest of them is read", async () => {
  const chain = await writtenChain(7, 2);
  for (const id of chain.csIds) await damage(chain, id, 5 * BLOCK + 1);

  for (const id of chain.csIds) expect(await failureOfRead(chain, id, 5 * BLOCK)).toBe("chunk_corrupt");

  expect(chain.mds.reports).toEqual([]);
  expect(Buffer.compare(await readFrom(chain, 0, 0, 5 * BLOCK), CONTENTS.subarray(0, 5 * BLOCK))).toBe(0);
  expect(
    Buffer.compare(await readFrom(chain, 1, 6 * BLOCK, 9 * BLOCK), CONTENTS.subarray(6 * BLOCK, 15 * BLOCK)),
  ).toBe(0);
  await chain.runFor(1_000);
  expect(chain.mds.heartbeats.get(csId(1025))?.scrub?.quarantinedCount).toBe(1);
});

test("two replicas that are damaged at different places make each other whole", async () => {
  const chain = await writtenChain(8, 2);
  await damage(chain, csId(1025), 1 * BLOCK);
  await damage(chain, csId(1026), 2 * BLOCK);

  await scrubbed(chain, csId(1025));
  await scrubbed(chain, csId(1026));

  for (const index of [0, 1]) expect(Buffer.compare(await readFrom(chain, index), CONTENTS)).toBe(0);
  expect(chain.mds.reports).toEqual([]);
});

test("while the others cannot be asked, a damaged replica is neither given up nor believed", async () => {
  const chain = await writtenChain(9, 2);
  const id = csId(1025);
  await damage(chain, id, 1 * BLOCK);
  chain.kill(csId(1026));

  expect(await failureOfRead(chain, id, 1 * BLOCK)).toBe("chunk_corrupt");

  expect(chain.mds.reports).toEqual([]);
});

test("a block written anew in whole is right again, whatever was lost there", async () => {
  const chain = await writtenChain(10, 1);
  await damage(chain, csId(1025), 5 * BLOCK);
  await scrubbed(chain, csId(1025));
  expect(chain.mds.heartbeats.get(csId(1025))?.scrub?.quarantinedCount).toBe(1);

  await chain.run(chain.client.write(CHUNK, 5 * BLOCK, CONTENTS.subarray(0, BLOCK)), "a write");
  await scrubbed(chain, csId(1025));

  expect(Buffer.compare(await readFrom(chain, 0, 5 * BLOCK, BLOCK), CONTENTS.subarray(0, BLOCK))).toBe(0);
  expect(chain.mds.heartbeats.get(csId(1025))?.scrub?.quarantinedCount).toBe(0);
});

test("a round goes on where it was when the server starts again", async () => {
  const chain = await writtenChain(11, 2);
  const id = csId(1026);
  await scrubbed(chain, id);
  const ended = chain.mds.heartbeats.get(id)?.scrub?.endedMs;
  chain.kill(id);
  await chain.start(id);
  await chain.runFor(1_000);

  expect(chain.mds.heartbeats.get(id)?.scrub).toMatchObject({ isRunning: false, endedMs: ended });
});
