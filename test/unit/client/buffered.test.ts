import { describe, expect, test } from "vitest";
import { equalBytes, Prng } from "../../../src/base/index.js";
import { sessionId } from "../../../src/meta/index.js";
import { CHUNK_BYTES, ClientWorld } from "./doubles/client-world.js";
import { CLUSTER_ID, codeOfFailure } from "./doubles/fake-mds.js";

const writing = { access: "write", create: true, buffered: true } as const;

const storedWrites = (world: ClientWorld): number =>
  world.servers.reduce(
    (sum, { replicas }) =>
      sum + [...replicas.values()].reduce((writes, replica) => writes + replica.writes, 0),
    0,
  );

const reportsTold = ({ mds }: ClientWorld): number =>
  (mds.applied.get("settleFiles") ?? 0) + (mds.applied.get("reportFile") ?? 0);

const syncRequests = (world: ClientWorld): number =>
  world.servers.reduce((sum, { syncCount }) => sum + syncCount, 0);

describe("a buffered handle", () => {
  test("has a write done before any server has it; flush waits until all of them have", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    const bytes = world.bytes(10_000);
    await world.run(handle.write(bytes, 0));

    expect(storedWrites(world)).toBe(0);
    expect(equalBytes(await world.run(handle.read(0, 20_000)), bytes)).toBe(true);
    expect((await world.run(fileSystem.stat("/f"))).sizeBytes).toBe(10_000);
    await world.run(handle.flush());
    expect(storedWrites(world)).toBe(3);
    await world.run(handle.close());
  });

  test("has a write and a read done in the same moment if nobody has to be waited for", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    const bytes = world.bytes(10_000);
    expect(handle.writeAtOnce(bytes, 0)).toBe(true);
    expect(handle.readAtOnce(0, 20_000)).toEqual(bytes);
    expect(storedWrites(world)).toBe(0);
    await world.run(handle.flush());
    expect(storedWrites(world)).toBe(3);
    // It is elsewhere now.
    expect(handle.readAtOnce(0, 20_000)).toBeUndefined();
    // What runs on the same bytes comes first.
    const cut = handle.truncate(100);
    expect(handle.writeAtOnce(bytes, 0)).toBe(false);
    await world.run(cut);
    expect(handle.writeAtOnce(bytes.subarray(0, 100), 50)).toBe(true);
    const expected = new Uint8Array([...bytes.subarray(0, 50), ...bytes.subarray(0, 100)]);
    expect(equalBytes(await world.run(handle.read(0, 1000)), expected)).toBe(true);
    await world.run(handle.close());
    expect(handle.writeAtOnce(bytes, 0)).toBe(false);
    expect(handle.readAtOnce(0, 100)).toBeUndefined();
  });

  test("that finds no room has nothing written in the same moment, and no room is lost by asking", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client", { writeBehind: { fileBytesMax: 1 << 20 } });
    const handle = await world.run(fileSystem.open("/f", writing));
    const bytes = world.bytes(300_000);
    let offset = 0;
    while (handle.writeAtOnce(bytes, offset)) offset += bytes.length;
    expect(offset).toBeGreaterThan(0);
    expect(offset).toBeLessThanOrEqual(1 << 20);
    for (let i = 0; i < 10; i++) expect(handle.writeAtOnce(bytes, offset)).toBe(false);
    await world.run(handle.flush());
    expect(handle.writeAtOnce(bytes, offset)).toBe(true);
    await world.run(handle.close());
  });

  test("of one who only reads, or does not buffer, nothing is written in the same moment", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    await world.run(fileSystem.writeFile("/f", new Uint8Array(10)));
    const reader = await world.run(fileSystem.open("/f", { buffered: true }));
    const through = await world.run(fileSystem.open("/f", { access: "write" }));
    for (const handle of [reader, through]) expect(handle.writeAtOnce(new Uint8Array(5), 0)).toBe(false);
    for (const handle of [reader, through]) await world.run(handle.close());
  });

  test("sends what was left alone by itself, small writes in one piece", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    for (let i = 0; i < 100; i++) await world.run(handle.write(new Uint8Array(100).fill(i), 100 * i));
    expect(storedWrites(world)).toBe(0);
    await world.pass(500);

    expect(storedWrites(world)).toBe(3);
    expect(world.servers[0]?.unsyncedCount).toBe(1);
    await world.run(handle.sync());
    expect(world.servers[0]?.unsyncedCount).toBe(0);
  });

  test("of a busy writer the MDS is told every few seconds, not as often as it can answer", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    await world.run(handle.write(new Uint8Array(100_000), 0));
    await world.run(handle.flush());
    const before = reportsTold(world);
    for (let i = 0; i < 1000; i++) {
      await world.run(handle.write(new Uint8Array(100).fill(1), i));
      await world.pass(10);
    }
    const toldCount = reportsTold(world) - before;
    expect(toldCount).toBeGreaterThanOrEqual(2);
    expect(toldCount).toBeLessThanOrEqual(4);
    await world.run(handle.close());
  });

  test("a single piece is synced on its way, and with it what was on the servers before", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    await world.run(handle.write(new Uint8Array(5000).fill(1), 0));
    await world.pass(500);
    await world.run(handle.write(new Uint8Array(100).fill(2), 9000));
    const before = world.servers[0]?.unsyncedCount;

    await world.run(handle.sync());

    expect([before, world.servers[0]?.unsyncedCount, syncRequests(world)]).toEqual([1, 0, 0]);
  });

  test("of a program that syncs each small piece the next one is on its way, durable, before the sync", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    let count = 0;
    const write = async (): Promise<void> => world.run(handle.write(world.bytes(4096), 8192 * count++));
    const storedBy = async (ms: number): Promise<number> => {
      const before = storedWrites(world);
      await write();
      await world.pass(ms);
      return storedWrites(world) - before;
    };
    await world.run(handle.write(new Uint8Array(100_000), 0));
    await world.run(handle.sync());
    for (let i = 0; i < 4; i++) {
      expect(await storedBy(20)).toBe(0);
      await world.run(handle.sync());
    }
    const syncsBefore = syncRequests(world);
    for (let i = 0; i < 3; i++) {
      expect(await storedBy(20)).toBe(3);
      expect(world.servers[0]?.unsyncedCount).toBe(0);
      await world.run(handle.sync());
    }
    expect(syncRequests(world)).toBe(syncsBefore);

    // Two pieces without a sync between them: the habit is over, and what was not synced yet is synced when it is asked for.
    expect([await storedBy(20), await storedBy(20)]).toEqual([3, 0]);
    await world.run(handle.sync());
    expect(world.servers[0]?.unsyncedCount).toBe(0);
    expect(await storedBy(20)).toBe(0);
    await world.run(handle.close());
  });

  test("several pieces are synced when all of them are there", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    await world.run(handle.write(new Uint8Array(100).fill(1), 0));
    await world.run(handle.write(new Uint8Array(100).fill(2), 9000));

    await world.run(handle.sync());

    expect([world.servers[0]?.unsyncedCount, syncRequests(world)]).toEqual([0, 1]);
  });

  test("has handed everything over when somebody else opens the file, and writes through from then on", async () => {
    const world = await ClientWorld.start();
    const ann = await world.client("ann");
    const bob = await world.client("bob");
    const handle = await world.run(ann.fileSystem.open("/f", writing));
    const bytes = world.bytes(3 * CHUNK_BYTES);
    await world.run(handle.write(bytes, 0));
    const other = await world.run(bob.fileSystem.open("/f", { access: "write" }));

    expect(equalBytes(await world.run(other.read(0, bytes.length)), bytes)).toBe(true);
    await world.run(handle.write(Uint8Array.of(7), 5));
    expect(await world.run(other.read(5, 1))).toEqual(Uint8Array.of(7));
  });

  test("has handed everything over when it is closed", async () => {
    const world = await ClientWorld.start();
    const ann = await world.client("ann");
    const handle = await world.run(ann.fileSystem.open("/f", writing));
    const bytes = world.bytes(9000);
    await world.run(handle.write(bytes, 0));
    await world.run(handle.close());
    ann.close().catch(() => undefined);
    world.host("ann").crash();

    const bob = await world.client("bob");
    expect(equalBytes(await world.run(bob.fileSystem.readFile("/f")), bytes)).toBe(true);
  });

  test("leaves a time alone that was set after the last write, and says size and data all the same", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    await world.run(handle.write(world.bytes(5000), 0));
    await world.run(fileSystem.utimes("/f", { mtime: { seconds: 12, nanos: 34 } }));
    expect(storedWrites(world)).toBe(0);
    expect(await world.run(fileSystem.stat("/f"))).toMatchObject({
      sizeBytes: 5000,
      mtime: { seconds: 12, nanos: 34 },
    });
    await world.run(handle.close());
    const other = await world.client("other");
    const seen = await world.run(other.fileSystem.stat("/f"));
    expect([seen.sizeBytes, seen.mtime]).toEqual([5000, { seconds: 12, nanos: 34 }]);
  });

  test("a write after that sets the time anew", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    await world.run(fileSystem.utimes("/f", { mtime: { seconds: 12, nanos: 34 } }));
    await world.run(handle.write(world.bytes(10), 0));
    await world.run(handle.close());
    expect((await world.run(fileSystem.stat("/f"))).mtime.seconds).toBeGreaterThan(12);
  });

  test("sync does not wait for the MDS, to which the chunk servers could tell the size", async () => {
    const world = await ClientWorld.start();
    const ann = await world.client("ann");
    const handle = await world.run(ann.fileSystem.open("/f", writing));
    const bytes = world.bytes(5000);
    await world.run(handle.write(bytes, 0));
    await world.run(handle.sync());
    expect(world.mds.tables.inodes.get(handle.ino)?.sizeBytes).toBe(0);
    expect(world.servers.map((server) => server.unsyncedCount)).toEqual([0, 0, 0]);
    const bob = await world.client("bob");
    expect(equalBytes(await world.run(bob.fileSystem.readFile("/f")), bytes)).toBe(true);
  });

  test("a size without bytes behind it is told before sync is done", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    await world.run(handle.write(world.bytes(10), 0));
    await world.run(handle.zeroRange(0, 9000));
    await world.run(handle.sync());
    expect(world.mds.tables.inodes.get(handle.ino)?.sizeBytes).toBe(9000);
  });

  test("lets writers wait when its bound is reached, and no longer", async () => {
    const world = await ClientWorld.start({ csCount: 1, replicas: 1 });
    const limits = { fileBytesMax: 96 * 1024, clientBytesMax: 1 << 20 };
    const { fileSystem } = await world.client("client", { writeBehind: limits });
    const handle = await world.run(fileSystem.open("/f", writing));
    await world.run(handle.write(new Uint8Array(1), 0));
    await world.run(handle.flush());
    const [server] = world.servers;
    if (server === undefined) throw new Error("there is a server");
    server.host.crash();
    let doneCount = 0;
    const writes = Array.from({ length: 16 }, (_, i) =>
      handle.write(new Uint8Array(8192).fill(i + 1), 8192 * i).then(() => {
        doneCount++;
      }),
    );
    await world.pass(2000);
    expect(doneCount).toBeGreaterThan(5);
    expect(doneCount).toBeLessThan(9);

    expect(await world.run(codeOfFailure(handle.flush({ timeoutMs: 1000 })))).toBe("timed_out");
    server.host.restart();
    await world.run(server.start(CLUSTER_ID));
    await world.run(Promise.all(writes));
    await world.run(handle.flush());
    const seen = await world.run(handle.read(0, 16 * 8192));
    expect(Array.from({ length: 16 }, (_, i) => seen[8192 * i])).toEqual(
      Array.from({ length: 16 }, (_, i) => i + 1),
    );
  });

  test("tells every handle once that accepted bytes are lost with the lease", async () => {
    const world = await ClientWorld.start();
    const cluster = await world.client("client");
    const first = await world.run(cluster.fileSystem.open("/f", writing));
    const second = await world.run(cluster.fileSystem.open("/f", { access: "read" }));
    await world.run(first.write(world.bytes(1000), 0));
    world.mds.endSession(sessionId(cluster.sessionId));
    await world.pass(50);

    expect(await world.run(codeOfFailure(first.sync()))).toBe("lease_lost");
    expect(await world.run(codeOfFailure(second.flush()))).toBe("lease_lost");
    expect(storedWrites(world)).toBe(0);
  });

  test("a read sees bytes that leave the buffer while it fetches the others", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    const bytes = world.bytes(20_000);
    await world.run(handle.write(new Uint8Array(20_000).fill(1), 0));
    await world.run(handle.write(bytes.subarray(0, 12_000), 0));
    await world.run(handle.flush());
    await world.run(handle.write(bytes.subarray(12_000), 12_000));
    for (const server of world.servers) server.answerDelayMs = 200;
    const flushed = handle.flush();
    await world.pass(50);
    const seen = handle.read(4000, 16_000);
    await world.run(flushed);

    expect(equalBytes(await world.run(seen), bytes.subarray(4000))).toBe(true);
  });

  test("a direct write comes after buffered ones that it overlaps", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const buffered = await world.run(fileSystem.open("/f", writing));
    const direct = await world.run(fileSystem.open("/f", { access: "write" }));
    await world.run(buffered.write(new Uint8Array(100).fill(1), 0));
    await world.run(direct.write(new Uint8Array(10).fill(2), 20));
    await world.run(buffered.write(new Uint8Array(10).fill(3), 25));
    await world.pass(1000);

    const seen = await world.run(direct.read(0, 100));
    expect([seen[19], seen[20], seen[24], seen[25], seen[34], seen[35]]).toEqual([1, 2, 2, 3, 3, 1]);
  });
});

