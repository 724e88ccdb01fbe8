import { describe, expect, test } from "vitest";
import { equalBytes, Prng } from "../../../src/base/index.js";
import type { InodeNumber } from "../../../src/meta/index.js";
import { ClientWorld, type ClientWorldOptions } from "./doubles/client-world.js";

const writing = { access: "write", create: true } as const;

async function smallWorld(options: ClientWorldOptions = {}): Promise<ClientWorld> {
  const world = await ClientWorld.start(options);
  world.mds.keepSmallFiles(4096);
  return world;
}

const atMds = (world: ClientWorld, ino: InodeNumber): Uint8Array | undefined =>
  world.mds.tables.inlines.get(ino);
const countOf = (world: ClientWorld, mutation: string): number => world.mds.applied.get(mutation) ?? 0;
const replicaCount = (world: ClientWorld): number =>
  world.servers.reduce((sum, { replicas }) => sum + replicas.size, 0);

describe("a small file", () => {
  test("is written without a word to any chunk server, and is at the MDS when the write is done", async () => {
    const world = await smallWorld();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    const bytes = world.bytes(4096);
    await world.run(handle.write(bytes, 0));
    expect(atMds(world, handle.ino)).toEqual(bytes);
    await world.run(handle.close());
    const other = await world.client("other");
    expect(equalBytes(await world.run(other.fileSystem.readFile("/f")), bytes)).toBe(true);
    expect(replicaCount(world)).toBe(0);
    expect(world.servers.every(({ readCount }) => readCount === 0)).toBe(true);
  });

  test("that is buffered is told once, with its size, by whoever waits for it first", async () => {
    const world = await smallWorld();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", { ...writing, buffered: true }));
    await world.run(handle.write(new Uint8Array([1, 2]), 0));
    await world.run(handle.write(new Uint8Array([3]), 10));
    expect(atMds(world, handle.ino)).toBeUndefined();
    await world.run(handle.sync());
    expect(atMds(world, handle.ino)).toEqual(new Uint8Array([1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 3]));
    expect(world.mds.tables.inodes.get(handle.ino)?.sizeBytes).toBe(11);
    await world.run(handle.close());
    expect(countOf(world, "settleFiles")).toBe(1);
    expect(countOf(world, "reportFile") + countOf(world, "allocateChunk")).toBe(0);
  });

  test("that is buffered is written and read in the same moment, until it grows", async () => {
    const world = await smallWorld();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", { ...writing, buffered: true }));
    const bytes = world.bytes(3000);
    expect(handle.writeAtOnce(bytes, 0)).toBe(true);
    expect(handle.readAtOnce(0, 9000)).toEqual(bytes);
    // The MDS must hear of the contents before there may be a chunk.
    expect(handle.writeAtOnce(bytes, 3000)).toBe(false);
    expect(handle.readAtOnce(0, 9000)).toEqual(bytes);
    await world.run(handle.close());
    expect(atMds(world, handle.ino)).toEqual(bytes);
  });

  test("goes into a chunk when it grows, and nothing of it is lost on the way", async () => {
    for (const buffered of [false, true]) {
      const world = await smallWorld();
      const { fileSystem } = await world.client("client");
      const handle = await world.run(fileSystem.open("/f", { ...writing, buffered }));
      const [first, second] = [world.bytes(3000), world.bytes(3000)];
      await world.run(handle.write(first, 0));
      await world.run(handle.write(second, 3000));
      const all = new Uint8Array([...first, ...second]);
      expect(equalBytes(await world.run(handle.read(0, 9000)), all)).toBe(true);
      await world.run(handle.close());
      expect(atMds(world, handle.ino)).toBeUndefined();
      const other = await world.client("other");
      expect(equalBytes(await world.run(other.fileSystem.readFile("/f")), all)).toBe(true);
    }
  });

  test("of more than a block goes into a chunk when a little of it is written again and again", async () => {
    const world = await smallWorld();
    world.mds.keepSmallFiles(65_536);
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", { ...writing, buffered: true }));
    const bytes = world.bytes(20_000);
    const write = async (begin: number, end: number): Promise<void> => {
      await world.run(handle.write(bytes.subarray(begin, end), begin));
      await world.run(handle.sync());
    };
    await write(0, 20_000);
    for (let i = 0; i < 3; i++) await write(100 * i, 100 * i + 50);
    expect(atMds(world, handle.ino)).toEqual(bytes);
    await write(7000, 7010);
    expect(atMds(world, handle.ino)).toBeUndefined();
    const other = await world.client("other");
    expect(equalBytes(await world.run(other.fileSystem.readFile("/f")), bytes)).toBe(true);
  });

  test("of a block is told again and again", async () => {
    const world = await smallWorld();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", { ...writing, buffered: true }));
    for (let i = 0; i < 10; i++) {
      await world.run(handle.write(new Uint8Array([i]), i));
      await world.run(handle.sync());
    }
    expect(atMds(world, handle.ino)).toEqual(new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
  });

  test("that was emptied is small again", async () => {
    const world = await smallWorld();
    const { fileSystem } = await world.client("client");
    await world.run(fileSystem.writeFile("/f", world.bytes(9000)));
    await world.run(fileSystem.writeFile("/f", "short"));
    const { ino } = await world.run(fileSystem.stat("/f"));
    expect(world.mds.tables.inodes.get(ino)?.chunkCount).toBe(0);
    expect(new TextDecoder().decode(atMds(world, ino))).toBe("short");
  });

  test("is handed over when somebody else opens it, and is written through from then on", async () => {
    const world = await smallWorld();
    const [ann, bob] = [await world.client("ann"), await world.client("bob")];
    const mine = await world.run(ann.fileSystem.open("/f", { ...writing, buffered: true }));
    await world.run(mine.write(new Uint8Array([1, 1, 1, 1]), 0));
    const theirs = await world.run(bob.fileSystem.open("/f", writing));
    expect(await world.run(theirs.read(0, 9))).toEqual(new Uint8Array([1, 1, 1, 1]));
    expect(replicaCount(world)).toBe(0);
    await world.run(theirs.write(new Uint8Array([2, 2]), 1));
    expect(await world.run(mine.read(0, 9))).toEqual(new Uint8Array([1, 2, 2, 1]));
    await world.run(mine.write(new Uint8Array([3]), 3));
    expect(await world.run(theirs.read(0, 9))).toEqual(new Uint8Array([1, 2, 2, 3]));
    expect(atMds(world, mine.ino)).toBeUndefined();
  });

  test("has its data where there are some, and a hole behind", async () => {
    const world = await smallWorld();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    await world.run(handle.write(new Uint8Array([1]), 0));
    await world.run(handle.truncate(100_000));
    expect(atMds(world, handle.ino)).toEqual(new Uint8Array([1]));
    expect(await world.run(handle.seekData(10))).toBe(10);
    expect(await world.run(handle.seekData(4096))).toBeUndefined();
    expect(await world.run(handle.seekHole(0))).toBe(4096);
    const other = await world.client("other");
    const shared = await world.run(other.fileSystem.open("/f", writing));
    expect(await world.run(shared.seekData(10))).toBe(10);
    expect(await world.run(shared.seekHole(0))).toBe(4096);
  });

  test("whose lease is lost tells its writer that bytes are lost with it", async () => {
    const world = await smallWorld();
    const [ann, bob] = [await world.client("ann"), await world.client("bob")];
    const handle = await world.run(ann.fileSystem.open("/f", { ...writing, buffered: true }));
    await world.run(handle.write(new Uint8Array([1]), 0));
    await world.run(bob.fileSystem.inodes.revoke(handle.ino));
    await world.pass(100);
    await expect(world.run(handle.flush())).rejects.toThrow("lease_lost");
  });
});

test("many files that are released are settled by few requests", async () => {
  const world = await smallWorld();
  const { fileSystem } = await world.client("client");
  const inos: InodeNumber[] = [];
  for (let i = 0; i < 300; i++) {
    const handle = await world.run(fileSystem.open(`/f${i}`, { ...writing, buffered: true }));
    await world.run(handle.write(new Uint8Array([i & 255, 7]), 0));
    await world.run(handle.release());
    inos.push(handle.ino);
  }
  await world.pass(6000);
  for (const [i, ino] of inos.entries()) {
    expect(atMds(world, ino)).toEqual(new Uint8Array([i & 255, 7]));
    expect([...world.mds.tables.opens.valuesOf(ino)]).toEqual([]);
  }
  expect(countOf(world, "settleFiles")).toBeLessThan(20);
  expect(countOf(world, "close") + countOf(world, "reportFile")).toBe(0);
});

describe("files about as large as what the metadata keep equal a plain array of bytes", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])("whatever is done to them (seed %i)", async (seed) => {
    const world = await smallWorld({ seed, chunkBytes: seed % 2 === 0 ? 4096 : 65_536 });
    const most = seed % 4 === 1 ? 16_384 : 4096;
    world.mds.keepSmallFiles(most);
    const [ann, bob] = [await world.client("ann"), await world.client("bob")];
    const prng = new Prng(seed);
    const below = (limit: number): number => prng.uint32() % limit;
    const buffered = seed % 3 !== 0;
    let handle = await world.run(ann.fileSystem.open("/f", { ...writing, buffered }));
    let twin = new Uint8Array(0);
    const grow = (size: number): void => {
      if (size <= twin.length) return;
      const grown = new Uint8Array(size);
      grown.set(twin);
      twin = grown;
    };
    const put = (bytes: Uint8Array, offset: number): void => {
      grow(offset + bytes.length);
      twin.set(bytes, offset);
    };
    for (let step = 0; step < 150; step++) {
      const sizeMax = below(5) === 0 ? 2 * most + 800 : most;
      const length = 1 + below(below(2) === 0 ? 100 : Math.floor(most / 3));
      const offset = below(sizeMax - length + 1);
      const dice = below(100);
      if (dice < 40) {
        const bytes = prng.bytes(length);
        put(bytes, offset);
        await world.run(handle.write(bytes, offset));
      } else if (dice < 45) {
        const bytes = prng.bytes(below(300));
        expect(await world.run(handle.append(bytes))).toBe(twin.length);
        put(bytes, twin.length);
      } else if (dice < 60) {
        const seen = await world.run(handle.read(offset, length));
        expect(equalBytes(seen, twin.subarray(offset, offset + length))).toBe(true);
      } else if (dice < 72) {
        const size = below(3) === 0 ? 0 : offset;
        await world.run(handle.truncate(size));
        grow(size);
        twin = twin.slice(0, size);
      } else if (dice < 76) {
        await world.run(handle.punch(offset, length));
        twin.fill(0, offset, offset + length);
      } else if (dice < 79) {
        await world.run(handle.zeroRange(offset, length));
        grow(offset + length);
        twin.fill(0, offset, offset + length);
      } else if (dice < 81) {
        await world.run(handle.allocate(offset, length));
        grow(offset + length);
      } else if (dice < 83) await world.run(handle.sync());
      else if (dice < 86) await world.pass(below(4) === 0 ? 12_000 : below(300));
      else if (dice < 90) {
        await world.run(handle.release());
        handle = await world.run(ann.fileSystem.open("/f", { ...writing, buffered }));
      } else if (dice < 93) {
        const other = await world.run(bob.fileSystem.open("/f", writing));
        const bytes = prng.bytes(length);
        put(bytes, offset);
        await world.run(other.write(bytes, offset));
        await world.run(other.close());
      } else if (dice < 95) {
        await world.run(bob.fileSystem.truncate("/f", offset));
        grow(offset);
        twin = twin.slice(0, offset);
      } else {
        const seen = await world.run(bob.fileSystem.readFile("/f"));
        expect(equalBytes(seen, twin)).toBe(true);
      }
      expect(await world.run(handle.size())).toBe(twin.length);
    }
    await world.run(handle.close());
    expect(equalBytes(await world.run(bob.fileSystem.readFile("/f")), twin)).toBe(true);
  });
});
