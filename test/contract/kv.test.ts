import { describe, expect, test } from "vitest";
import { compareBytes, fromUtf8, Prng, toLatin1, toUtf8 } from "../../src/base/index.js";
import type { Kv, KvChange, KvRange } from "../../src/io/index.js";
import { type ContractWorld, failureCode, WORLDS } from "./worlds.js";

const LABEL = "contract.kv";
const ALL: KvRange = { gte: new Uint8Array(0), lt: new Uint8Array(8).fill(255) };

function put(key: string, value: string): KvChange {
  return { type: "put", key: toUtf8(key), value: toUtf8(value) };
}

async function entriesOf(kv: Kv, range: KvRange): Promise<string[]> {
  const entries: string[] = [];
  for await (const { key, value } of kv.range(range)) entries.push(`${fromUtf8(key)}=${fromUtf8(value)}`);
  return entries;
}

function write(kv: Kv, changes: readonly KvChange[], sync = false): Promise<void> {
  return kv.batch(changes, { sync, label: LABEL });
}

describe.each(WORLDS)("the $name ordered store", ({ run }) => {
  const withKv = (body: (kv: Kv, world: ContractWorld) => Promise<void>): Promise<void> =>
    run(async (world) => {
      const kv = await world.disk.openKv(`${world.directory}/deep/kv`, LABEL);
      await body(kv, world);
      await kv.close();
    });

  test("gives what was put, and undefined for what was not or was deleted", () =>
    withKv(async (kv) => {
      await write(kv, [put("a", "1"), put("b", ""), put("c", "3")]);
      await write(
        kv,
        [
          { type: "delete", key: toUtf8("c") },
          { type: "delete", key: toUtf8("d") },
        ],
        true,
      );

      expect(fromUtf8(kv.get(toUtf8("a")) ?? new Uint8Array(1))).toBe("1");
      expect(kv.get(toUtf8("b"))).toHaveLength(0);
      expect(kv.get(toUtf8("c"))).toBeUndefined();
      expect(kv.get(toUtf8("d"))).toBeUndefined();
    }));

  test("the last change of a key in a batch wins", () =>
    withKv(async (kv) => {
      await write(kv, [put("a", "1"), { type: "delete", key: toUtf8("a") }, put("a", "2")]);

      expect(await entriesOf(kv, ALL)).toEqual(["a=2"]);
    }));

  test("a range is half-open, in byte order, limited, and may be reversed", () =>
    withKv(async (kv) => {
      await write(
        kv,
        ["b", "a", "d", "c"].map((key) => put(key, key)),
      );
      const range = { gte: toUtf8("a"), lt: toUtf8("d") };

      expect(await entriesOf(kv, range)).toEqual(["a=a", "b=b", "c=c"]);
      expect(await entriesOf(kv, { ...range, limit: 2 })).toEqual(["a=a", "b=b"]);
      expect(await entriesOf(kv, { ...range, limit: 2, reverse: true })).toEqual(["c=c", "b=b"]);
      expect(await entriesOf(kv, { ...range, limit: 0 })).toEqual([]);
      expect(await entriesOf(kv, { gte: toUtf8("x"), lt: toUtf8("a") })).toEqual([]);
    }));

  test("a range shows the entries as they were at the call", () =>
    withKv(async (kv) => {
      await write(kv, [put("a", "1"), put("b", "1")]);
      const range = kv.range(ALL);
      await write(kv, [put("a", "2"), put("c", "2"), { type: "delete", key: toUtf8("b") }]);
      const seen: string[] = [];
      for await (const { key, value } of range) seen.push(`${fromUtf8(key)}=${fromUtf8(value)}`);

      expect(seen).toEqual(["a=1", "b=1"]);
      expect(await entriesOf(kv, ALL)).toEqual(["a=2", "c=2"]);
    }));

  test("an iteration may be left early", () =>
    withKv(async (kv) => {
      await write(
        kv,
        Array.from({ length: 1_000 }, (_, index) => put(`k${index}`, "v")),
      );
      let count = 0;
      for await (const _entry of kv.range(ALL)) if (++count === 3) break;

      expect(count).toBe(3);
    }));

  test("batches that are not waited for are applied and answered in the order of the calls", () =>
    withKv(async (kv) => {
      const answered: number[] = [];
      const writes = Array.from({ length: 300 }, (_, index) =>
        write(kv, [put("last", `${index}`), put(`n${index}`, "x")], index % 7 === 0).then(() => {
          answered.push(index);
          const last = Number(fromUtf8(kv.get(toUtf8("last")) ?? new Uint8Array(0)));
          expect(last).toBeGreaterThanOrEqual(index);
        }),
      );
      await Promise.all(writes);

      expect(answered).toEqual([...answered].sort((a, b) => a - b));
      expect(await entriesOf(kv, { gte: toUtf8("last"), lt: toUtf8("lasu") })).toEqual(["last=299"]);
    }));

  test("values that were read belong to the caller", () =>
    withKv(async (kv) => {
      await write(kv, [put("a", "1")]);
      kv.get(toUtf8("a"))?.fill(0);

      expect(fromUtf8(kv.get(toUtf8("a")) ?? new Uint8Array(0))).toBe("1");
    }));

  test("agrees with a sorted map over random batches, also after it was opened again", () =>
    run(async ({ disk, directory }) => {
      const prng = new Prng(5);
      const twin = new Map<string, Uint8Array>();
      let kv = await disk.openKv(`${directory}/kv`, LABEL);
      for (let step = 0; step < 60; step++) {
        await write(kv, randomBatch(prng, twin), prng.chance(0.1));
        if (step % 20 === 19) {
          await kv.close();
          kv = await disk.openKv(`${directory}/kv`, LABEL);
        }
        const found: [string, string][] = [];
        for await (const { key, value } of kv.range(ALL)) found.push([toLatin1(key), toLatin1(value)]);
        const expected = [...twin]
          .map(([key, value]): [string, string] => [key, toLatin1(value)])
          .sort(byKey);
        expect(found).toEqual(expected);
      }
      await kv.close();
    }));

  test("keys are ordered bytewise, unsigned", () =>
    withKv(async (kv) => {
      const keys = [[0x80], [0x7f, 0xff], [0x7f], [0xff, 0x00], [0x00]].map((key) => Uint8Array.from(key));
      await write(
        kv,
        keys.map((key) => ({ type: "put", key, value: key })),
      );
      const found: Uint8Array[] = [];
      for await (const { key } of kv.range(ALL)) found.push(Uint8Array.from(key));

      expect(found).toEqual([...keys].sort(compareBytes));
    }));

  test("closing completes what is under way; later calls fail as closed", () =>
    run(async ({ disk, directory }) => {
      const kv = await disk.openKv(`${directory}/kv`, LABEL);
      const batches = [write(kv, [put("a", "1")]), write(kv, [put("b", "2")], true)];
      await Promise.all([...batches, kv.close(), kv.close()]);

      expect(await failureCode(write(kv, [put("c", "3")]))).toBe("closed");
      expect(() => kv.get(toUtf8("a"))).toThrow("closed");
      expect(() => kv.range(ALL)).toThrow("closed");
      const again = await disk.openKv(`${directory}/kv`, LABEL);
      expect(await entriesOf(again, ALL)).toEqual(["a=1", "b=2"]);
      await again.close();
    }));

  test("an iteration ends as closed when its store is closed meanwhile", () =>
    run(async ({ disk, directory }) => {
      const kv = await disk.openKv(`${directory}/kv`, LABEL);
      const keys = Array.from({ length: 1000 }, (_, i) => String(i));
      await kv.batch(
        keys.map((key) => put(key, key)),
        { sync: false, label: LABEL },
      );
      const iterator = kv.range(ALL)[Symbol.asyncIterator]();
      await iterator.next();
      await kv.close();
      const rest = async (): Promise<void> => {
        while (!(await iterator.next()).done);
      };
      expect(await failureCode(rest())).toBe("closed");
    }));

  test("a store that is open cannot be opened a second time", () =>
    withKv(async (_kv, { disk, directory }) => {
      expect(await failureCode(disk.openKv(`${directory}/deep/kv`, LABEL))).toBe("io_error");
    }));
});

function randomBatch(prng: Prng, twin: Map<string, Uint8Array>): KvChange[] {
  return Array.from({ length: prng.between(1, 8) }, (): KvChange => {
    const key = Uint8Array.from([prng.below(3) * 100, prng.below(40)]);
    if (prng.chance(0.3)) {
      twin.delete(toLatin1(key));
      return { type: "delete", key };
    }
    const value = prng.bytes(prng.below(50));
    twin.set(toLatin1(key), value);
    return { type: "put", key, value };
  });
}

function byKey(a: readonly [string, string], b: readonly [string, string]): number {
  return a[0] < b[0] ? -1 : 1;
}
