import { describe, expect, test } from "vitest";
import { ChunkModel } from "./chunk-model.js";

describe("the life of chunks among failing servers", () => {
  const cases = Array.from({ length: 20 }, (_, seed) => ({ seed: seed + 1 }));

  test.each(cases)("loses nothing that was acknowledged, and heals (seed $seed)", ({ seed }) => {
    const replicas = 1 + (seed % 3);
    const model = new ChunkModel(seed, replicas + 2, replicas);
    for (let i = 0; i < 500; i++) {
      model.step();
      if (i % 10 === 0) model.check();
    }
    expect(model.acknowledgedCount).toBeGreaterThan(0);
    model.heal();
    model.checkHealed();
  });
});
