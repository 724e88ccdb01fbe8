import { describe, expect, test } from "vitest";
import { equalBytes } from "../../../src/base/index.js";
import { CHUNK_BYTES, ClientWorld } from "./doubles/client-world.js";
import { codeOfFailure } from "./doubles/fake-mds.js";

const writing = { access: "write", create: true } as const;
const BLOCK = 4096;

describe("a file's layout", () => {
  test("data and holes are found, in chunks and between them, buffered bytes included", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", { ...writing, buffered: true }));
    await world.run(handle.write(world.bytes(BLOCK), 2 * BLOCK));
    await world.run(handle.write(world.bytes(10), 5 * CHUNK_BYTES + BLOCK + 7));
    const end = 5 * CHUNK_BYTES + BLOCK + 17;

    expect(await world.run(handle.seekData(0))).toBe(2 * BLOCK);
    expect(await world.run(handle.seekData(2 * BLOCK + 5))).toBe(2 * BLOCK + 5);
    expect(await world.run(handle.seekHole(0))).toBe(0);
    expect(await world.run(handle.seekHole(2 * BLOCK))).toBe(3 * BLOCK);
    expect(await world.run(handle.seekData(3 * BLOCK))).toBe(5 * CHUNK_BYTES + BLOCK);
    expect(await world.run(handle.seekHole(5 * CHUNK_BYTES + BLOCK))).toBe(end);
    expect(await world.run(handle.seekHole(end))).toBeUndefined();
    await world.run(handle.truncate(end + CHUNK_BYTES));
    expect(await world.run(handle.seekData(end + BLOCK))).toBeUndefined();
    expect(await world.run(handle.seekHole(end + BLOCK))).toBe(end + BLOCK);
  });

  test("allocate and zeroRange make the file longer, unless its size is to be kept", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    await world.run(handle.write(new Uint8Array(100).fill(1), 0));
    await world.run(handle.allocate(50, 1000, { keepSize: true }));
    expect(await world.run(handle.size())).toBe(100);
    await world.run(handle.allocate(50, 1000));
    expect(await world.run(handle.size())).toBe(1050);
    await world.run(handle.zeroRange(90, 5000, { keepSize: true }));
    expect(await world.run(handle.size())).toBe(1050);
    await world.run(handle.zeroRange(95, 5000));

    const seen = await world.run(handle.read(0, 10_000));
    expect(seen.length).toBe(5095);
    expect(seen.lastIndexOf(1)).toBe(89);
  });

  test("an allocated size is known to the MDS at once", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    await world.run(handle.allocate(0, 12_345));

    expect(world.mds.tables.inodes.get(handle.ino)?.sizeBytes).toBe(12_345);
  });

  test("a copy has the same bytes, and holes where the original has them", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const source = await world.run(fileSystem.open("/source", { ...writing, buffered: true }));
    const target = await world.run(fileSystem.open("/target", { ...writing, buffered: true }));
    await world.run(source.write(world.bytes(3 * CHUNK_BYTES), 1000));
    await world.run(source.write(world.bytes(5000), 40 * CHUNK_BYTES));
    await world.run(source.truncate(2 ** 26));
    await world.run(target.write(new Uint8Array(9 * CHUNK_BYTES).fill(7), 0));

    const whole = await world.run(source.copyRange(500, target, 100, 2 ** 27));
    expect(whole).toBe(2 ** 26 - 500);
    expect(await world.run(target.size())).toBe(100 + whole);
    const seen = await world.run(target.read(0, 41 * CHUNK_BYTES));
    const expected = await world.run(source.read(500, 41 * CHUNK_BYTES - 100));
    expect(seen.subarray(0, 100).every((byte) => byte === 7)).toBe(true);
    expect(equalBytes(seen.subarray(100), expected)).toBe(true);
    // Those written to: not one for every chunk there could be.
    await world.run(target.flush());
    expect(world.mds.tables.chunks.size).toBeLessThan(20);
  });

  test("a range is not copied onto itself", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", writing));
    await world.run(handle.write(world.bytes(1000), 0));

    expect(await world.run(codeOfFailure(handle.copyRange(0, handle, 999, 1000)))).toBe("invalid");
    expect(await world.run(handle.copyRange(0, handle, 1000, 1000))).toBe(1000);
    const seen = await world.run(handle.read(0, 2000));
    expect(equalBytes(seen.subarray(0, 1000), seen.subarray(1000))).toBe(true);
  });
});
