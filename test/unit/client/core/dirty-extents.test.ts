import { describe, expect, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { DirtyExtents } from "../../../../src/client/core/dirty-extents.js";
import { SlotMemory } from "../../../../src/client/core/slot-memory.js";

const SLOT = 64;
const FILE = 4 * SLOT;

/** What the extents stand for, byte by byte: one array of what is dirty, one of what is on its way. */
class DumbTwin {
  readonly dirty: (number | undefined)[] = new Array(FILE).fill(undefined);
  readonly flying: (number | undefined)[] = new Array(FILE).fill(undefined);

  seen(): (number | undefined)[] {
    return this.dirty.map((byte, i) => byte ?? this.flying[i]);
  }
}

function seenBy(extents: DirtyExtents): (number | undefined)[] {
  const result: (number | undefined)[] = new Array(FILE).fill(undefined);
  const bytes = new Uint8Array(FILE);
  extents.overlay(bytes, 0);
  for (const { begin, end } of extents.spans(0, FILE)) {
    for (let i = begin; i < end; i++) result[i] = bytes[i];
  }
  return result;
}

describe("dirty extents", () => {
  test("a stream uses the memory of slots that have landed again, but not of those that somebody may still look at", () => {
    const slotBytes = 128 * 1024;
    const extents = new DirtyExtents(new SlotMemory(slotBytes, 2));
    const write = (index: number): void =>
      void extents.write(index * slotBytes, new Uint8Array(slotBytes).fill(index + 1), 0);
    const memoryOf = (index: number): ArrayBufferLike | undefined => extents.take(index)[0]?.bytes.buffer;
    write(0);
    write(1);
    write(2);
    const [second, third] = [memoryOf(1), memoryOf(2)];
    extents.landed(1, true);
    extents.landed(2, false);
    write(1);
    write(2);
    write(3);

    const [only] = extents.take(1);
    expect(only?.bytes.every((byte) => byte === 2)).toBe(true);
    expect([only?.bytes.buffer === second, [memoryOf(2), memoryOf(3)].includes(third)]).toEqual([
      true,
      false,
    ]);
  });

  test.each(Array.from({ length: 12 }, (_, seed) => seed))("equal their dumb twin (seed %i)", (seed) => {
    const random = new Prng(seed);
    const below = (limit: number): number => random.uint32() % limit;
    const extents = new DirtyExtents(new SlotMemory(SLOT, 2));
    const twin = new DumbTwin();
    let cost = 0;
    for (let step = 0; step < 300; step++) {
      const index = below(FILE / SLOT);
      const slot = extents.slot(index);
      const range = [index * SLOT, (index + 1) * SLOT] as const;
      const dice = below(10);
      if (dice < 7) {
        const offset = range[0] + below(SLOT);
        const bytes = Uint8Array.from({ length: 1 + below(Math.min(20, range[1] - offset)) }, () =>
          below(256),
        );
        cost += extents.write(offset, bytes, step);
        bytes.forEach((byte, i) => {
          twin.dirty[offset + i] = byte;
        });
        bytes.fill(0);
      } else if (slot?.flying !== undefined) {
        cost -= extents.landed(index, true);
        twin.flying.fill(undefined, ...range);
      } else if (slot !== undefined) {
        const sent: (number | undefined)[] = new Array(FILE).fill(undefined);
        let last = -1;
        for (const { offset, bytes } of extents.take(index)) {
          expect(offset).toBeGreaterThan(last);
          last = offset + bytes.length;
          bytes.forEach((byte, i) => {
            sent[offset + i] = byte;
          });
        }
        for (let i = range[0]; i < range[1]; i++) {
          twin.flying[i] = twin.dirty[i];
          twin.dirty[i] = undefined;
        }
        expect(sent.slice(...range)).toEqual(twin.flying.slice(...range));
      }
      expect(seenBy(extents)).toEqual(twin.seen());
      const isComplete = twin.dirty.slice(...range).every((byte) => byte !== undefined);
      expect(extents.isComplete(index)).toBe(isComplete);
      const from = below(FILE);
      const to = from + below(FILE - from);
      expect(extents.gap(from, to)).toEqual(gapOf(twin.seen(), from, to));
    }
    expect(extents.clear()).toBe(cost);
    expect(extents.isEmpty).toBe(true);
    expect(extents.dirtyCost).toBe(0);
  });

  test("a stream of small writes becomes one extent", () => {
    const extents = new DirtyExtents(new SlotMemory(1 << 20, 2));
    for (let offset = 0; offset < 1 << 20; offset += 4096) extents.write(offset, new Uint8Array(4096), 0);

    expect(extents.isComplete(0)).toBe(true);
    expect(extents.take(0)).toHaveLength(1);
  });

  test("writes that come backwards become one extent too", () => {
    const extents = new DirtyExtents(new SlotMemory(1 << 20, 2));
    for (let offset = (1 << 20) - 4096; offset >= 0; offset -= 4096)
      extents.write(offset, new Uint8Array(4096).fill(offset >> 12), 0);

    const [only, ...others] = extents.take(0);
    expect(others).toEqual([]);
    expect(only?.bytes.length).toBe(1 << 20);
    expect(only?.bytes[5 * 4096]).toBe(5);
  });
});

function gapOf(
  bytes: readonly (number | undefined)[],
  from: number,
  to: number,
): { readonly begin: number; readonly end: number } | undefined {
  let begin = from;
  while (begin < to && bytes[begin] !== undefined) begin++;
  if (begin >= to) return undefined;
  let end = to;
  while (bytes[end - 1] !== undefined) end--;
  return { begin, end };
}
