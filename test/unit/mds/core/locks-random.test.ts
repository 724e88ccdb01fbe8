import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { changedRanges, type LockedRange } from "../../../../src/mds/core/lock-ranges.js";
import {
  type FileLock,
  type InodeNumber,
  type LockKind,
  lockOwner,
  lockPosition,
  lockPositionValue,
  type SessionId,
} from "../../../../src/meta/index.js";
import { CoreWorld, codeOf } from "./core-world.js";

const BYTES = 12;

/** Locks as a table of bytes: who has what on each. */
class ByteLocks {
  readonly #bytes = Array.from({ length: BYTES }, () => new Map<string, LockKind>());

  isFree(who: string, kind: LockKind, begin: number, end: number): boolean {
    return this.#bytes
      .slice(begin, end)
      .every((holders) =>
        [...holders].every(([holder, held]) => holder === who || (kind === "shared" && held === "shared")),
      );
  }

  set(who: string, kind: LockKind | "none", begin: number, end: number): void {
    for (const holders of this.#bytes.slice(begin, end)) {
      if (kind === "none") holders.delete(who);
      else holders.set(who, kind);
    }
  }

  dropAll(prefix: string): void {
    for (const holders of this.#bytes) {
      for (const who of [...holders.keys()]) if (who.startsWith(prefix)) holders.delete(who);
    }
  }

  /** What one owner has, a letter a byte. */
  picture(who: string): string {
    return this.#bytes.map((holders) => (holders.get(who) ?? "-").charAt(0)).join("");
  }
}

function pictureOf(ranges: readonly LockedRange[]): string {
  const letters = Array.from({ length: BYTES }, () => "-");
  for (const { begin, end, kind } of ranges) {
    for (let i = Number(lockPositionValue(begin)); i < Number(lockPositionValue(end)); i++)
      letters[i] = kind.charAt(0);
  }
  return letters.join("");
}

/** In order, not empty, not overlapping, and no two neighbours that could be one. */
function checkShape(ranges: readonly LockedRange[]): void {
  ranges.forEach((range, i) => {
    assert.ok(range.begin < range.end, "not empty");
    const previous = ranges[i - 1];
    if (previous === undefined) return;
    assert.ok(previous.end <= range.begin, "in order");
    assert.ok(previous.end < range.begin || previous.kind !== range.kind, "joined");
  });
}

const SEEDS = [1, 2, 3, 4, 5, 6];

describe("random changes of ranges", () => {
  test.each(SEEDS)("give what a table of bytes says (seed %i)", (seed) => {
    const random = new Prng(seed);
    const twin = new ByteLocks();
    let ranges: readonly LockedRange[] = [];
    for (let step = 0; step < 2000; step++) {
      const begin = random.below(BYTES);
      const end = begin + 1 + random.below(BYTES - begin);
      const kind = random.pick(["shared", "exclusive", "none"] as const);
      const place = { begin: lockPosition(BigInt(begin)), end: lockPosition(BigInt(end)) };
      ranges = changedRanges(ranges, { ...place, kind, pid: 1 });
      twin.set("me", kind, begin, end);
      assert.equal(pictureOf(ranges), twin.picture("me"));
      checkShape(ranges);
    }
  });
});

describe("random locks of several owners in several sessions", () => {
  test.each(SEEDS)("are given and refused as a table of bytes says (seed %i)", (seed) => {
    const random = new Prng(seed);
    const world = new CoreWorld();
    const twin = new ByteLocks();
    const sessions: SessionId[] = [world.session(), world.session(), world.session()];
    const ino: InodeNumber = world.create(sessions[0] as SessionId, "f").attributes.ino;
    for (let step = 0; step < 1500; step++) {
      const at = random.below(sessions.length);
      const session = sessions[at] as SessionId;
      if (random.chance(0.01)) {
        world.endSession(session);
        twin.dropAll(`${session} `);
        sessions[at] = world.session();
        continue;
      }
      const owner = lockOwner(BigInt(random.below(2)));
      const who = `${session} ${owner}`;
      const begin = random.below(BYTES);
      const end = begin + 1 + random.below(BYTES - begin);
      const place = { begin: lockPosition(BigInt(begin)), end: lockPosition(BigInt(end)) };
      const kind = random.pick(["shared", "exclusive", "none"] as const);
      const lock: Omit<FileLock, "kind"> = { ino, family: "range", owner, ...place, pid: 1 };
      const isFree = kind === "none" || twin.isFree(who, kind, begin, end);
      if (kind !== "none") {
        const asked = world.query({ type: "testLock", body: { lock: { ...lock, kind } } }, session);
        assert.ok(asked.type === "reply" && asked.reply.type === "lockState");
        assert.equal(asked.reply.body.lock === undefined, isFree);
      }
      const code = codeOf(world.mutate(session, "setLock", { ...lock, kind }));
      assert.equal(code, isFree ? "ok" : "lock_conflict");
      if (isFree) twin.set(who, kind, begin, end);
      const ranges = world.tables.locks.get(ino, session, `r${owner}`)?.ranges ?? [];
      assert.equal(pictureOf(ranges), twin.picture(who));
      checkShape(ranges);
    }
    for (const session of sessions) world.endSession(session);
    assert.deepEqual([world.tables.locks.size, world.tables.sessionLocks.size], [0, 0]);
  });
});
