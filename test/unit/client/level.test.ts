import { expect, test } from "vitest";
import { BLOCK_BYTES, FIRST_LEVEL, IO_BYTES_MAX, LEVEL, WRITE_BYTES_MAX } from "../../../src/chunk/index.js";
import type { FileHandle } from "../../../src/client/index.js";
import { ClientWorld } from "./doubles/client-world.js";

const CHUNK_BYTES = 16 << 20;

async function atFirstLevel(): Promise<{ world: ClientWorld; handle: FileHandle }> {
  const world = await ClientWorld.start({ chunkBytes: CHUNK_BYTES });
  world.mds.level = FIRST_LEVEL;
  const { fileSystem } = await world.client("client");
  const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
  return { world, handle };
}

const longest = ({ servers }: ClientWorld): number =>
  Math.max(...servers.map(({ longestWriteBytes }) => longestWriteBytes));
const extentsOf = ({ servers }: ClientWorld): number =>
  servers.flatMap(({ extentCounts }) => extentCounts).length;

/** A long write, and many short ones side by side. */
async function work(world: ClientWorld, handle: FileHandle): Promise<void> {
  const bytes = world.bytes(WRITE_BYTES_MAX);
  await world.run(handle.write(bytes, 0));
  const block = world.bytes(BLOCK_BYTES);
  await world.run(
    Promise.all(Array.from({ length: 20 }, (_, index) => handle.write(block, 2 * index * BLOCK_BYTES))),
  );
  for (let index = 0; index < 20; index++) bytes.set(block, 2 * index * BLOCK_BYTES);
  const found = await world.run(handle.read(0, bytes.length));
  expect(Buffer.compare(found, bytes)).toBe(0);
}

test("a client sends servers nothing that those of the cluster's level do not understand", async () => {
  const { world, handle } = await atFirstLevel();
  await work(world, handle);
  expect(longest(world)).toBe(IO_BYTES_MAX);
  expect(extentsOf(world)).toBe(0);
});

test("a client takes up a higher level as soon as it is told of it", async () => {
  const { world, handle } = await atFirstLevel();
  world.mds.raiseLevel(LEVEL);
  await world.pass(100);
  await work(world, handle);
  expect(longest(world)).toBe(WRITE_BYTES_MAX);
  expect(extentsOf(world)).toBeGreaterThan(0);
});
