import { expect, test } from "vitest";
import type { ChunkId, CsId, ReplicaReport } from "../../../src/chunk/index.js";
import { InventoryComparison } from "../../../src/mds/inventory-service.js";
import { ManualClock } from "../rpc/fake-channel.js";
import { ChunkWorld } from "./core/chunk-world.js";

const COUNT = 1200;

test("an inventory in parts means the same as in one, and others have their turn meanwhile", async () => {
  const world = new ChunkWorld(3, { replicas: 3, replicasMinimum: 2 });
  const records = Array.from({ length: COUNT }, (_, index) => world.written(index));
  const member = records[0]?.chain[0]?.csId as CsId;
  const all = records.map(({ chunkId, version }): ReplicaReport => {
    return {
      chunkId,
      version,
      syncing: false,
      suspect: false,
      hostCrashed: false,
      filling: false,
      position: 0,
    };
  });
  // One is missing, one is out of date.
  const reports = all.filter((_, index) => index !== 700);
  const old = reports[5] as ReplicaReport;
  reports[5] = { ...old, version: (old.version - 1) as ReplicaReport["version"] };
  let turnCount = 0;
  const clock = new ManualClock();
  clock.sleep = async () => void turnCount++;
  const page = async (_: CsId, after: ChunkId | undefined, limit: number): Promise<ChunkId[]> =>
    all
      .map(({ chunkId }) => chunkId)
      .filter((chunkId) => after === undefined || chunkId > after)
      .slice(0, limit);
  const comparison = (): InventoryComparison =>
    new InventoryComparison(
      { tables: world.tables as never, store: { csChunksPage: page } as never, clock },
      member,
    );

  const whole = comparison();
  await whole.add(reports);
  expect(turnCount).toBeGreaterThan(1);
  const parts = comparison();
  for (let from = 0; from < reports.length; from += 100) await parts.add(reports.slice(from, from + 100));

  const verdicts = await parts.verdicts();
  expect(verdicts).toEqual(await whole.verdicts());
  expect(verdicts.remove.map(({ chunkId, reason }) => [chunkId, reason])).toEqual([
    [old.chunkId, `CS#${member}: its replica is out of date`],
    [all[700]?.chunkId, `CS#${member}: its replica is missing`],
  ]);
  expect(verdicts.useless).toEqual([]);
});
