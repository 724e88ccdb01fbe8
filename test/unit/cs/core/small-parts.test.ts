import { describe, expect, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { chunkVersion } from "../../../../src/chunk/index.js";
import { Bitmap } from "../../../../src/cs/core/bitmap.js";
import { Fill } from "../../../../src/cs/core/fill.js";
import { MdsFinder } from "../../../../src/cs/core/mds-finder.js";
import { ServiceLease } from "../../../../src/cs/core/service-lease.js";
import { WriteIds } from "../../../../src/cs/core/write-ids.js";

test("a bitmap is a set of small integers, on random input", () => {
  const prng = new Prng(1);
  let bitmap = new Bitmap();
  const twin = new Set<number>();
  for (let step = 0; step < 2000; step++) {
    const member = prng.below(200);
    if (prng.chance(0.5)) {
      bitmap.add(member);
      twin.add(member);
    } else {
      bitmap.delete(member);
      twin.delete(member);
    }
    if (prng.chance(0.05)) bitmap = new Bitmap(bitmap.toBytes());
    expect(bitmap.has(member)).toBe(twin.has(member));
  }
  expect([...bitmap]).toEqual([...twin].sort((a, b) => a - b));
  expect(bitmap.isEmpty).toBe(twin.size === 0);
});

describe("a lease", () => {
  test("counts from the moment the answered heartbeat was sent", () => {
    const lease = new ServiceLease();
    lease.admit(1_000, 500);
    lease.renew(1_200);

    expect([lease.mayServe(1_699), lease.mayServe(1_700)]).toEqual([true, false]);
  });

  test("that is over is not brought back by a late answer, only by a new admission", () => {
    const lease = new ServiceLease();
    lease.admit(0, 500);
    expect(lease.mayServe(600)).toBe(false);

    lease.renew(590);

    expect(lease.mayServe(600)).toBe(false);
    lease.admit(600, 500);
    expect(lease.mayServe(601)).toBe(true);
  });

  test("does not exist before the first admission", () => {
    expect(new ServiceLease().mayServe(0)).toBe(false);
  });
});

describe("write ids", () => {
  const id = (sequence: number, acknowledgedBelow = 0, sessionId = 1) => ({
    sessionId,
    sequence,
    acknowledgedBelow,
  });

  test("are known until the session says they were acknowledged", () => {
    const ids = new WriteIds();
    ids.note(id(1), 10);
    ids.note(id(2), 11);
    expect(ids.find(id(1))).toBe(10);

    ids.note(id(3, 2), 12);

    expect([ids.find(id(1)), ids.find(id(2)), ids.find(id(4))]).toEqual(["old", 11, undefined]);
  });

  test("of a write that was given up are new again", () => {
    const ids = new WriteIds();
    ids.note(id(1), 10);
    ids.forget(id(1));

    expect(ids.find(id(1))).toBeUndefined();
  });

  test("do not grow without bound, neither by sessions nor by writes", () => {
    const ids = new WriteIds();
    for (let session = 1; session <= 65; session++) ids.note(id(1, 0, session), session);
    for (let sequence = 1; sequence <= 4097; sequence++) ids.note(id(sequence, 0, 65), sequence);

    expect([ids.find(id(1, 0, 1)), ids.find(id(1, 0, 2))]).toEqual([undefined, 2]);
    expect([ids.find(id(1, 0, 65)), ids.find(id(2, 0, 65))]).toEqual([undefined, 2]);
  });
});

describe("the search for an MDS", () => {
  const failure = { code: "unavailable", detail: "" } as const;

  test("tries one address after the other without pause, then pauses longer and longer", () => {
    const finder = new MdsFinder();
    finder.update(["a", "b"]);
    const seen = [finder.address];
    const pauses: number[] = [];
    for (let step = 0; step < 5; step++) {
      pauses.push(finder.failed(failure, 0.5));
      seen.push(finder.address);
    }

    expect(seen).toEqual(["a", "b", "a", "b", "a", "b"]);
    expect(pauses).toEqual([0, 37.5, 75, 150, 300]);
  });

  test("follows a hint at once, and goes on with the list when it leads nowhere", () => {
    const finder = new MdsFinder();
    finder.update(["a", "b"]);

    expect(finder.failed({ code: "not_leader", detail: "", leaderHint: "c" }, 0)).toBe(0);
    expect(finder.address).toBe("c");
    finder.failed(failure, 0);
    expect(finder.address).toBe("a");
  });

  test("pauses when hints lead in circles", () => {
    const finder = new MdsFinder();
    finder.update(["a", "b"]);
    const pauses = ["b", "a", "b", "a"].map((leaderHint) =>
      finder.failed({ code: "not_leader", detail: "", leaderHint }, 0),
    );

    expect(pauses.slice(2).every((pause) => pause > 0)).toBe(true);
  });
});

describe("a fill", () => {
  const source = (more = {}) => ({
    highWaterBytes: 3 << 20,
    regions: Bitmap.of(0, 2),
    suspectRegions: new Bitmap(),
    ...more,
  });

  test("that began empty fetches what the source has", () => {
    const fill = new Fill("all");
    fill.describe(source());

    expect([fill.next(), fill.next(), fill.next()]).toEqual([0, 2, undefined]);
  });

  test("that kept its contents fetches what it or the source distrusts", () => {
    const fill = new Fill(Bitmap.of(1));
    fill.describe(source({ suspectRegions: Bitmap.of(5) }));

    expect([fill.next(), fill.next(), fill.next()]).toEqual([1, 5, undefined]);
  });

  test("that cannot trust any region fetches those in which it or the source holds anything", () => {
    const fill = new Fill(Bitmap.of(0, 1, 2, 3), { held: Bitmap.of(1) });
    fill.describe(source());

    expect([fill.next(), fill.next(), fill.next(), fill.next()]).toEqual([0, 1, 2, undefined]);
  });

  test("of one that missed versions fetches what changed since, and everything if nobody knows that", () => {
    const told = new Fill(Bitmap.of(1), { held: Bitmap.of(0, 1, 2, 7), since: chunkVersion(4) });
    told.describe(source({ changedRegions: Bitmap.of(0, 9) }));
    const untold = new Fill(Bitmap.of(1), { held: Bitmap.of(0, 1, 7), since: chunkVersion(4) });
    untold.describe(source());

    expect([...(told.missing ?? [])]).toEqual([0, 1]);
    expect([...(untold.missing ?? [])]).toEqual([0, 1, 2, 7]);
  });

  test("is complete when the last region is in, not when it is fetched", () => {
    const fill = new Fill("all");
    expect(fill.isComplete).toBe(false);
    fill.describe(source({ regions: Bitmap.of(4) }));
    fill.next();
    expect(fill.isComplete).toBe(false);

    fill.failed(4);
    expect(fill.next()).toBe(4);
    fill.done(4);

    expect(fill.isComplete).toBe(true);
  });

  test("wants no block that the chain has changed, also before the source was described", () => {
    const fill = new Fill("all");
    fill.touch(4096, 8192);

    expect([0, 1, 2, 3].map((block) => fill.isWanted(block))).toEqual([true, false, false, true]);
  });

  test("ends where a truncation cut, whatever the source had described", () => {
    const fill = new Fill("all");
    fill.describe(source());
    fill.truncate(1000);

    expect(fill.highWaterBytes).toBe(1000);
  });
});
