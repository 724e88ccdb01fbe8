import { expect, test } from "vitest";
import { SIGN_IN_MS, SignIns } from "../../../../src/dashboard/core/sign-ins.js";

test("who has signed in may act until half an hour after the last action", () => {
  const signIns = new SignIns();
  signIns.add("a", 0);
  expect(signIns.use("a", SIGN_IN_MS - 1)).toBe(true);
  expect(signIns.use("a", 2 * SIGN_IN_MS - 2)).toBe(true);
  expect(signIns.use("a", 4 * SIGN_IN_MS)).toBe(false);
  expect(signIns.use("a", 4 * SIGN_IN_MS)).toBe(false);
  expect(signIns.use("b", 0)).toBe(false);
});

test("who signs out may act no more, and of too many the one that was away longest has to sign in again", () => {
  const signIns = new SignIns();
  signIns.add("a", 0);
  signIns.remove("a");
  expect(signIns.use("a", 1)).toBe(false);
  for (let number = 0; number < 65; number++) signIns.add(`t${number}`, number);
  expect(signIns.use("t0", 100)).toBe(false);
  expect(signIns.use("t1", 100)).toBe(true);
});
