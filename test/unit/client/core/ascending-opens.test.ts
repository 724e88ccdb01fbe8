import { expect, test } from "vitest";
import { AscendingOpens, type OpenWindow } from "../../../../src/client/core/ascending-opens.js";
import { inodeNumber } from "../../../../src/meta/index.js";

/** Opens these one after the other; everything that is asked for is opened ahead. */
function visit(inos: readonly number[], opens = new AscendingOpens()): (OpenWindow | undefined)[] {
  return inos.map((ino) => {
    const window = opens.opened(inodeNumber(ino));
    if (window !== undefined) opens.openedAhead(inodeNumber(window.from + window.count - 1));
    return window;
  });
}

test("files in the order of their numbers are opened ahead from the fourth on, in windows that grow", () => {
  const windows = visit(Array.from({ length: 200 }, (_, index) => 100 + index)).filter(
    (window) => window !== undefined,
  );

  expect(windows.slice(0, 4)).toEqual([
    { from: 104, count: 8 },
    { from: 112, count: 16 },
    { from: 128, count: 32 },
    { from: 160, count: 64 },
  ]);
  expect(windows.every(({ count }) => count <= 64)).toBe(true);
});

test("whoever skips a few numbers is still in order, whoever skips many or goes back is not", () => {
  expect(visit([10, 15, 20, 25]).at(-1)).toEqual({ from: 26, count: 8 });
  expect(visit([10, 11, 12, 40, 41])).toEqual([undefined, undefined, undefined, undefined, undefined]);
  expect(visit([10, 11, 12, 11, 12])).toEqual([undefined, undefined, undefined, undefined, undefined]);
});

test("the same file again is neither the next one nor another order", () => {
  expect(visit([10, 11, 11, 12, 13]).at(-1)).toEqual({ from: 14, count: 8 });
});

test("after files in no order everything begins anew", () => {
  const opens = new AscendingOpens();
  visit([10, 11, 12, 13, 14], opens);

  expect(visit([500, 501, 502, 503], opens)).toEqual([
    undefined,
    undefined,
    undefined,
    { from: 504, count: 8 },
  ]);
});
