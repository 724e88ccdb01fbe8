import { describe, expect, test } from "vitest";
import { Prng } from "../../../src/base/index.js";
import type { Cluster, LockHolder } from "../../../src/client/index.js";
import {
  type FileLock,
  type InodeNumber,
  type LockFamily,
  type LockKind,
  lockOwner,
  sessionId,
  WHOLE_FILE,
} from "../../../src/meta/index.js";
import { ClientWorld } from "./doubles/client-world.js";
import { codeOfFailure } from "./doubles/fake-mds.js";

const FAR_MS = 60_000;

class Scene {
  readonly world: ClientWorld;
  readonly ann: Cluster;
  readonly bob: Cluster;
  readonly ino: InodeNumber;

  constructor(world: ClientWorld, ann: Cluster, bob: Cluster, ino: InodeNumber) {
    this.world = world;
    this.ann = ann;
    this.bob = bob;
    this.ino = ino;
  }

  lock(kind: LockKind, owner = 1n, family: LockFamily = "range"): FileLock {
    return { ino: this.ino, family, owner: lockOwner(owner), kind, ...WHOLE_FILE, pid: 7 };
  }

  /** Sent to the MDS and carried out there. */
  requests(): number {
    return this.world.mds.applied.get("setLock") ?? 0;
  }

  release(who: Cluster, owner = 1n, family: LockFamily = "range"): Promise<void> {
    return this.world.run(who.locks.release(this.ino, family, lockOwner(owner)));
  }

  /** Whether it is settled by now. */
  async isDone(promise: Promise<unknown>): Promise<boolean> {
    let isDone = false;
    const note = (): void => {
      isDone = true;
    };
    promise.then(note, note);
    await this.world.pass(100);
    return isDone;
  }
}

async function scene(): Promise<Scene> {
  const world = await ClientWorld.start();
  const ann = await world.client("ann");
  const bob = await world.client("bob");
  const { ino } = await world.run(ann.fileSystem.mkdir("/d"));
  return new Scene(world, ann, bob, ino);
}

describe("locks of two clients", () => {
  test("that conflict are refused, or waited for until they are free", async () => {
    const s = await scene();
    await s.world.run(s.ann.locks.set(s.lock("exclusive")));
    expect(await s.world.run(codeOfFailure(s.bob.locks.set(s.lock("shared"))))).toBe("lock_conflict");
    const found = await s.world.run(s.bob.locks.test(s.lock("shared")));
    expect([found?.sessionId, found?.lock.pid]).toEqual([s.ann.sessionId, 7]);
    const waiting = s.bob.locks.setWaiting(s.lock("exclusive"));
    expect(await s.isDone(waiting)).toBe(false);
    await s.release(s.ann);
    expect(await s.isDone(waiting)).toBe(true);
    expect(await s.world.run(s.bob.locks.test(s.lock("shared")))).toBeUndefined();
    expect(s.world.mds.locks.size).toBe(0);
  });

  test("are given up in vain without a request: nothing was ever locked, or it is released already", async () => {
    const s = await scene();
    await s.release(s.ann);
    expect(s.requests()).toBe(0);
    await s.world.run(s.ann.locks.set(s.lock("exclusive")));
    await s.release(s.ann);
    await s.release(s.ann);
    expect(s.requests()).toBe(2);
    await s.world.run(s.ann.locks.set(s.lock("exclusive")));
    await s.world.run(codeOfFailure(s.bob.locks.set(s.lock("shared"))));
    await s.release(s.bob);
    expect(s.requests()).toBe(3);
  });

  test("of owners that wait for each other: the last one is told", async () => {
    const s = await scene();
    const other = { ...s.lock("exclusive"), ino: (await s.world.run(s.ann.fileSystem.mkdir("/e"))).ino };
    await s.world.run(s.ann.locks.set(s.lock("exclusive")));
    await s.world.run(s.bob.locks.set(other));
    const waiting = s.ann.locks.setWaiting(other);
    await s.world.pass(100);
    expect(await s.world.run(codeOfFailure(s.bob.locks.setWaiting(s.lock("exclusive"))))).toBe("deadlock");
    await s.world.run(s.bob.locks.unlock(other));
    await s.world.run(waiting);
  });

  test("two that convert a shared flock: one gets it when the other one has it no more", async () => {
    const s = await scene();
    for (const who of [s.ann, s.bob]) await s.world.run(who.locks.set(s.lock("shared", 1n, "flock")));
    const first = s.ann.locks.setWaiting(s.lock("exclusive", 1n, "flock"));
    const second = s.bob.locks.setWaiting(s.lock("exclusive", 1n, "flock"));
    await s.world.run(Promise.race([first, second]));
    const [winner, loser] = (await s.isDone(first)) ? [s.ann, second] : [s.bob, first];
    expect(await s.isDone(loser)).toBe(false);
    await s.release(winner, 1n, "flock");
    await s.world.run(loser);
  });
});

