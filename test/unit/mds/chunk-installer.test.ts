import { expect, test } from "vitest";
import { type FailureCode, storageError } from "../../../src/base/index.js";
import type { CsId } from "../../../src/chunk/index.js";
import { ChunkInstaller } from "../../../src/mds/chunk-installer.js";
import type { Change } from "../../../src/mds/core/command.js";
import type { CsLinks } from "../../../src/mds/cs-links.js";
import type { SessionHub } from "../../../src/mds/session-hub.js";
import { noopLogger } from "../../../src/telemetry/index.js";
import { ManualClock } from "../rpc/fake-channel.js";
import { ChunkWorld } from "./core/chunk-world.js";

type Answers = ReadonlyMap<CsId, FailureCode>;

/** Time passes while servers are waited for; the pause before the next round never ends. */
class Pauses extends ManualClock {
  override sleep(name = "", delayMs = 0): Promise<void> {
    if (name !== "mds.install.arrival") return new Promise<void>(() => undefined);
    this.advance(delayMs);
    return Promise.resolve();
  }
}

/**
 * What is proposed after a round in which these members failed, and clients answer so; undefined: nothing,
 * it is tried again.
 */
async function proposedAfter(
  world: ChunkWorld,
  answers: Answers,
  dropMap: () => Promise<void> = async () => undefined,
  arrivesMs: ReadonlyMap<CsId, number> = new Map(),
  /** Of those that arrive: they have registered, and bring a replica in doubt. */
  isRegistered = false,
  /** Those whose replicas turned out to be of no use. */
  refused: CsId[] = [],
): Promise<Change | undefined> {
  const { chunkId, version } = world.chunkOf(0);
  const proposals: Change[] = [];
  const clock = new Pauses();
  const beganMs = clock.monotonicMs();
  const isConnected = (csId: CsId): boolean => clock.monotonicMs() - beganMs >= (arrivesMs.get(csId) ?? 0);
  const links = {
    isConnected,
    isExpected: (csId: CsId) => isRegistered && !isConnected(csId),
    command: async (csId: CsId) => {
      const code = isConnected(csId) ? answers.get(csId) : "unavailable";
      if (code !== undefined) throw storageError(code);
      // Each its own: that of the first is 1, of the second 2.
      return { highWaterBytes: 1 + world.chunkOf(0).chain.findIndex((member) => member.csId === csId) };
    },
  };
  const installer = new ChunkInstaller({
    clock,
    log: noopLogger,
    tables: world.tables,
    links: links as unknown as CsLinks,
    sessions: { dropMap } as unknown as SessionHub,
    propose: async (change) => {
      proposals.push(change);
      return world.apply(change).outcome as never;
    },
    isSuspect: (_chunkId, csId) => isRegistered && arrivesMs.has(csId) && isConnected(csId),
    refused: (csId) => refused.push(csId),
  });
  installer.install(chunkId, version);
  await new Promise((resolve) => setImmediate(resolve));
  installer.close();
  return proposals[0];
}

/** A chunk on three servers that is being installed anew, the third being filled. */
function threeMembers(): { world: ChunkWorld; members: [CsId, CsId, CsId] } {
  const world = new ChunkWorld(3, { replicas: 3, replicasMinimum: 1 });
  const [a, b, c] = world.written().chain.map(({ csId }) => csId) as [CsId, CsId, CsId];
  const { chunkId } = world.chunkOf(0);
  world.reconfigure(chunkId, { remove: [c] });
  world.installAll();
  world.reconfigure(chunkId, { add: [{ csId: c, keepContents: false }] });
  return { world, members: [a, b, c] };
}

test("a version that all members accept is installed", async () => {
  const { world } = threeMembers();
  expect(await proposedAfter(world, new Map())).toMatchObject({ type: "chunkInstalled" });
});

test("the data end where they end on members that have everything, whatever one that is being filled kept", async () => {
  const { world } = threeMembers();
  expect(await proposedAfter(world, new Map())).toMatchObject({ body: { highWaterBytes: 2 } });
});

test("members that fail are left out as long as somebody who has the data stays", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  const failed = new Map<CsId, FailureCode>([
    [b, "timed_out"],
    [c, "unavailable"],
  ]);
  expect(await proposedAfter(world, failed)).toMatchObject({ body: { remove: [b, c] } });
  expect(world.chain(world.chunkOf(0).chunkId)).toBe(`${a}`);
});

test("those that are there and do not answer stay when all have failed: they may wait for one that is gone", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  const failed = new Map<CsId, FailureCode>([
    [a, "timed_out"],
    [b, "unavailable"],
    [c, "timed_out"],
  ]);
  expect(await proposedAfter(world, failed)).toMatchObject({ body: { remove: [b, c] } });
});

test("nobody is left out when nobody who has the data is there", async () => {
  const { world, members } = threeMembers();
  const [a, b] = members;
  const failed = new Map<CsId, FailureCode>([
    [a, "unavailable"],
    [b, "unavailable"],
  ]);
  expect(await proposedAfter(world, failed)).toBeUndefined();
});

test("clients that hold a lease are waited for, one whose lease was revoked is not", async () => {
  const { world } = threeMembers();
  const isSilent = (): Promise<void> => new Promise(() => undefined);
  expect(await proposedAfter(world, new Map(), isSilent)).toBeUndefined();
  world.mutate(world.session(), "revoke", { ino: world.ino });
  expect(await proposedAfter(world, new Map(), isSilent)).toMatchObject({ type: "chunkInstalled" });
});

test("a new leader waits a moment for servers that are on their way to it, and no longer", async () => {
  const arriving = (arrivesMs: number): ReturnType<typeof proposedAfter> => {
    const { world, members } = threeMembers();
    return proposedAfter(world, new Map(), undefined, new Map([[members[1], arrivesMs]]));
  };
  expect(await arriving(2900)).toMatchObject({ type: "chunkInstalled" });
  expect(await arriving(60_000)).toMatchObject({ type: "reconfigureChunk" });
});

test("a replica whose doubt is only known when its server has arrived is not installed as if there were none", async () => {
  const { world, members } = threeMembers();
  const [, b] = members;
  const change = await proposedAfter(world, new Map(), undefined, new Map([[b, 5000]]), true);
  expect(change).toMatchObject({ type: "reconfigureChunk", body: { remove: [b] } });
});

test("a member whose disk fails is of no use; one that does not answer, or is only being filled, may be yet", async () => {
  const { world, members } = threeMembers();
  const [a, b, c] = members;
  const failed = new Map<CsId, FailureCode>([
    [a, "io_error"],
    [b, "timed_out"],
    [c, "io_error"],
  ]);
  const refused: CsId[] = [];
  await proposedAfter(world, failed, undefined, undefined, false, refused);
  expect(refused).toEqual([a]);
});
