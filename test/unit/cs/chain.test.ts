import { expect, test } from "vitest";
import { defined } from "../../../src/base/index.js";
import { type CsId, checksumsOf } from "../../../src/chunk/index.js";
import { CHUNK, ChainWorld } from "./world/chain-world.js";
import { headOf } from "./world/toy-client.js";

const filled = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

function member(chain: ChainWorld, index: number): CsId {
  return defined(chain.csIds[index], "there are so many servers");
}

test("what was written is read from every member of the chain", async () => {
  const chain = await ChainWorld.of(1, 3);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 0, filled(8192, 1)), "a write");
  await chain.run(chain.client.write(CHUNK, 100, filled(5000, 2)), "a write");

  const contents = await chain.contents(12_288);

  const expected = new Uint8Array(12_288);
  expected.fill(1, 0, 8192);
  expected.fill(2, 100, 5100);
  expect(contents).toEqual([expected, expected, expected]);
});

test("the high-water mark is exact to the byte on every member", async () => {
  const chain = await ChainWorld.of(2, 3);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 5000, filled(1234, 1)), "a write");

  expect(await chain.highWaters()).toEqual([6234, 6234, 6234]);
});
