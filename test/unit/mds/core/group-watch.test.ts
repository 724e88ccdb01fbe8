import { expect, test } from "vitest";
import {
  GroupWatch,
  SILENT_MS,
  SpaceWatch,
  type WatchedMember,
} from "../../../../src/mds/core/group-watch.js";

const MEMBER: WatchedMember = {
  mdsId: 2,
  address: "10.0.0.2:2510",
  isVoter: true,
  isActive: true,
  matchIndex: 5000,
  snapshotCount: 0,
};

/** What is told at each look at a member that is as given, so many seconds later each. */
function told(looks: readonly [Partial<WatchedMember>, lastIndex: number][], seconds = 1): string[][] {
  const watch = new GroupWatch();
  return looks.map(([member, lastIndex], index) =>
    watch
      .look([{ ...MEMBER, ...member }], lastIndex, index * seconds * 1000)
      .map(({ system, severity, message }) => `${system} ${severity} ${message}`),
  );
}

test("a member that follows is no news", () => {
  expect(
    told([
      [{}, 5000],
      [{ matchIndex: 5900 }, 6000],
      [{ matchIndex: 6000 }, 6000],
    ]),
  ).toEqual([[], [], []]);
});

test("a member that lags is told once, and once when it has caught up", () => {
  expect(
    told([
      [{ matchIndex: 4999 }, 6000],
      [{ matchIndex: 5100 }, 6500],
      [{ matchIndex: 6500 }, 6500],
    ]),
  ).toEqual([
    ["JRN err MDS#2 (10.0.0.2:2510) lags behind for more than 1000 rounds"],
    [],
    ["JRN info MDS#2 (10.0.0.2:2510) has caught up"],
  ]);
});

test("a member that is gone is told after ten seconds, and when it is there again", () => {
  const gone = { isActive: false };
  expect(
    told(
      [
        [{}, 5000],
        [gone, 5000],
        [gone, 5000],
        [gone, 5001],
        [{ matchIndex: 5001 }, 5001],
      ],
      4,
    ),
  ).toEqual([
    [],
    [],
    [],
    ["JRN err MDS#2 (10.0.0.2:2510) didn't accept commits for 12 sec"],
    ["JRN info MDS#2 (10.0.0.2:2510) accepts commits again"],
  ]);
  expect(SILENT_MS).toBe(10_000);
});

test("a member that is there and takes nothing is told, one that is slow is not", () => {
  const stuck = told(
    [
      [{}, 5001],
      [{}, 5002],
      [{}, 5003],
      [{}, 5004],
    ],
    4,
  );
  expect(stuck.flat()).toEqual(["JRN err MDS#2 (10.0.0.2:2510) didn't accept commits for 12 sec"]);
  const slow = told(
    [
      [{}, 5500],
      [{ matchIndex: 5001 }, 5500],
      [{ matchIndex: 5002 }, 5500],
      [{ matchIndex: 5003 }, 5500],
    ],
    4,
  );
  expect(slow.flat()).toEqual([]);
});

test("a member that gets a snapshot is told each time; for one that joins that is nothing bad", () => {
  expect(
    told([
      [{}, 5000],
      [{ snapshotCount: 1 }, 5000],
      [{ snapshotCount: 1 }, 5000],
    ])[1],
  ).toEqual(["JRN err MDS#2 (10.0.0.2:2510) state is outdated and will do a full resync"]);
  expect(told([[{ isVoter: false, snapshotCount: 1, matchIndex: 0 }, 5000]])).toEqual([
    ["JRN info MDS#2 (10.0.0.2:2510) gets a full copy of the metadata"],
  ]);
});

test("a cluster that runs out of space says so once, and why, and when there is space again", () => {
  const watch = new SpaceWatch();
  const look = (allocatableFreeBytes: number, usedBytes = 0): string[] =>
    watch
      .look({ allocatableBytes: 100, allocatableFreeBytes, capacityBytes: 80, usedBytes })
      .map(({ severity, message }) => `${severity} ${message}`);
  expect([look(50), look(0), look(0), look(1), look(0, 80)]).toEqual([
    [],
    ["warn The cluster is out of space"],
    [],
    ["info The cluster has free space again"],
    ["warn The cluster is out of space (mds.alloc.capacity_max is reached)"],
  ]);
});

test("a cluster without servers is not out of space", () => {
  const watch = new SpaceWatch();
  expect(
    watch.look({ allocatableBytes: 0, allocatableFreeBytes: 0, capacityBytes: 0, usedBytes: 0 }),
  ).toEqual([]);
});
