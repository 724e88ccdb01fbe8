import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Guide } from "./guide/guide.js";
import { noPrivateMachines } from "./guide/private-machine.js";
import { STORIES } from "./guide/stories.js";
import { ClusterDirectory } from "./harness.js";
import { Machines } from "./ordeal/machines.js";
import { TEST_MS } from "./ordeal/patience.js";

/** Every command of the documents is typed on four machines, in the order of the pages. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const why = noPrivateMachines();
if (why !== undefined) process.stderr.write(`skipped: ${why}\n`);

let directory: ClusterDirectory;
let machines: Machines;
let guide: Guide;
let isStuck = false;

beforeAll(async () => {
  if (why !== undefined) return;
  directory = await ClusterDirectory.make();
  machines = new Machines(directory.path, 4);
  guide = await Guide.start(machines);
});

afterAll(async () => {
  if (why !== undefined) return;
  if (process.env["PSTORAGE_TRANSCRIPT"] !== undefined) process.stderr.write(`${guide.transcript()}\n`);
  await guide.close();
  machines.remove();
  await directory.remove([]);
});

describe.skipIf(why !== undefined)("on four machines", () => {
  test.each(STORIES)("what $page says works", async (story) => {
    expect(isStuck, "the pages before have left the machines as they say").toBe(false);
    isStuck = true;
    await guide.read(story);
    isStuck = false;
  });
});
