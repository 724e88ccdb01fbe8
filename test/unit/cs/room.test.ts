import { expect, test } from "vitest";
import { Room } from "../../../src/cs/room.js";
import type { Clock, DiskSpace } from "../../../src/io/index.js";

const MIB = 2 ** 20;

/** A disk of 1000 MiB, at a time that the test sets. */
function world(): { room: Room; disk: DiskSpace & { freeBytes: number }; pass: (ms: number) => void } {
  let nowMs = 0;
  const disk = { totalBytes: 1000 * MIB, freeBytes: 100 * MIB };
  const clock = { monotonicMs: () => nowMs } as unknown as Clock;
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return { room: new Room(clock, async () => ({ ...disk })), disk, pass };
}

const looked = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what may be written ends before the disk does, so that deleting is possible", async () => {
  const { room } = world();
  room.take(0);
  await looked();
  expect(room.take(79 * MIB)).toBe(true);
  expect(room.take(2 * MIB)).toBe(false);
});

test("a disk that was full takes more when something was deleted", async () => {
  const { room, disk, pass } = world();
  disk.freeBytes = 0;
  room.take(0);
  await looked();
  expect(room.take(1)).toBe(false);
  disk.freeBytes = 50 * MIB;
  pass(200);
  room.take(1);
  await looked();
  expect(room.take(1)).toBe(true);
});

test("what may not have reached the disk when it was asked is counted, so that the reserve is not used up", async () => {
  const { room, disk, pass } = world();
  room.take(0);
  await looked();
  expect(room.take(60 * MIB)).toBe(true);
  pass(200);
  // Of the 60 MiB the disk has written 10 when it is asked.
  disk.freeBytes -= 10 * MIB;
  room.take(1);
  await looked();
  expect(room.take(25 * MIB)).toBe(false);
  expect(room.take(5 * MIB)).toBe(true);
});
