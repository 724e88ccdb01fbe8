import { expect, test } from "vitest";
import { BLOCK_BYTES, chunkId, chunkVersion } from "../../../src/chunk/index.js";
import {
  type Senders,
  type Sent,
  type SmallWrite,
  type WriteBatch,
  WriteBatches,
} from "../../../src/client/write-batches.js";
import { WriteNumbers } from "../../../src/client/write-numbers.js";
import type { Clock } from "../../../src/io/index.js";
import { ClientWorld } from "./doubles/client-world.js";

/** A message that was sent and not answered: the blocks it writes, and how it ends. */
interface Message {
  readonly batch: WriteBatch | undefined;
  readonly land: () => Promise<void>;
  readonly fail: (error: Error) => Promise<void>;
}

/** Writes of whole blocks to one lane; nothing is answered, and no turn ends, before the test says so. */
class Writer {
  readonly messages: Message[] = [];
  session = 1;
  readonly #timers: (() => void)[] = [];
  readonly #batches: WriteBatches;

  constructor() {
    const after: Clock["after"] = (_name, _delayMs, fire) => {
      this.#timers.push(fire);
      return { cancel: () => undefined };
    };
    const clock = { after } as Clock;
    this.#batches = new WriteBatches(clock, new WriteNumbers(() => this.session));
  }

  async write(block: number, byte = block, count = 1): Promise<boolean> {
    const lengthBytes = count * BLOCK_BYTES;
    const small: SmallWrite = {
      offset: block * BLOCK_BYTES,
      lengthBytes,
      bytes: new Uint8Array(lengthBytes).fill(byte),
      checksums: new Uint8Array(4 * count).fill(byte),
    };
    const sent = (isFirstTry: boolean): Sent => ({
      isFirstTry,
      chunkId: chunkId(1),
      version: chunkVersion(1),
    });
    const senders: Senders = {
      alone: () => this.#send(undefined).then(sent),
      together: (batch) => this.#send(batch).then(sent),
    };
    return (await this.#batches.write("lane", small, senders)).isFirstTry;
  }

  /** What has arrived was dealt with. */
  async endTurn(): Promise<void> {
    await Promise.resolve();
    for (const fire of this.#timers.splice(0)) fire();
  }

  /** The first block of each extent of the message. */
  blocksOf(message: number): number[] | "alone" | undefined {
    const sent = this.messages[message];
    if (sent === undefined) return undefined;
    return sent.batch === undefined ? "alone" : sent.batch.extents.map(({ offset }) => offset / BLOCK_BYTES);
  }

  #send(batch: WriteBatch | undefined): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const settled = async (settle: () => void): Promise<void> => {
        settle();
        for (let i = 0; i < 10; i++) await Promise.resolve();
      };
      this.messages.push({
        batch,
        land: () => settled(() => resolve(true)),
        fail: (error) => settled(() => reject(error)),
      });
    });
  }
}

test("a write that is alone is sent at once, and so is the next one when it has landed", async () => {
  const writer = new Writer();
  const first = writer.write(1);
  await writer.messages[0]?.land();
  await first;
  void writer.write(2);

  expect([writer.blocksOf(0), writer.blocksOf(1)]).toEqual(["alone", "alone"]);
});

test("two messages are under way at most: what comes meanwhile goes together, in the order of places", async () => {
  const writer = new Writer();
  for (const block of [9, 8, 7, 3, 5]) void writer.write(block);
  expect(writer.messages).toHaveLength(2);

  await writer.messages[0]?.land();

  expect(writer.blocksOf(2)).toEqual([3, 5, 7]);
  expect([...(writer.messages[2]?.batch?.payload ?? [])].filter((_, at) => at % BLOCK_BYTES === 0)).toEqual([
    3, 5, 7,
  ]);
  expect([...(writer.messages[2]?.batch?.checksums ?? [])]).toEqual([3, 3, 3, 3, 5, 5, 5, 5, 7, 7, 7, 7]);
});

test("neighbours become one extent", async () => {
  const writer = new Writer();
  for (const block of [20, 21, 3, 2]) void writer.write(block);
  void writer.write(4, 4, 2);

  await writer.messages[0]?.land();

  expect(writer.messages[2]?.batch?.extents).toEqual([
    { offset: 2 * BLOCK_BYTES, lengthBytes: 4 * BLOCK_BYTES },
  ]);
});

test("writers that come back when their batch has landed are sent in two halves", async () => {
  const writer = new Writer();
  const writes = [9, 1, 2, 3, 4].map((block) => writer.write(block));
  await writer.messages[0]?.land();
  await writer.messages[1]?.land();
  await writer.messages[2]?.land();
  await Promise.all(writes);

  for (const block of [11, 13, 15, 17]) void writer.write(block);
  expect(writer.messages).toHaveLength(3);
  await writer.endTurn();

  expect([writer.blocksOf(3), writer.blocksOf(4)]).toEqual([
    [11, 13],
    [15, 17],
  ]);
});

test("writes of the same place never travel together, and stay in their order", async () => {
  const writer = new Writer();
  void writer.write(9);
  void writer.write(8);
  for (const block of [1, 3, 1]) void writer.write(block);

  await writer.messages[0]?.land();
  expect(writer.blocksOf(2)).toEqual([1, 3]);
  await writer.messages[1]?.land();
  await writer.messages[2]?.land();
  await writer.endTurn();

  expect(writer.blocksOf(3)).toEqual([1]);
});

test("what was accepted under one session does not travel with what was under the next", async () => {
  const writer = new Writer();
  for (const block of [9, 7, 1, 3]) void writer.write(block);
  writer.session = 2;
  for (const block of [4, 6]) void writer.write(block);

  await writer.messages[0]?.land();
  await writer.messages[1]?.land();

  expect(writer.blocksOf(2)).toEqual([1, 3]);
  expect(writer.messages[2]?.batch?.name.isValid()).toBe(false);
  expect(writer.blocksOf(3)).toEqual([4, 6]);
  expect(writer.messages[3]?.batch?.name.isValid()).toBe(true);
});

test("a batch that cannot be carried out fails for all in it, and for nobody else", async () => {
  const writer = new Writer();
  const [first, second, third, fourth] = [9, 8, 1, 2].map((block) => writer.write(block));
  await writer.messages[0]?.land();
  const failed = Promise.allSettled([third, fourth]);
  await writer.messages[2]?.fail(new Error("lost"));
  await writer.messages[1]?.land();

  expect(await Promise.all([first, second])).toEqual([true, true]);
  expect((await failed).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  await writer.endTurn();
  void writer.write(5);
  expect(writer.blocksOf(3)).toBe("alone");
});

test("blocks written side by side through the library are on all servers, in few messages", async () => {
  const world = await ClientWorld.start();
  const { fileSystem } = await world.client("client");
  const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
  await world.run(handle.write(new Uint8Array(40 * BLOCK_BYTES).fill(255), 0));
  const blocks = Array.from({ length: 20 }, (_, index) => 2 * index);

  await world.run(
    Promise.all(
      blocks.map((block) => handle.write(new Uint8Array(BLOCK_BYTES).fill(block), block * BLOCK_BYTES)),
    ),
  );

  const counts = world.servers.flatMap(({ extentCounts }) => extentCounts);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(16);
  expect(counts.length).toBeLessThanOrEqual(8);
  const bytes = await world.run(handle.read(0, 40 * BLOCK_BYTES));
  expect(Array.from({ length: 40 }, (_, index) => bytes[index * BLOCK_BYTES + 7])).toEqual(
    Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? index : 255)),
  );
});
