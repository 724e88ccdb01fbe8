import { expect, test } from "vitest";
import { ChainModel } from "./chain-model.js";

test("under every order of events tried, reads never go back and survivors end equal", () => {
  let readCount = 0;
  let ackCount = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const model = new ChainModel(seed, 2 + (seed % 3));
    try {
      model.run(400);
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
    }
    readCount += model.readCount;
    ackCount += model.ackCount;
  }

  expect(readCount).toBeGreaterThan(1_000);
  expect(ackCount).toBeGreaterThan(1_000);
});
