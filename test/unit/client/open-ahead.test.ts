import { describe, expect, test } from "vitest";
import { OpenAhead } from "../../../src/client/open-ahead.js";
import { type Attributes, type InodeNumber, inodeNumber, MODE_FILE } from "../../../src/meta/index.js";

/** Reads files one after the other; small files up to `listedTo` are known, without those that `isUnknown`. */
function reading(options: { sizeBytes?: number; isUnknown?: (ino: number) => boolean } = {}) {
  const { sizeBytes = 1000, isUnknown = () => false } = options;
  const state = { listedTo: Number.POSITIVE_INFINITY };
  const opened: number[][] = [];
  const known = {
    attributes: (ino: InodeNumber): Attributes | undefined =>
      ino > state.listedTo || isUnknown(ino)
        ? undefined
        : ({ ino, mode: MODE_FILE | 0o644, sizeBytes } as Attributes),
  };
  const files = {
    get: () => undefined,
    openAhead: async (inos: readonly InodeNumber[]) => {
      opened.push([...inos]);
    },
  };
  const ahead = new OpenAhead(files, { known });
  const read = (from: number, to: number) => {
    for (let ino = from; ino <= to; ino++) ahead.opened(inodeNumber(ino));
  };
  return { state, opened, read };
}

describe("opening ahead", () => {
  test("each file that follows is opened once, ever more in one request", () => {
    const { opened, read } = reading();
    read(10, 200);
    const all = opened.flat();
    expect(all).toEqual([...new Set(all)]);
    expect(all.slice(0, 3)).toEqual([14, 15, 16]);
    expect(opened.map((inos) => inos.length).slice(0, 4)).toEqual([8, 16, 32, 64]);
    expect(all.at(-1)).toBeGreaterThan(200);
  });

  test("files that nobody has heard of yet are opened ahead once they are known", () => {
    const { state, opened, read } = reading();
    state.listedTo = 100;
    read(10, 100);
    expect(opened.flat().at(-1)).toBe(100);
    state.listedTo = 300;
    read(101, 101);
    expect(opened.at(-1)?.[0]).toBe(102);
  });

  test("what is no small file is left out, and not too many bytes are asked for at once", () => {
    const odd = reading({ isUnknown: (ino) => ino % 2 === 1 });
    odd.read(10, 30);
    expect(odd.opened.flat().every((ino) => ino % 2 === 0)).toBe(true);
    const great = reading({ sizeBytes: 2 ** 20 });
    great.read(10, 50);
    expect(great.opened).toEqual([]);
    const middling = reading({ sizeBytes: 64_000 });
    middling.read(10, 200);
    expect(Math.max(...middling.opened.map((inos) => inos.length))).toBe(17);
  });

  test("nothing is opened ahead for who reads here and there", () => {
    const { opened, read } = reading();
    for (const ino of [5, 900, 17, 400, 30, 1000, 44]) read(ino, ino);
    expect(opened).toEqual([]);
  });
});
