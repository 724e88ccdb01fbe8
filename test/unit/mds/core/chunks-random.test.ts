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

describe("metadata that are recovered from a backup", () => {
  const cases = Array.from({ length: 40 }, (_, seed) => ({ seed: seed + 1 }));
  let early = 0;
  let late = 0;

  test.each(cases)("find all that was acknowledged in the lost time, and heal (seed $seed)", ({ seed }) => {
    const replicas = 1 + (seed % 3);
    const model = new ChunkModel(1000 + seed, replicas + 2, replicas);
    for (let i = 0; i < 150; i++) model.step();
    model.backUp();
    for (let i = 0; i < (seed % 5) * 60; i++) model.step();
    const confirmed = model.recover(200_000_000 + seed);
    early += confirmed.early;
    late += confirmed.late;
    model.heal();
    model.checkHealed();
  });

  test("at once or when all are heard: both happened", () => {
    expect(early).toBeGreaterThan(10);
    expect(late).toBeGreaterThan(10);
  });
});
