import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, test, vi } from "vitest";
import { TEST_MS } from "../cluster/ordeal/patience.js";
import { seededPrng } from "../cluster/ordeal/seed.js";
import { Agent } from "./agent.js";
import { FileExerciser } from "./fsx.js";
import { MountLab, mountObstacle } from "./harness.js";

/** Random operations on one file, with a model in memory; `PSTORAGE_SEED` repeats a run, `PSTORAGE_TEST_ROUNDS` lengthens it. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const STEPS = 800 * Number(process.env["PSTORAGE_TEST_ROUNDS"] ?? 1);
const ROOT = { uid: 0, gid: 0, groups: [0] };

const prng = seededPrng(import.meta.url);
const agents: Agent[] = [];

function agent(): Agent {
  const made = new Agent({ ...ROOT, uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 });
  agents.push(made);
  return made;
}

afterAll(() => {
  for (const each of agents) each.kill();
});

test.skipIf(process.getuid?.() !== 0)(
  "random operations on a local file, by two processes: the test itself is right",
  async () => {
    const directory = await mkdtemp(join(tmpdir(), "pstorage-fsx-"));
    try {
      const path = join(directory, "file");
      await new FileExerciser(prng.fork(), [
        { agent: agent(), path },
        { agent: agent(), path },
      ]).run(300);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
);

describe.skipIf(mountObstacle() !== undefined)("random operations", () => {
  let lab: MountLab;

  beforeAll(async () => {
    lab = await MountLab.start({ mounts: [{ host: 1 }, { host: 2 }] });
  });

  afterAll(async () => {
    for (const each of agents.splice(0)) each.kill();
    await lab?.close();
  });

  test("on a file of one mount read back what was written", async () => {
    const path = join(lab.path(), "one");
    await new FileExerciser(prng.fork(), [
      { agent: agent(), path },
      { agent: agent(), path },
    ]).run(STEPS);
  });

  test("on a file of two mounts at once read back what was written", async () => {
    const hands = [0, 1].map((index) => ({ agent: agent(), path: join(lab.path(index), "two") }));
    await new FileExerciser(prng.fork(), hands).run(STEPS);
  });

  test("on files about as large as what is kept in the metadata read back what was written", async () => {
    const files = [2000, 5000, 12_000, 20_000].map((sizeMax) =>
      new FileExerciser(
        prng.fork(),
        [0, 1].map((index) => ({ agent: agent(), path: join(lab.path(index % 2), `small${sizeMax}`) })),
        sizeMax,
      ).run(STEPS / 4),
    );
    const alone = join(lab.path(), "alone");
    await Promise.all([
      ...files,
      new FileExerciser(prng.fork(), [{ agent: agent(), path: alone }], 6000).run(STEPS),
    ]);
  });

  test("on small pieces of several files, each by both mounts, read back what was written", async () => {
    const files = ["x", "y", "z"].map((name) =>
      new FileExerciser(
        prng.fork(),
        [0, 1].map((index) => ({ agent: agent(), path: join(lab.path(index), name) })),
      ).run(STEPS / 4),
    );
    await Promise.all(files);
  });
});
