import { expect, test } from "vitest";
import { storageError } from "../../../src/base/index.js";
import { chunkId } from "../../../src/chunk/index.js";
import type { ClusterConfig, FileHandle } from "../../../src/client/index.js";
import type { DiskFile } from "../../../src/io/index.js";
import { ClientWorld } from "./doubles/client-world.js";

const SIZE = 3 * 64 * 1024;

/** What the disk of a chunk server's machine does with reads. */
type DiskMood = "well" | "wrong" | "missing" | "stuck";

/** A client on the machine of the first chunk server, and a file with a replica there. */
class LocalWorld {
  readonly world: ClientWorld;
  readonly bytes: Uint8Array;
  readonly handle: FileHandle;
  readonly #mood: { now: DiskMood };

  private constructor(world: ClientWorld, bytes: Uint8Array, handle: FileHandle, mood: { now: DiskMood }) {
    this.world = world;
    this.bytes = bytes;
    this.handle = handle;
    this.#mood = mood;
  }

  static async start(): Promise<LocalWorld> {
    const world = await ClientWorld.start();
    const bytes = world.bytes(SIZE);
    const writer = await world.client("writer");
    const written = await world.run(writer.fileSystem.open("/f", { access: "write", create: true }));
    await world.run(written.write(bytes, 0));
    await world.run(writer.close());
    const mood = { now: "well" as DiskMood };
    const reader = await world.client("reader", localConfig(world, mood));
    const handle = await world.run(reader.fileSystem.open("/f", { access: "write" }));
    return new LocalWorld(world, bytes, handle, mood);
  }

  set mood(mood: DiskMood) {
    this.#mood.now = mood;
  }

  get asked(): { reads: number; locates: number } {
    const { servers } = this.world;
    const sum = (of: "readCount" | "locateCount"): number =>
      servers.reduce((total, server) => total + server[of], 0);
    return { reads: sum("readCount"), locates: sum("locateCount") };
  }

  /** As a mount does it. */
  async read(offset: number, lengthBytes: number): Promise<Uint8Array> {
    const known = this.handle.readAtOnce(offset, lengthBytes);
    return known ?? (await this.world.run(this.handle.read(offset, lengthBytes)));
  }
}

function localConfig(world: ClientWorld, mood: { now: DiskMood }): Partial<ClusterConfig> {
  return {
    hostId: "cs1",
    localDisk: {
      open: async (path) => {
        if (mood.now === "missing") throw storageError("not_found", path);
        return fileOf(world, path, mood);
      },
    },
  };
}

/** The data of a replica of the first chunk server, as its machine's file systems have them. */
function fileOf(world: ClientWorld, path: string, mood: { now: DiskMood }): DiskFile {
  const unused = (): never => {
    throw new Error("a reader does nothing else");
  };
  const [, host, id] = path.split("/");
  const fill = (buffer: Uint8Array, offset: number): number => {
    const server = world.servers.find((each) => each.host.name === host);
    const found = server?.replicas.get(chunkId(Number(id)))?.bytes.subarray(offset, offset + buffer.length);
    buffer.set(found ?? []);
    if (mood.now === "wrong") buffer[0] = (buffer[0] ?? 0) ^ 1;
    return found?.length ?? 0;
  };
  return {
    read: async (buffer, offset) => {
      if (mood.now === "stuck") await new Promise<void>(() => undefined);
      return fill(buffer, offset);
    },
    readAtOnce: (buffer, offset) => (mood.now === "stuck" ? undefined : fill(buffer, offset)),
    write: unused,
    writeSynced: unused,
    sync: unused,
    truncate: unused,
    sizeBytes: unused,
    close: async () => undefined,
  };
}

test("the bytes of a server on the same machine are read from its files", async () => {
  const local = await LocalWorld.start();

  const bytes = await local.read(10, SIZE - 20);

  expect(bytes).toEqual(local.bytes.subarray(10, SIZE - 10));
  expect(local.asked.reads).toBe(0);
});

test("checksums are asked for once, and again where something was written", async () => {
  const local = await LocalWorld.start();
  await local.read(0, 4096);
  await local.read(8192, 100);
  const once = local.asked.locates;

  await local.world.run(local.handle.write(Uint8Array.of(1, 2, 3), 5000));
  const bytes = await local.read(4999, 5);

  expect(bytes).toEqual(Uint8Array.of(local.bytes[4999] ?? 0, 1, 2, 3, local.bytes[5003] ?? 0));
  expect([once, local.asked.locates, local.asked.reads]).toEqual([1, 2, 0]);
});

test("what the checksums are known of is read in the same moment, until it is written or the disk lets one wait", async () => {
  const local = await LocalWorld.start();
  const { handle, bytes } = local;
  expect(handle.readAtOnce(4096, 100)).toBeUndefined();
  await local.read(0, 10);
  expect(handle.readAtOnce(4100, 9000)).toEqual(bytes.subarray(4100, 13_100));
  expect(handle.readAtOnce(0, SIZE)).toBeUndefined();
  local.mood = "wrong";
  expect(handle.readAtOnce(0, 4096)).toBeUndefined();
  local.mood = "stuck";
  expect(handle.readAtOnce(0, 4096)).toBeUndefined();
  local.mood = "well";
  const writing = handle.write(Uint8Array.of(1), 5000);
  expect(handle.readAtOnce(4096, 4096)).toBeUndefined();
  expect(handle.readAtOnce(12_288, 100)).toEqual(bytes.subarray(12_288, 12_388));
  await local.world.run(writing);
  expect(handle.readAtOnce(4096, 4096)).toBeUndefined();
  expect((await local.read(5000, 2))[0]).toBe(1);
  expect((handle.readAtOnce(5000, 2) ?? [])[0]).toBe(1);
  expect(local.asked.reads).toBe(0);
});

test("bytes that are not what their checksums say come from the server", async () => {
  const local = await LocalWorld.start();
  local.mood = "wrong";

  const bytes = await local.read(0, 4096);

  expect(bytes).toEqual(local.bytes.subarray(0, 4096));
  expect(local.asked.reads).toBe(1);
});

test("where files are not to be found, as in a container, everything comes from the server, and it is not asked in vain", async () => {
  const local = await LocalWorld.start();
  local.mood = "missing";

  await local.read(0, 4096);
  const bytes = await local.read(4096, 4096);

  expect(bytes).toEqual(local.bytes.subarray(4096, 8192));
  expect(local.asked).toEqual({ reads: 2, locates: 1 });
});

test("a disk that does not answer is left to its server", async () => {
  const local = await LocalWorld.start();
  local.mood = "stuck";
  const { clock } = local.world.host("reader");
  const beganMs = clock.monotonicMs();

  const bytes = await local.read(0, 4096);

  expect(bytes).toEqual(local.bytes.subarray(0, 4096));
  expect(clock.monotonicMs() - beganMs).toBeLessThan(5000);
});

test("what another client writes is read, though the files were read before", async () => {
  const local = await LocalWorld.start();
  await local.read(0, 4096);
  const other = await local.world.client("other");
  const written = await local.world.run(other.fileSystem.open("/f", { access: "write" }));

  await local.world.run(written.write(Uint8Array.of(9, 9), 100));
  const shared = await local.read(99, 4);
  await local.world.run(written.close());
  const alone = await local.read(99, 4);

  const expected = Uint8Array.of(local.bytes[99] ?? 0, 9, 9, local.bytes[102] ?? 0);
  expect([shared, alone]).toEqual([expected, expected]);
});
