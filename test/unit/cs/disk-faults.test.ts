import { describe, expect, test } from "vitest";
import { fromUtf8 } from "../../../src/base/index.js";
import type { CsId } from "../../../src/chunk/index.js";
import { CHUNK, ChainWorld } from "./world/chain-world.js";
import { randomRun } from "./world/random-run.js";

/** Every label of a disk operation that a server uses while it serves (those of its start and of repairs have their own tests). */
const LABELS = [
  "cs.data.open",
  "cs.data.read",
  "cs.data.size",
  "cs.data.sync",
  "cs.data.truncate",
  "cs.data.write",
  "cs.data.write-synced",
  "cs.directory.make",
  "cs.directory.sync",
  "cs.record.clear",
  "cs.record.create",
  "cs.record.install",
  "cs.record.mark",
  "cs.sums.open",
  "cs.sums.sync",
  "cs.sums.write",
] as const;

/** One fault in the middle of a run in which also other servers die. */
const runWith = (label: string, effect: "crash" | "power_loss" | "io_error" | "no_space", skip: number) =>
  randomRun({
    seed: 10 + skip,
    csCount: 3,
    steps: 60,
    faults: [],
    truncates: true,
    chunkBytes: 2 << 20,
    diskFault: { label, effect, skip, times: 1 },
  });

describe.each(LABELS)("at %s", (label) => {
  test("a crash of the process loses nothing acknowledged", async () => {
    const chain = await runWith(label, "crash", 1);

    expect(chain.world.host("1025").isAlive).toBe(true);
  });

  test("a loss of power loses nothing acknowledged", async () => {
    const chain = await runWith(label, "power_loss", 0);

    expect(chain.world.host("1025").isAlive).toBe(true);
  });

  test("an I/O error costs the replica, not the data", async () => {
    const chain = await runWith(label, "io_error", 0);

    expect(chain.world.host("1025").isAlive).toBe(true);
  });
});

test("a full disk costs the replica, not the data", async () => {
  const chain = await runWith("cs.data.write", "no_space", 0);

  expect(chain.mds.reports.map(({ code }) => code)).toContain("no_space");
});

test("every label that a server uses while it serves has a test here", async () => {
  const chain = await randomRun({ seed: 5, csCount: 3, steps: 150, faults: ["kill"], truncates: true });

  const seen = new Set(chain.csIds.flatMap((id) => [...chain.host(id).diskFaults.labelsSeen]));
  const elsewhere =
    /^(kv\.range|cs\.(identity|state|records|space|directory\.list|scrub\.put|record\.(recover|filled|delete|stamp)|file|sums\.read))/;
  const untested = [...seen].filter(
    (label) => !elsewhere.test(label) && !LABELS.some((known) => known === label),
  );
  expect(untested).toEqual([]);
});

test("a failed sync is remembered on the disk: what the page cache shows after it may never have been written", async () => {
  const chain = await ChainWorld.of(1, 2);
  await chain.make();
  await chain.run(chain.client.write(CHUNK, 0, new Uint8Array(4096).fill(1)), "a write");
  const { disk, diskFaults } = chain.host(chain.csIds[1] as CsId);
  const bootId = async () =>
    JSON.parse(fromUtf8(await chain.run(disk.readFile("/cs/state.json", "test"), "a read"))).bootId;
  expect(await bootId()).toBe(disk.bootId());

  diskFaults.add({ label: "cs.data.sync", effect: "io_error", times: 1 });
  await chain.run(chain.client.sync(CHUNK), "a sync");
  await chain.runFor(100);

  expect(await bootId()).toBe("");
});
