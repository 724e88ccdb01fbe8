import { describe, expect, test } from "vitest";
import { Prng } from "../../../src/base/index.js";
import { IO_BYTES_MAX } from "../../../src/chunk/index.js";
import { Loan } from "../../../src/client/core/lent-block.js";
import { ReadAhead, ReadAheadMemory } from "../../../src/client/read-ahead.js";

const BLOCK = IO_BYTES_MAX;
const BLOCKS = 24;

/** A file whose every word says where it is, and in which version of the file. */
class NumberedFile {
  readonly memory: ReadAheadMemory;
  readonly ahead: ReadAhead;
  /** Memory that was not used before. */
  allocated = 0;
  version = 1;

  constructor(bytesMax: number) {
    this.memory = new ReadAheadMemory(bytesMax);
    this.ahead = new ReadAhead(this.memory, {
      lease: { kind: "read", isReady: () => true },
      fetch: async (offset, lengthBytes) => {
        const bytes = this.memory.spare.spare(lengthBytes) ?? this.#allocate(lengthBytes);
        for (let at = 0; at < lengthBytes; at += BLOCK / 4)
          new DataView(bytes.buffer).setUint32(at, this.wordAt(offset + at));
        return bytes;
      },
    });
  }

  wordAt(offset: number): number {
    return this.version * 1000 + offset / (BLOCK / 4);
  }

  #allocate(lengthBytes: number): Uint8Array {
    this.allocated++;
    return new Uint8Array(lengthBytes);
  }

  async read(begin: number, end: number, loan?: Loan): Promise<Uint8Array | undefined> {
    return await this.ahead.read(begin, end, BLOCKS * BLOCK, undefined, loan);
  }
}

const firstWord = (bytes: Uint8Array | undefined): number | undefined =>
  bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0);

describe("memory of what is read ahead", () => {
  test("a reader who gives back what he was lent is served from the memory of few blocks", async () => {
    const file = new NumberedFile(1 << 30);
    for (let block = 0; block < BLOCKS; block++) {
      const loan = new Loan();
      const bytes = await file.read(block * BLOCK, (block + 1) * BLOCK, loan);
      expect(firstWord(bytes)).toBe(file.wordAt(block * BLOCK));
      loan.end();
    }
    expect(file.allocated).toBeLessThanOrEqual(10);
    expect(file.memory.bytes).toBe(0);
  });

  test("what one reader still looks at stays as it is while others go on", async () => {
    const file = new NumberedFile(1 << 30);
    const held = new Loan();
    const first = await file.read(0, BLOCK, held);
    for (let block = 1; block < BLOCKS; block++) {
      const loan = new Loan();
      await file.read(block * BLOCK, (block + 1) * BLOCK, loan);
      loan.end();
    }
    expect(first?.length).toBe(BLOCK);
    expect(firstWord(first)).toBe(file.wordAt(0));
  });

  test("who reads without a loan keeps what he got, whatever is forgotten", async () => {
    const file = new NumberedFile(10 * BLOCK);
    const kept: (Uint8Array | undefined)[] = [];
    for (let block = 0; block < BLOCKS; block++)
      kept.push(await file.read(block * BLOCK, (block + 1) * BLOCK));
    file.ahead.forgetAll();
    const got = kept.filter((bytes) => bytes !== undefined);
    expect(got.length).toBeGreaterThan(BLOCKS / 2);
    for (const [block, bytes] of kept.entries())
      if (bytes !== undefined) expect(firstWord(bytes)).toBe(file.wordAt(block * BLOCK));
    expect(new Set(got.map(({ buffer }) => buffer)).size).toBe(got.length);
  });

  test.each([1, 2, 3, 4, 5, 6])(
    "bytes stay what they were read as until their loan is over, whatever happens to the file (seed %i)",
    async (seed) => {
      const random = new Prng(seed);
      const below = (limit: number): number => random.uint32() % limit;
      const file = new NumberedFile((1 + below(12)) * BLOCK);
      const held: { loan: Loan; bytes: Uint8Array; word: number; length: number }[] = [];
      let position = 0;
      let served = 0;
      for (let step = 0; step < 400; step++) {
        if (below(8) === 0) position = below(BLOCKS);
        if (below(20) === 0) {
          file.version++;
          file.ahead.changed(0, BLOCKS * BLOCK);
        }
        if (below(60) === 0) file.ahead.forgetAll();
        const begin = (position % BLOCKS) * BLOCK;
        const length = [BLOCK / 4, BLOCK / 2, BLOCK][below(3)] ?? BLOCK;
        const loan = below(10) === 0 ? undefined : new Loan();
        const bytes = await file.read(begin, begin + length, loan);
        position++;
        if (bytes !== undefined) {
          served++;
          // A block that was asked for before the change is never handed out after it.
          expect(firstWord(bytes)).toBe(file.wordAt(begin));
          held.push({ loan: loan ?? new Loan(), bytes, word: file.wordAt(begin), length });
        }
        while (held.length > below(12)) {
          const [done] = held.splice(below(held.length), 1);
          expect([firstWord(done?.bytes), done?.bytes.length]).toEqual([done?.word, done?.length]);
          done?.loan.end();
        }
      }
      expect(served).toBeGreaterThan(50);
    },
  );
});
