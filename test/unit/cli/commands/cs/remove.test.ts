import { expect, test } from "vitest";
import { type FailureCode, storageError } from "../../../../../src/base/index.js";
import { askHowFar } from "../../../../../src/cli/commands/cs/remove.js";

const failing = (code: FailureCode) => ({
  removeChunkServer: () => Promise.reject(storageError(code, "so")),
});

test.each(["unavailable", "timed_out", "not_leader"] as const)(
  "whoever waits for a release goes on waiting when the answer is %s",
  async (code) => {
    expect(await askHowFar(failing(code), 1025)).toBeUndefined();
  },
);

test("a release that is refused is not waited for", async () => {
  await expect(askHowFar(failing("refused"), 1025)).rejects.toThrow("refused");
});

test("the answer says how far it is", async () => {
  const removal = { isDropped: false, remainingCount: 3 };
  expect(await askHowFar({ removeChunkServer: () => Promise.resolve(removal) }, 1025)).toEqual(removal);
});
