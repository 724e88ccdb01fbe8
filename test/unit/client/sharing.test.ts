import { describe, expect, test } from "vitest";
import { equalBytes, Prng } from "../../../src/base/index.js";
import type { Cluster, FileHandle } from "../../../src/client/index.js";
import { CHUNK_BYTES, ClientWorld } from "./doubles/client-world.js";
import { codeOfFailure } from "./doubles/fake-mds.js";

async function twoClients(): Promise<{ world: ClientWorld; ann: Cluster; bob: Cluster }> {
  const world = await ClientWorld.start();
  return { world, ann: await world.client("ann"), bob: await world.client("bob") };
}

/** Two clients that have the same empty file open for writing. */
async function twoWriters() {
  const { world, ann, bob } = await twoClients();
  const annHandle = await world.run(ann.fileSystem.open("/f", writing));
  const bobHandle = await world.run(bob.fileSystem.open("/f", writing));
  return { world, annHandle, bobHandle };
}

const writing = { access: "write", create: true } as const;

describe("two clients and one file", () => {
  test("the space it takes is what was written, seen by both, not the holes", async () => {
    const { world, ann, bob } = await twoClients();
    const handle = await world.run(ann.fileSystem.open("/f", writing));
    await world.run(handle.write(new Uint8Array(1000).fill(1), 10 * CHUNK_BYTES));
    expect((await world.run(ann.fileSystem.stat("/f"))).allocatedBytes).toBe(4096);
    expect((await world.run(bob.fileSystem.stat("/f"))).allocatedBytes).toBe(4096);
    await world.run(handle.write(new Uint8Array(1000).fill(1), 0));
    expect((await world.run(bob.fileSystem.stat("/f"))).allocatedBytes).toBe(4096);
    await world.run(handle.write(new Uint8Array(8192).fill(1), 3 * CHUNK_BYTES));
    expect((await world.run(bob.fileSystem.stat("/f"))).allocatedBytes).toBe(12288);
  });

  test("what one has written the other sees, whether it asks for attributes or reads", async () => {
    const { world, ann, bob } = await twoClients();
    const handle = await world.run(ann.fileSystem.open("/f", writing));
    await world.run(handle.write(new Uint8Array(1000).fill(1), 0));

    expect((await world.run(bob.fileSystem.stat("/f"))).sizeBytes).toBe(1000);
    expect((await world.run(bob.fileSystem.readFile("/f"))).length).toBe(1000);
    await world.run(handle.write(new Uint8Array(10).fill(2), 1000));
    expect((await world.run(bob.fileSystem.stat("/f"))).sizeBytes).toBe(1010);
  });

  test("both write side by side, each write seen by the other as soon as it is acknowledged", async () => {
    const { world, ann, bob } = await twoClients();
    const annHandle = await world.run(ann.fileSystem.open("/f", writing));
    await world.run(annHandle.write(new Uint8Array(10).fill(1), 0));
    const bobHandle = await world.run(bob.fileSystem.open("/f", writing));
    await world.run(bobHandle.write(new Uint8Array(10).fill(2), CHUNK_BYTES));
    await world.run(annHandle.write(new Uint8Array(10).fill(3), 2 * CHUNK_BYTES));

    const seen = await world.run(bobHandle.read(0, 10 * CHUNK_BYTES));
    expect(seen.length).toBe(2 * CHUNK_BYTES + 10);
    expect([seen[0], seen[CHUNK_BYTES], seen[2 * CHUNK_BYTES]]).toEqual([1, 2, 3]);
    expect(await world.run(annHandle.size())).toBe(2 * CHUNK_BYTES + 10);
  });

  test("while both may write, nothing is written or read in the same moment: the other would not know, or know better", async () => {
    const { world, ann, bob } = await twoClients();
    const buffered = { ...writing, buffered: true };
    const annHandle = await world.run(ann.fileSystem.open("/f", buffered));
    expect(annHandle.writeAtOnce(new Uint8Array(10).fill(1), 0)).toBe(true);
    const bobHandle = await world.run(bob.fileSystem.open("/f", buffered));
    for (const handle of [annHandle, bobHandle]) {
      expect(handle.writeAtOnce(new Uint8Array(10).fill(2), 0)).toBe(false);
      expect(handle.readAtOnce(0, 10)).toBeUndefined();
    }
    expect(await world.run(bobHandle.read(0, 100))).toEqual(new Uint8Array(10).fill(1));
  });

  test("a truncation by the other one is seen by the next read, and a write after it counts", async () => {
    const { world, annHandle, bobHandle } = await twoWriters();
    await world.run(annHandle.write(new Uint8Array(3 * CHUNK_BYTES).fill(1), 0));
    await world.run(bobHandle.truncate(5));
    expect((await world.run(annHandle.read(0, 100))).length).toBe(5);
    await world.run(annHandle.write(Uint8Array.of(9), 7));

    expect(await world.run(bobHandle.read(0, 100))).toEqual(Uint8Array.of(1, 1, 1, 1, 1, 0, 0, 9));
  });

  test("bytes that one zeroes while the other cuts the file off do not make it longer", async () => {
    for (let delayMs = 0; delayMs < 4; delayMs += 0.25) {
      const { world, annHandle, bobHandle } = await twoWriters();
      await world.run(annHandle.write(new Uint8Array(8192).fill(1), 0));
      const zeroing = bobHandle.punch(0, 4096);
      await world.pass(delayMs);
      await world.run(Promise.all([zeroing, annHandle.truncate(5)]));
      expect(await world.run(annHandle.size()), `cut ${delayMs} ms later`).toBe(5);
    }
  });

  test("what one zeroes beyond the end while the other makes the file longer is zeros all over, or nowhere", async () => {
    const seen = new Set<string>();
    for (let delayMs = 0; delayMs < 5; delayMs += 0.25) {
      const { world, annHandle, bobHandle } = await twoWriters();
      await world.run(annHandle.write(new Uint8Array(1000).fill(1), 0));
      const zeroing = bobHandle.punch(0, 3000);
      await world.pass(delayMs);
      await world.run(Promise.all([zeroing, annHandle.write(new Uint8Array(4096).fill(2), 0)]));
      const bytes = await world.run(annHandle.read(0, 9000));
      expect(bytes.subarray(3000)).toEqual(new Uint8Array(1096).fill(2));
      const outcome = new Set(bytes.subarray(0, 3000));
      expect([...outcome], `written ${delayMs} ms later`).toHaveLength(1);
      for (const byte of outcome) seen.add(String(byte));
    }
    expect([...seen].sort()).toEqual(["0", "2"]);
  });

  test("of a write beside a cut there is all or nothing", async () => {
    const seen = new Set<string>();
    for (let delayMs = 0; delayMs < 5; delayMs += 0.25) {
      const { world, annHandle, bobHandle } = await twoWriters();
      await world.run(annHandle.write(new Uint8Array(8192).fill(1), 0));
      const written = bobHandle.write(new Uint8Array(4096).fill(2), 0);
      await world.pass(delayMs);
      await world.run(Promise.all([written, annHandle.truncate(5)]));
      const bytes = await world.run(annHandle.read(0, 9000));
      expect([5, 4096], `cut ${delayMs} ms later`).toContain(bytes.length);
      expect(
        bytes.subarray(5).every((byte) => byte === 2),
        `cut ${delayMs} ms later`,
      ).toBe(true);
      seen.add(String(bytes.length));
    }
    expect(seen.size).toBe(2);
  });

  test("a write while the lease is being recalled is neither lost nor seen half", async () => {
    const { world, ann, bob } = await twoClients();
    const handle = await world.run(ann.fileSystem.open("/f", writing));
    const writes = Promise.all(
      Array.from({ length: 20 }, (_, i) => handle.write(new Uint8Array(8192).fill(i + 1), 8192 * i)),
    );
    const opened = bob.fileSystem.open("/f", { access: "write" });
    await world.run(writes);
    const other = await world.run(opened);

    const bytes = await world.run(other.read(0, 20 * 8192));
    expect(bytes.length).toBe(20 * 8192);
    for (let i = 0; i < 20; i++) expect(bytes[8192 * i + 4000]).toBe(i + 1);
  });

  test("a recall is not answered while a write is under way", async () => {
    const { world, ann, bob } = await twoClients();
    const handle = await world.run(ann.fileSystem.open("/f", writing));
    await world.run(handle.write(Uint8Array.of(1), 0));
    for (const server of world.servers) server.answerDelayMs = 500;
    const write = handle.write(Uint8Array.of(2), 0);
    await world.pass(50);
    const opened = bob.fileSystem.open("/f");
    await world.pass(300);
    const held = [...world.mds.tables.opens.values()];
    expect(held.map(({ lease, recallTo }) => [lease, recallTo])).toEqual([["exclusive", "shared"]]);
    await world.run(write);
    const other = await world.run(opened);

    expect(await world.run(other.read(0, 1))).toEqual(Uint8Array.of(2));
  });

  test("what was found unwritten while nobody else could write is looked up again when somebody can", async () => {
    const { world, ann, bob } = await twoClients();
    const annHandle = await world.run(ann.fileSystem.open("/f", writing));
    await world.run(annHandle.truncate(1000));
    expect((await world.run(annHandle.read(0, 1)))[0]).toBe(0);
    const bobHandle = await world.run(bob.fileSystem.open("/f", writing));
    await world.run(bobHandle.write(Uint8Array.of(5), 0));

    expect((await world.run(annHandle.read(0, 1)))[0]).toBe(5);
  });

  test("what was read by a map that was recalled meanwhile is read again", async () => {
    const { world, ann, bob } = await twoClients();
    await world.run(ann.fileSystem.writeFile("/f", "old"));
    const annHandle = await world.run(ann.fileSystem.open("/f"));
    const bobHandle = await world.run(bob.fileSystem.open("/f", { access: "write" }));
    for (const server of world.servers) server.answerDelayMs = 300;
    const read = annHandle.read(0, 3);
    await world.pass(100);
    for (const server of world.servers) server.answerDelayMs = 0;
    const [chunk] = world.mds.tables.chunks.values();
    if (chunk === undefined) throw new Error("there is a chunk");
    const last = chunk.chain.at(-1);
    if (last !== undefined) world.mds.leaveOut(chunk.chunkId, chunk.version, last.csId);
    await world.run(bobHandle.write(new TextEncoder().encode("new"), 0));
    expect(world.world.simulator.nowMs).toBeGreaterThan(100);

    expect(new TextDecoder().decode(await world.run(read))).toBe("new");
  });

  test("what is written where a truncation cut chunks off is seen by others", async () => {
    const { world, ann, bob } = await twoClients();
    const handle = await world.run(ann.fileSystem.open("/f", writing));
    await world.run(handle.write(new Uint8Array(3 * CHUNK_BYTES).fill(1), 0));
    await world.run(handle.truncate(10));
    await world.run(handle.write(Uint8Array.of(7), 2 * CHUNK_BYTES));
    await world.run(handle.close());

    const bytes = await world.run(bob.fileSystem.readFile("/f"));
    expect([bytes.length, bytes[9], bytes[10], bytes[2 * CHUNK_BYTES]]).toEqual([
      2 * CHUNK_BYTES + 1,
      1,
      0,
      7,
    ]);
  });

  test("where one writer is demanded a second one is refused", async () => {
    const { world, ann, bob } = await twoClients();
    await world.run(ann.fileSystem.writeFile("/f", "x"));
    const first = await world.run(ann.fileSystem.open("/f", { access: "exclusive" }));
    const second = codeOfFailure(bob.fileSystem.open("/f", { access: "exclusive" }));

    expect(await world.run(second)).toBe("lease_conflict");
    await world.run(first.close());
    await world.run((await world.run(bob.fileSystem.open("/f", { access: "exclusive" }))).close());
  });

  test("a revoked writer cannot change a byte any more", async () => {
    const { world, ann, bob } = await twoClients();
    const handle = await world.run(ann.fileSystem.open("/f", writing));
    await world.run(handle.write(new Uint8Array(100).fill(1), 0));
    await world.run(bob.fileSystem.revoke("/f"));
    await world.pass(50);

    expect(await world.run(codeOfFailure(handle.write(Uint8Array.of(2), 0)))).toBe("lease_lost");
    expect((await world.run(bob.fileSystem.readFile("/f")))[0]).toBe(1);
    await world.run(codeOfFailure(handle.close()));
    const again = await world.run(ann.fileSystem.open("/f", writing));
    await world.run(again.write(Uint8Array.of(3), 0));
    expect((await world.run(bob.fileSystem.readFile("/f")))[0]).toBe(3);
  });

  test("both append at once, and no record overlaps another or is lost", async () => {
    const { world, ann, bob } = await twoClients();
    const handles = [
      await world.run(ann.fileSystem.open("/f", writing)),
      await world.run(bob.fileSystem.open("/f", writing)),
    ];
    const lengths = [1, 5000, 70_000, 3];
    const appends = handles.flatMap((handle, who) =>
      lengths.map(async (length, i) => ({
        offset: await handle.append(new Uint8Array(length).fill(10 * (who + 1) + i)),
        length,
        mark: 10 * (who + 1) + i,
      })),
    );
    const records = (await world.run(Promise.all(appends))).sort((a, b) => a.offset - b.offset);

    const bytes = await world.run(bob.fileSystem.readFile("/f"));
    let end = 0;
    for (const { offset, length, mark } of records) {
      expect(offset).toBe(end);
      expect(bytes.subarray(offset, offset + length).every((byte) => byte === mark)).toBe(true);
      end += length;
    }
    expect(bytes.length).toBe(end);
  });

  test("an append that is under way when the other one opens the file is not overwritten", async () => {
    const { world, ann, bob } = await twoClients();
    const handle = await world.run(ann.fileSystem.open("/f", writing));
    expect(await world.run(handle.append(Uint8Array.of(1)))).toBe(0);
    for (let delayMs = 0; delayMs < 12; delayMs++) {
      const first = handle.append(new Uint8Array(100_000).fill(1));
      await world.pass(delayMs);
      const other = await world.run(bob.fileSystem.open("/f", { access: "write" }));
      const second = await world.run(other.append(new Uint8Array(10).fill(2)));
      const offset = await world.run(first);
      await world.run(other.close());
      expect([second >= offset + 100_000, second]).toEqual([true, offset + 100_000]);
      const bytes = await world.run(handle.read(offset, 100_010));
      expect(bytes.length).toBe(100_010);
      expect([bytes[0], bytes[99_999], bytes[100_000], bytes[100_009]]).toEqual([1, 1, 2, 2]);
      // Alone again, so that the next append begins under an exclusive lease.
      await world.run((await world.run(ann.fileSystem.open("/f"))).close());
    }
  });

  test("an append whose answer is lost makes room once", async () => {
    const { world, ann, bob } = await twoClients();
    const handle = await world.run(ann.fileSystem.open("/f", writing));
    await world.run(bob.fileSystem.open("/f", writing));
    world.mds.answersToLose.set("extend", 1);
    expect(await world.run(handle.append(Uint8Array.of(1, 2)))).toBe(0);
    expect(world.mds.applied.get("extend")).toBe(2);
    expect(await world.run(handle.append(Uint8Array.of(3)))).toBe(2);
  });

  test("who goes on alone knows what the other one added last", async () => {
    const { world, ann, bob } = await twoClients();
    const handle = await world.run(ann.fileSystem.open("/f", writing));
    const other = await world.run(bob.fileSystem.open("/f", writing));
    await world.run(handle.write(Uint8Array.of(9), 0));
    // The time of this one, inside the file, is reported later: what is not reported yet must not hide the size.
    await world.run(handle.write(Uint8Array.of(1), 0));
    await world.run(other.append(Uint8Array.of(2, 2)));
    await world.run(other.close());
    await world.run((await world.run(ann.fileSystem.open("/f"))).close());

    expect([...world.mds.tables.opens.values()].map(({ lease }) => lease)).toEqual(["exclusive"]);
    expect(await world.run(handle.append(Uint8Array.of(3)))).toBe(3);
    await world.run(handle.close());
    expect(await world.run(bob.fileSystem.readFile("/f"))).toEqual(Uint8Array.of(1, 2, 2, 3));
  });

  test("a file opened by a caller that gave up is closed again", async () => {
    const { world, ann } = await twoClients();
    const aborted = new AbortController();
    const opened = codeOfFailure(ann.fileSystem.open("/f", { ...writing, signal: aborted.signal }));
    await world.pass(1);
    aborted.abort();
    expect(await world.run(opened)).toBe("cancelled");
    await world.pass(100);

    expect([...world.mds.tables.opens.values()]).toEqual([]);
  });
});

