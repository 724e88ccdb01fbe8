import { expect, test } from "vitest";
import { quickStart } from "../../../examples/quick-start.js";
import { ClientWorld } from "./doubles/client-world.js";

test("the example of the documentation does what it says", async () => {
  const world = await ClientWorld.start({ chunkBytes: 1 << 20 });
  const cluster = await world.client("client");
  const lines: string[] = [];
  await world.run(quickStart(cluster, (line) => lines.push(line)));
  await world.run(cluster.close());

  expect(lines).toEqual([
    "Hello, cluster!",
    "the file has 1052672 bytes; one of them is 2",
    "copied 1052672 bytes",
    "copy 1052672",
    "disk 1052672",
    "hello 15",
  ]);
});
