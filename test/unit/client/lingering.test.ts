import { expect, test } from "vitest";
import { equalBytes } from "../../../src/base/index.js";
import type { InodeNumber } from "../../../src/meta/index.js";
import { ClientWorld } from "./doubles/client-world.js";

const writing = { access: "write", create: true, buffered: true } as const;

/** Opens of the inode that the MDS knows of, over all sessions. */
function opensAtMds(world: ClientWorld, ino: InodeNumber): number {
  return [...world.mds.tables.opens.valuesOf(ino)].length;
}

test("a released file stays open for a moment, is opened again without a word, and is closed in the end", async () => {
  const world = await ClientWorld.start();
  const { fileSystem } = await world.client("client", { cacheMetadata: true });
  const handle = await world.run(fileSystem.open("/f", writing));
  const { ino } = handle;
  const bytes = world.bytes(3000);
  await world.run(handle.write(bytes, 0));
  await world.run(handle.release());
  expect(opensAtMds(world, ino)).toBe(1);

  const again = await world.run(fileSystem.inodes.open(ino, "read", { buffered: true }));
  expect(equalBytes(await world.run(again.read(0, 9000)), bytes)).toBe(true);
  expect(again.openedAttributes.sizeBytes).toBe(3000);
  await world.run(again.release());
  expect(opensAtMds(world, ino)).toBe(1);
  await world.pass(8000);
  expect(opensAtMds(world, ino)).toBe(0);
  expect(world.mds.tables.inodes.get(ino)?.sizeBytes).toBe(3000);
});

test("whoever else wants a file that was released has it alone, with all that was written", async () => {
  const world = await ClientWorld.start();
  const [ann, bob] = [await world.client("ann"), await world.client("bob")];
  const handle = await world.run(ann.fileSystem.open("/f", writing));
  const bytes = world.bytes(3000);
  await world.run(handle.write(bytes, 0));
  await world.run(handle.release());

  const other = await world.run(bob.fileSystem.open("/f", { access: "write" }));
  expect(other.isShared).toBe(false);
  expect(equalBytes(await world.run(other.read(0, 9000)), bytes)).toBe(true);
  await world.run(other.close());
});

test("a handle that was counted as another one's stays good when that is closed", async () => {
  const world = await ClientWorld.start();
  const { fileSystem } = await world.client("client");
  const writer = await world.run(fileSystem.open("/f", writing));
  const reader = await world.run(fileSystem.inodes.open(writer.ino, "read", { buffered: true }));
  await world.run(writer.write(Uint8Array.of(1, 2, 3), 0));
  await world.run(writer.close());
  expect(await world.run(reader.read(0, 10))).toEqual(Uint8Array.of(1, 2, 3));
  await expect(reader.write(Uint8Array.of(1), 0)).rejects.toThrow();
  await world.run(reader.close());
  expect(opensAtMds(world, writer.ino)).toBe(0);
});

test("a released file whose data cannot be stored holds up no other", async () => {
  const world = await ClientWorld.start({ csCount: 1, replicas: 1 });
  const { fileSystem } = await world.client("client");
  const [stuck, other] = [
    await world.run(fileSystem.open("/stuck", writing)),
    await world.run(fileSystem.open("/other", writing)),
  ];
  world.servers[0]?.host.crash();
  await world.run(stuck.write(world.bytes(10), 0));
  await world.run(stuck.release());
  await world.pass(4000);
  await world.run(other.release());
  await world.pass(8000);
  expect(opensAtMds(world, stuck.ino)).toBe(1);
  expect(opensAtMds(world, other.ino)).toBe(0);
});

test("what a released file still has to say is said when the cluster is closed", async () => {
  const world = await ClientWorld.start();
  const ann = await world.client("ann");
  const handle = await world.run(ann.fileSystem.open("/f", writing));
  await world.run(handle.write(Uint8Array.of(7), 0));
  await world.run(handle.release());
  await world.run(ann.close());
  const bob = await world.client("bob");
  expect(await world.run(bob.fileSystem.readFile("/f"))).toEqual(Uint8Array.of(7));
});

test("whoever closes the last handle says what an earlier one left unsaid", async () => {
  const world = await ClientWorld.start();
  const { fileSystem } = await world.client("client");
  const made = await world.run(fileSystem.open("/f", writing));
  const { ino } = made;
  await world.run(made.close());
  await world.run((await world.run(fileSystem.inodes.open(ino, "read"))).release());
  const writer = await world.run(fileSystem.inodes.open(ino, "write"));
  await world.run(writer.write(world.bytes(3000), 0));
  await world.run(writer.release());

  const reader = await world.run(fileSystem.inodes.open(ino, "read"));
  await world.run(reader.close());
  expect(opensAtMds(world, ino)).toBe(0);
  expect(world.mds.tables.inodes.get(ino)?.sizeBytes).toBe(3000);
});