describe("random work under faults", () => {
  /** One writer at a time does what a dumb twin does too; in between leaders change, servers die, others look. */
  async function soak(seed: number): Promise<void> {
    const world = await ClientWorld.start({ seed, csCount: 4 });
    const prng = new Prng(seed);
    const clients = [await world.client("ann"), await world.client("bob")];
    const handles: FileHandle[] = [];
    for (const client of clients) handles.push(await world.run(client.fileSystem.open("/f", writing)));
    let twin = new Uint8Array(0);
    let crashedCount = 0;
    const put = (offset: number, bytes: Uint8Array): void => {
      const grown = new Uint8Array(Math.max(twin.length, offset + bytes.length));
      grown.set(twin);
      grown.set(bytes, offset);
      twin = grown;
    };
    for (let step = 0; step < 60; step++) {
      const handle = prng.pick(handles);
      const offset = prng.below(4 * CHUNK_BYTES);
      const length = 1 + prng.below(30_000);
      const what = prng.below(10);
      if (what < 5) {
        // Some at once, overlapping each other: they count in the order they were made.
        const writes: Promise<void>[] = [];
        for (let i = prng.below(5); i >= 0; i--) {
          const bytes = prng.bytes(1 + prng.below(30_000));
          const at = offset + prng.below(20_000);
          writes.push(handle.write(bytes, at));
          put(at, bytes);
        }
        if (prng.chance(0.1)) {
          await world.pass(prng.below(5));
          const next = (world.mds.leader + 1) % 3;
          world.mds.lead(next);
        }
        if (crashedCount < 2 && prng.chance(0.05)) {
          await world.pass(prng.below(4));
          world.servers[crashedCount++]?.host.crash();
        }
        await world.run(Promise.all(writes));
      } else if (what < 8) {
        const bytes = await world.run(handle.read(offset, length));
        expect(equalBytes(bytes, twin.subarray(offset, offset + length)), `seed ${seed} step ${step}`).toBe(
          true,
        );
      } else if (what === 8) {
        const size = prng.below(4 * CHUNK_BYTES);
        await world.run(handle.truncate(size));
        const cut = new Uint8Array(size);
        cut.set(twin.subarray(0, size));
        twin = cut;
      } else {
        await world.run(handle.punch(offset, length));
        twin.fill(0, offset, offset + length);
        if (prng.chance(0.5)) await world.run(handle.sync());
      }
    }
    for (const handle of handles) {
      const all = await world.run(handle.read(0, twin.length + 1));
      expect(equalBytes(all, twin), `seed ${seed} at the end`).toBe(true);
      await world.run(handle.close());
    }
    for (const client of clients) await world.run(client.close());
  }

  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
    test(`two writers that take turns always see what a dumb twin has (seed ${seed})`, () => soak(seed));
  }
});