describe("buffered files equal a plain array of bytes", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("whatever is done to them (seed %i)", async (seed) => {
    const world = await ClientWorld.start({ seed });
    const ann = await world.client("ann");
    const bob = await world.client("bob");
    const prng = new Prng(seed);
    const below = (limit: number): number => prng.uint32() % limit;
    const handle = await world.run(ann.fileSystem.open("/f", writing));
    let twin = new Uint8Array(0);
    const grow = (size: number): void => {
      if (size <= twin.length) return;
      const grown = new Uint8Array(size);
      grown.set(twin);
      twin = grown;
    };
    for (let step = 0; step < 120; step++) {
      const offset = below(3 * CHUNK_BYTES);
      const length = 1 + below(below(2) === 0 ? 300 : CHUNK_BYTES);
      const dice = below(100);
      if (dice < 40) {
        const bytes = prng.bytes(length);
        grow(offset + length);
        twin.set(bytes, offset);
        await world.run(handle.write(bytes, offset));
      } else if (dice < 50) {
        const bytes = prng.bytes(below(500));
        expect(await world.run(handle.append(bytes))).toBe(twin.length);
        const at = twin.length;
        grow(at + bytes.length);
        twin.set(bytes, at);
      } else if (dice < 75) {
        // What begins with the file is read ahead, and much of it kept.
        const begin = below(3) === 0 ? 0 : offset;
        const seen = await world.run(handle.read(begin, length));
        expect(equalBytes(seen, twin.subarray(begin, begin + length))).toBe(true);
      } else if (dice < 80) {
        const size = below(3 * CHUNK_BYTES);
        await world.run(handle.truncate(size));
        grow(size);
        twin = twin.slice(0, size);
      } else if (dice < 84) {
        await world.run(handle.punch(offset, length));
        twin.fill(0, offset, offset + length);
      } else if (dice < 88) {
        await world.run(handle.zeroRange(offset, length));
        grow(offset + length);
        twin.fill(0, offset, offset + length);
      } else if (dice < 90) {
        await world.run(handle.allocate(offset, length));
        grow(offset + length);
      } else if (dice < 93) await world.run(handle.flush());
      else if (dice < 95) await world.run(handle.sync());
      else if (dice < 97) await world.pass(below(4) === 0 ? 12_000 : below(300));
      else if (dice < 99) {
        const other = await world.run(bob.fileSystem.open("/f", { access: "write" }));
        const bytes = prng.bytes(length);
        grow(offset + length);
        twin.set(bytes, offset);
        await world.run(other.write(bytes, offset));
        await world.run(other.close());
      } else {
        // Somebody else looks: everything must be there at once.
        const seen = await world.run(bob.fileSystem.readFile("/f"));
        expect(equalBytes(seen, twin)).toBe(true);
      }
      expect(await world.run(handle.size())).toBe(twin.length);
    }
    await world.run(handle.close());
    expect(equalBytes(await world.run(bob.fileSystem.readFile("/f")), twin)).toBe(true);
  });

  test.each([1, 2, 3])(
    "also while servers die and writers do not wait for each other (seed %i)",
    async (seed) => {
      const world = await ClientWorld.start({ seed });
      const { fileSystem } = await world.client("client");
      const prng = new Prng(seed);
      const handle = await world.run(fileSystem.open("/f", writing));
      const twin = new Uint8Array(4 * CHUNK_BYTES);
      const waiting: Promise<unknown>[] = [handle.write(twin, 0)];
      for (let step = 0; step < 400; step++) {
        const offset = prng.uint32() % (twin.length - 9000);
        const bytes = prng.bytes(1 + (prng.uint32() % 9000));
        const isRead = prng.uint32() % 3 === 0;
        if (isRead) {
          const expected = twin.slice(offset, offset + bytes.length);
          // Reads see all writes before them, and perhaps later ones: only where none comes can they be compared.
          if (prng.uint32() % 4 === 0) {
            await world.run(Promise.all(waiting.splice(0)));
            expect(equalBytes(await world.run(handle.read(offset, bytes.length)), expected)).toBe(true);
          } else waiting.push(handle.read(offset, bytes.length));
        } else {
          twin.set(bytes, offset);
          waiting.push(handle.write(bytes, offset));
        }
        if (step % 7 === 0) await world.pass(prng.uint32() % 120);
        if (step === 150) world.servers[seed % 3]?.host.crash();
      }
      await world.run(Promise.all(waiting));
      await world.run(handle.sync());
      expect(equalBytes(await world.run(handle.read(0, twin.length)), twin)).toBe(true);
      await world.run(handle.close());
      expect(equalBytes(await world.run(fileSystem.readFile("/f")), twin)).toBe(true);
    },
  );
});

