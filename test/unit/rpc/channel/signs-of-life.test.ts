import { expect, test } from "vitest";
import { SIGN_MS, SignsOfLife } from "../../../../src/rpc/channel/signs-of-life.js";

/** Signs of a peer at these moments, after the beginning at 0. */
function heardAt(...moments: readonly number[]): SignsOfLife {
  const signs = new SignsOfLife(0);
  for (const nowMs of moments) {
    signs.heard(nowMs);
    signs.sign(nowMs);
  }
  return signs;
}

const every = (periodMs: number, untilMs: number): number[] =>
  Array.from({ length: Math.floor(untilMs / periodMs) }, (_, index) => (index + 1) * periodMs);

test("a peer that shows signs all the time is silent after two seconds without any", () => {
  const signs = heardAt(...every(SIGN_MS, 10_000));
  expect(signs.isSilent(12_000)).toBe(false);
  expect(signs.isSilent(12_001)).toBe(true);
});

test("a peer of an earlier program, which shows signs seldom, may be silent for as long as it ever might", () => {
  expect(heardAt(...every(1000, 10_000)).silentMsMax).toBe(4000);
  expect(heardAt(...every(5000, 20_000)).silentMsMax).toBe(7500);
});

test("of a peer whose habits are not known yet nothing is believed", () => {
  expect(new SignsOfLife(0).silentMsMax).toBe(7500);
  expect(heardAt(400).silentMsMax).toBe(7500);
});

test("a peer that was busy and spoke again is given twice that time for a while, and then as before", () => {
  const moments = [...every(SIGN_MS, 10_000), 11_800];
  expect(heardAt(...moments).silentMsMax).toBe(3600);
  const later = every(SIGN_MS, 50_000).map((ms) => 11_800 + ms);
  expect(heardAt(...moments, ...later).silentMsMax).toBe(3600);
  const muchLater = every(SIGN_MS, 130_000).map((ms) => 11_800 + ms);
  expect(heardAt(...moments, ...muchLater).silentMsMax).toBe(2000);
});

test("a time in which nobody listened is no silence of the peer, and no habit of it", () => {
  const signs = heardAt(...every(SIGN_MS, 5000));
  signs.excuse(60_000);
  expect(signs.isSilent(62_000)).toBe(false);
  signs.heard(60_500);
  signs.sign(60_500);
  expect(signs.silentMsMax).toBe(2000);
  expect(signs.isSilent(62_501)).toBe(true);
});

test("whoever talks without pause needs no signs", () => {
  const signs = heardAt(...every(SIGN_MS, 5000));
  for (let nowMs = 5000; nowMs < 60_000; nowMs += 100) signs.heard(nowMs);
  expect(signs.isSilent(61_900)).toBe(false);
  expect(signs.silentMsMax).toBe(2000);
});