describe("a wait for a lock", () => {
  test("that is given up ends, leaves nothing behind, and lets others go on", async () => {
    const s = await scene();
    await s.world.run(s.ann.locks.set(s.lock("exclusive")));
    const giveUp = new AbortController();
    const waiting = codeOfFailure(s.bob.locks.setWaiting(s.lock("exclusive"), { signal: giveUp.signal }));
    await s.world.pass(100);
    expect(s.world.mds.locks.size).toBe(1);
    giveUp.abort();
    expect(await s.world.run(waiting)).toBe("cancelled");
    await s.world.pass(100);
    expect(s.world.mds.locks.size).toBe(0);
    await s.release(s.ann);
    await s.world.run(s.ann.locks.set(s.lock("exclusive", 2n)));
  });

  test("given up at any moment never leaves a lock that nobody knows of", async () => {
    const s = await scene();
    for (let afterMs = 0; afterMs < 40; afterMs++) {
      await s.world.run(s.ann.locks.set(s.lock("exclusive")));
      const giveUp = new AbortController();
      const waiting = codeOfFailure(s.bob.locks.setWaiting(s.lock("exclusive"), { signal: giveUp.signal }));
      const released = s.ann.locks.release(s.ino, "range", lockOwner(1n));
      await s.world.pass(afterMs / 4);
      giveUp.abort();
      const outcome = await s.world.run(waiting);
      await s.world.run(released);
      if (outcome === "ok") await s.release(s.bob);
      await s.world.pass(500);
      expect(s.world.mds.tables.locks.size, `given up after ${afterMs / 4} ms`).toBe(0);
    }
  });

  test("goes on at another leader, where a lock is never held twice", async () => {
    const s = await scene();
    await s.world.run(s.ann.locks.set(s.lock("exclusive")));
    const waiting = s.bob.locks.setWaiting(s.lock("exclusive"));
    await s.world.pass(100);
    s.world.mds.lead(1);
    await s.world.pass(3000);
    expect(await s.isDone(waiting)).toBe(false);
    expect(s.world.mds.locks.size).toBe(1);
    await s.release(s.ann);
    expect(await s.isDone(waiting)).toBe(true);
  });

  test("ends with a lock when the session of the one who had it ends", async () => {
    const s = await scene();
    await s.world.run(s.ann.locks.set(s.lock("exclusive")));
    const waiting = s.bob.locks.setWaiting(s.lock("exclusive"));
    await s.world.pass(100);
    await s.world.run(s.ann.close());
    expect(await s.isDone(waiting)).toBe(true);
  });
});

describe("a session that is lost", () => {
  test("takes its locks with it, and says whose; a wait goes on under the new one", async () => {
    const s = await scene();
    const lost: LockHolder[][] = [];
    s.bob.locks.onLostLocks((holders) => lost.push([...holders]));
    await s.world.run(s.bob.locks.set(s.lock("exclusive")));
    await s.world.run(s.ann.locks.set(s.lock("exclusive", 5n, "flock")));
    const waiting = s.bob.locks.setWaiting(s.lock("exclusive", 6n, "flock"));
    await s.world.pass(100);
    s.world.mds.endSession(sessionId(s.bob.sessionId));
    await s.world.pass(FAR_MS / 10);
    expect(lost).toEqual([[{ ino: s.ino, family: "range", owner: lockOwner(1n) }]]);
    await s.world.run(s.ann.locks.set(s.lock("exclusive")));
    await s.release(s.ann, 5n, "flock");
    await s.world.run(waiting);
    await s.release(s.bob);
    expect((await s.world.run(s.bob.locks.test(s.lock("shared"))))?.sessionId).toBe(s.ann.sessionId);
  });
});

describe("under random faults", () => {
  test.each([1, 2, 3])(
    "nobody is inside together with another, and everybody gets in (seed %i)",
    async (seed) => {
      const s = await scene();
      const random = new Prng(seed);
      const inside = new Map<string, LockKind>();
      const visit = async (who: Cluster, owner: bigint): Promise<void> => {
        for (let round = 0; round < 12; round++) {
          const kind = random.pick(["shared", "exclusive"] as const);
          const name = `${who === s.ann ? "ann" : "bob"} ${owner}`;
          await who.locks.setWaiting(s.lock(kind, owner));
          const others = [...inside.values()];
          if (kind === "exclusive") expect(others).toEqual([]);
          else expect(others).not.toContain("exclusive");
          inside.set(name, kind);
          await s.world.host("setup").clock.sleep("inside", random.below(50));
          inside.delete(name);
          await who.locks.release(s.ino, "range", lockOwner(owner));
        }
      };
      const owners = [1n, 2n, 3n];
      const visits = [s.ann, s.bob].flatMap((who) => owners.map((owner) => visit(who, owner)));
      const all = Promise.all(visits);
      for (let turn = 0; turn < 6; turn++) {
        await s.world.pass(random.below(400));
        s.world.mds.lead((turn + 1) % 3);
      }
      await s.world.run(all);
      await s.world.pass(1000);
      expect([s.world.mds.tables.locks.size, s.world.mds.locks.size]).toEqual([0, 0]);
    },
  );
});
