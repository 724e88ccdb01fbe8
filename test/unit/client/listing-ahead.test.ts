import { expect, test } from "vitest";
import { storageError, toUtf8 } from "../../../src/base/index.js";
import { ListingAhead } from "../../../src/client/listing-ahead.js";
import { type Entries, inodeNumber } from "../../../src/meta/index.js";

const DIRECTORY = inodeNumber(7);

/** Directories of so many names, listed unasked; the first names of the pages that were asked for. */
class Lister {
  readonly pages: string[] = [];
  readonly ahead: ListingAhead;
  failure: unknown;

  constructor(entryCount: number) {
    const names = Array.from({ length: entryCount }, (_, index) => `f${String(index).padStart(6, "0")}`);
    this.ahead = new ListingAhead(async (_directory, after, count): Promise<Entries> => {
      if (this.failure !== undefined) throw this.failure;
      const begin = after.length === 0 ? 0 : names.indexOf(Buffer.from(after).toString()) + 1;
      this.pages.push(names[begin] ?? "");
      const entries = names.slice(begin, begin + count).map((name) => ({
        name: toUtf8(name),
        ino: inodeNumber(8),
        mode: 0o100644,
      }));
      return { entries, isEnd: begin + count >= names.length };
    });
  }

  async miss(count: number, entryCount: number | undefined): Promise<void> {
    for (let i = 0; i < count; i++) this.ahead.missed(DIRECTORY, entryCount);
    for (let i = 0; i < 200; i++) await Promise.resolve();
  }
}

test("a directory in which a few names are looked up is not listed", async () => {
  const lister = new Lister(100);

  await lister.miss(7, 100);

  expect(lister.pages).toEqual([]);
});

test("one in which many are looked up is listed once, page by page", async () => {
  const lister = new Lister(1200);

  await lister.miss(18, 1200);
  expect(lister.pages).toEqual([]);
  await lister.miss(1, 1200);

  expect(lister.pages).toEqual(["f000000", "f000500", "f001000"]);
});

test("a larger one is listed after more lookups, one that is very large or of unknown size never", async () => {
  for (const [size, isListed] of [
    [6_000, true],
    [7_000, false],
    [30_000, false],
    [undefined, false],
  ] as const) {
    const lister = new Lister(10);
    await lister.miss(100, size);
    expect(lister.pages.length > 0, `${size} names`).toBe(isListed);
  }
});

test("if the names are not found in the listing it is tried ever more seldom", async () => {
  const lister = new Lister(10);

  for (let i = 0; i < 200; i++) await lister.miss(1, 10);

  expect(lister.pages).toHaveLength(5);
});

test("a listing that fails is nobody's failure, and may be tried again", async () => {
  const lister = new Lister(10);
  lister.failure = storageError("not_found");
  await lister.miss(8, 10);
  lister.failure = undefined;
  await lister.miss(8, 10);

  expect(lister.pages).toHaveLength(1);
});