describe("what is read in sequence", () => {
  test("is there before it is asked for", async () => {
    const world = await ClientWorld.start({ chunkBytes: 1 << 20 });
    const { fileSystem } = await world.client("client");
    const bytes = world.bytes(3 << 20);
    await world.run(fileSystem.writeFile("/f", bytes));
    const handle = await world.run(fileSystem.open("/f", { buffered: true }));
    for (let i = 0; i < 4; i++) await world.run(handle.read(i << 16, 1 << 16));
    await world.pass(1000);
    const readCount = (): number => world.servers.reduce((sum, server) => sum + server.readCount, 0);
    const before = readCount();
    for (let i = 4; i < 48; i++) {
      const seen = await world.run(handle.read(i << 16, 1 << 16));
      expect(equalBytes(seen, bytes.subarray(i << 16, (i + 1) << 16))).toBe(true);
    }
    expect(readCount() - before).toBeLessThan(3);
    expect(readCount()).toBeLessThan(6);
  });

  test("is not kept when somebody else may write", async () => {
    const world = await ClientWorld.start();
    const ann = await world.client("ann");
    const bob = await world.client("bob");
    await world.run(ann.fileSystem.writeFile("/f", new Uint8Array(10_000).fill(1)));
    const handle = await world.run(ann.fileSystem.open("/f", { buffered: true }));
    await world.run(handle.read(0, 5000));
    await world.run(bob.fileSystem.writeFile("/f", new Uint8Array(10_000).fill(2)));

    expect((await world.run(handle.read(5000, 5000)))[0]).toBe(2);
    expect((await world.run(handle.read(0, 5000)))[0]).toBe(2);
  });
});
