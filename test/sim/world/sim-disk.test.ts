import { describe, expect, test } from "vitest";
import { fromUtf8, Prng, toUtf8 } from "../../../src/base/index.js";
import type { DiskFile, Kv } from "../../../src/io/index.js";
import { type SimHost, SimWorld } from "./index.js";

const LABEL = "test.disk";
const PAGE = 4096;
const SEEDS = Array.from({ length: 60 }, (_, seed) => seed + 1);

interface Bench {
  readonly world: SimWorld;
  readonly host: SimHost;
  readonly run: <T>(promise: Promise<T>) => Promise<T>;
}

function benchOf(seed: number, capacityBytes?: number): Bench {
  const world = new SimWorld({ seed });
  const host = world.addHost("host", { capacityBytes });
  return { world, host, run: (promise) => world.simulator.run(promise, "the disk") };
}

async function newFile({ host, run }: Bench, path: string): Promise<DiskFile> {
  const file = await run(host.disk.open(path, "create", LABEL));
  await run(host.disk.syncDirectory("/", LABEL));
  return file;
}

function loseAndReturn(host: SimHost): void {
  host.powerLoss();
  host.restart();
}

async function contentOf({ host, run }: Bench, path: string): Promise<Uint8Array | undefined> {
  return host.media.find(path) === undefined ? undefined : await run(host.disk.readFile(path, LABEL));
}

/** Whether all bytes are of that value. */
function isAll(bytes: Uint8Array | undefined, value: number): boolean {
  return bytes?.every((byte) => byte === value) ?? false;
}

describe("data on the simulated disk", () => {
  test("what was written survives every crash of the process, synced or not", async () => {
    for (const seed of SEEDS.slice(0, 20)) {
      const bench = benchOf(seed);
      const file = await newFile(bench, "/f");
      await bench.run(file.write([new Uint8Array(3 * PAGE).fill(5)], 100, LABEL));
      bench.host.crash();
      bench.host.restart();

      expect(isAll((await contentOf(bench, "/f"))?.subarray(100), 5)).toBe(true);
    }
  });

  test("what was synced survives every loss of power", async () => {
    for (const seed of SEEDS) {
      const bench = benchOf(seed);
      const file = await newFile(bench, "/f");
      await bench.run(file.write([new Uint8Array(3 * PAGE).fill(5)], 100, LABEL));
      await bench.run(file.sync(LABEL));
      loseAndReturn(bench.host);
      const content = await contentOf(bench, "/f");

      expect(content).toHaveLength(3 * PAGE + 100);
      expect(isAll(content?.subarray(100), 5)).toBe(true);
    }
  });

  test("pages that were not synced are kept, lost, left at an earlier version, or torn, each of itself", async () => {
    const fates = new Set<string>();
    for (const seed of Array.from({ length: 200 }, (_, index) => index)) {
      const bench = benchOf(seed);
      const file = await newFile(bench, "/f");
      await bench.run(file.write([new Uint8Array(4 * PAGE).fill(1)], 0, LABEL));
      await bench.run(file.sync(LABEL));
      await bench.run(file.write([new Uint8Array(4 * PAGE).fill(2)], 0, LABEL));
      await bench.run(file.write([new Uint8Array(4 * PAGE).fill(3)], 0, LABEL));
      loseAndReturn(bench.host);
      const content = (await contentOf(bench, "/f")) ?? new Uint8Array(0);
      expect(content).toHaveLength(4 * PAGE);
      const pages = [0, 1, 2, 3].map((page) => new Set(content.subarray(page * PAGE, (page + 1) * PAGE)));
      for (const page of pages) fates.add([...page].sort().join("+"));
      if (new Set(pages.map((page) => [...page].sort().join("+"))).size > 1) fates.add("differently");
    }

    expect([...fates].sort()).toEqual(expect.arrayContaining(["1", "1+3", "2", "3", "differently"]));
  });

  test("an unsynced extension may be cut anywhere, and what had not arrived reads as zeros", async () => {
    const sizes = new Set<number>();
    for (const seed of Array.from({ length: 100 }, (_, index) => index)) {
      const bench = benchOf(seed);
      const file = await newFile(bench, "/f");
      await bench.run(file.write([new Uint8Array(1_000).fill(1)], 0, LABEL));
      await bench.run(file.sync(LABEL));
      await bench.run(file.write([new Uint8Array(3 * PAGE).fill(1)], 1_000, LABEL));
      loseAndReturn(bench.host);
      const content = (await contentOf(bench, "/f")) ?? new Uint8Array(0);
      sizes.add(content.length);
      expect(content.length).toBeGreaterThanOrEqual(1_000);
      expect(isAll(content.subarray(0, 1_000), 1)).toBe(true);
      expect(content.every((byte) => byte === 0 || byte === 1)).toBe(true);
    }

    expect(sizes).toContain(1_000);
    expect(sizes).toContain(1_000 + 3 * PAGE);
    expect(sizes.size).toBeGreaterThan(5);
  });

  test("a sync covers what had resolved before its call, and not what comes while it is under way", async () => {
    let survived = 0;
    for (const seed of SEEDS) {
      const bench = benchOf(seed);
      bench.host.diskFaults.timing.syncMs = [50, 50];
      const file = await newFile(bench, "/f");
      await bench.run(file.write([new Uint8Array(PAGE).fill(1)], 0, LABEL));
      const sync = file.sync(LABEL);
      await bench.run(file.write([new Uint8Array(PAGE).fill(2)], PAGE, LABEL));
      await bench.run(sync);
      loseAndReturn(bench.host);
      const content = (await contentOf(bench, "/f")) ?? new Uint8Array(0);
      expect(isAll(content.subarray(0, PAGE), 1)).toBe(true);
      if (content.length === 2 * PAGE && isAll(content.subarray(PAGE), 2)) survived++;
    }

    expect(survived).toBeGreaterThan(0);
    expect(survived).toBeLessThan(SEEDS.length);
  });

  test("what was written synced survives every loss of power, also beside a sync that had seen the page before", async () => {
    let others = 0;
    for (const seed of SEEDS) {
      const bench = benchOf(seed);
      bench.host.diskFaults.timing.syncMs = [1, 50];
      const file = await newFile(bench, "/f");
      await bench.run(file.write([new Uint8Array(3 * PAGE).fill(1)], 0, LABEL));
      const sync = file.sync(LABEL);
      await bench.run(file.write([new Uint8Array(PAGE).fill(2)], 0, LABEL));
      await bench.run(file.writeSynced([new Uint8Array(PAGE).fill(3)], PAGE, LABEL));
      await bench.run(sync);
      loseAndReturn(bench.host);
      const content = (await contentOf(bench, "/f")) ?? new Uint8Array(0);
      expect(isAll(content.subarray(PAGE, 2 * PAGE), 3)).toBe(true);
      expect(isAll(content.subarray(2 * PAGE, 3 * PAGE), 1)).toBe(true);
      if (isAll(content.subarray(0, PAGE), 2)) others++;
    }

    expect(others).toBeGreaterThan(0);
    expect(others).toBeLessThan(SEEDS.length);
  });

  test("a write under way at the crash happened wholly, up to a page border, or not at all", async () => {
    const lengths = new Set<number>();
    for (const seed of SEEDS) {
      const bench = benchOf(seed);
      const file = await newFile(bench, "/f");
      void file.write([new Uint8Array(3 * PAGE).fill(1)], 0, LABEL);
      bench.host.crash();
      bench.host.restart();
      lengths.add((await contentOf(bench, "/f"))?.length ?? -1);
    }

    expect([...lengths].sort((a, b) => a - b)).toEqual([0, PAGE, 2 * PAGE, 3 * PAGE]);
  });

  test("what a dead process had written and not synced is made durable by a sync of its next life", async () => {
    for (const seed of SEEDS) {
      const bench = benchOf(seed);
      const file = await newFile(bench, "/f");
      await bench.run(file.write([new Uint8Array(6 * PAGE).fill(1)], 0, LABEL));
      void file.sync(LABEL);
      bench.host.crash();
      bench.host.restart();
      const again = await newFile(bench, "/f");
      await bench.run(again.sync(LABEL));
      loseAndReturn(bench.host);

      expect(isAll(await contentOf(bench, "/f"), 1)).toBe(true);
      expect(bench.host.media.find("/f")).toMatchObject({ sizeBytes: 6 * PAGE });
    }
  });

  test("after a failed sync the data may be lost although the next sync succeeds", async () => {
    let lost = 0;
    for (const seed of SEEDS) {
      const bench = benchOf(seed);
      const file = await newFile(bench, "/f");
      bench.host.diskFaults.add({ label: LABEL, operations: ["sync"], effect: "io_error", times: 1 });
      await bench.run(file.write([new Uint8Array(PAGE).fill(1)], 0, LABEL));
      await expect(bench.run(file.sync(LABEL))).rejects.toMatchObject({ code: "io_error" });
      await bench.run(file.sync(LABEL));
      loseAndReturn(bench.host);
      if (!isAll(await contentOf(bench, "/f"), 1)) lost++;
    }

    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(SEEDS.length);
  });

  test("agrees with a dumb twin about what a loss of power may leave, over random overlapping writes and syncs", async () => {
    for (const seed of SEEDS) {
      const bench = benchOf(seed);
      const prng = new Prng(seed);
      bench.host.diskFaults.timing.syncMs = [0.1, 10];
      const file = await newFile(bench, "/f");
      /** Per page, the versions that the medium may hold: the last synced one and all later ones. */
      const pages = Array.from({ length: 6 }, () => ({ written: 0, synced: 0 }));
      await bench.run(file.write([new Uint8Array(6 * PAGE)], 0, LABEL));
      await bench.run(file.sync(LABEL));
      for (let version = 1; version < 60; version++) {
        const page = prng.below(6);
        await bench.run(file.write([new Uint8Array(PAGE).fill(version)], page * PAGE, LABEL));
        pages[page] = { written: version, synced: pages[page]?.synced ?? 0 };
        if (!prng.chance(0.3)) continue;
        const promised = pages.map(({ written }) => written);
        const sync = file.sync(LABEL).then(() => {
          for (const [index, twin] of pages.entries())
            twin.synced = Math.max(twin.synced, promised[index] ?? 0);
        });
        if (prng.chance(0.3)) await bench.run(sync);
      }
      loseAndReturn(bench.host);
      const content = (await contentOf(bench, "/f")) ?? new Uint8Array(0);
      for (const [page, { written, synced }] of pages.entries()) {
        const found = content.subarray(page * PAGE, (page + 1) * PAGE);
        expect(Math.min(...found)).toBeGreaterThanOrEqual(synced);
        expect(Math.max(...found)).toBeLessThanOrEqual(written);
      }
    }
  });
});

describe("names on the simulated disk", () => {
  test("a file that was synced but whose directory was not may be gone after a loss of power", async () => {
    let found = 0;
    for (const seed of SEEDS) {
      const bench = benchOf(seed);
      const file = await bench.run(bench.host.disk.open("/f", "create", LABEL));
      await bench.run(file.write([toUtf8("data")], 0, LABEL));
      await bench.run(file.sync(LABEL));
      loseAndReturn(bench.host);
      if (bench.host.media.find("/f") !== undefined) found++;
    }

    expect(found).toBeGreaterThan(0);
    expect(found).toBeLessThan(SEEDS.length);
  });

  test("a rename that was not synced leaves the old name or the new one, never both or none", async () => {
    const outcomes = new Set<string>();
    for (const seed of SEEDS) {
      const bench = benchOf(seed);
      const { host, run } = bench;
      await run(host.disk.makeDirectory("/a", LABEL));
      await run(host.disk.makeDirectory("/b", LABEL));
      await run(host.disk.open("/a/f", "create", LABEL));
      if (seed % 3 !== 0) await run(host.disk.syncDirectory("/a", LABEL));
      await run(host.disk.rename("/a/f", "/b/g", LABEL));
      if (seed % 2 === 0) await run(host.disk.syncDirectory("/b", LABEL));
      loseAndReturn(host);
      const names = [host.media.find("/a/f"), host.media.find("/b/g")].map((node) => node !== undefined);
      const count = names.filter(Boolean).length;
      // The file was created without sync too, in every third run.
      expect(count === 1 || (count === 0 && seed % 6 === 3)).toBe(true);
      if (seed % 2 === 0) expect(names[1]).toBe(true);
      outcomes.add(names.join());
    }

    expect([...outcomes].sort()).toEqual(["false,false", "false,true", "true,false"]);
  });

  test("a removal that was not synced may come undone", async () => {
    const outcomes = new Set<boolean>();
    for (const seed of SEEDS) {
      const { host, run } = benchOf(seed);
      await run(host.disk.replaceFile("/f", toUtf8("x"), LABEL));
      await run(host.disk.remove("/f", LABEL));
      loseAndReturn(host);
      outcomes.add(host.media.find("/f") === undefined);
    }

    expect(outcomes.size).toBe(2);
  });

  test("a replaced file is whole after any death during the replacement: the old or the new", async () => {
    const outcomes = new Set<string>();
    for (const seed of Array.from({ length: 150 }, (_, index) => index)) {
      const bench = benchOf(seed);
      const { host, run } = bench;
      await run(host.disk.replaceFile("/f", toUtf8("old"), LABEL));
      host.diskFaults.add({ label: "deadly", effect: seed % 2 === 0 ? "crash" : "power_loss" });
      void host.disk.replaceFile("/f", toUtf8("brand new"), "deadly");
      await bench.world.simulator.runFor(20);
      host.restart();
      outcomes.add(fromUtf8((await contentOf(bench, "/f")) ?? new Uint8Array(0)));
      if (host.media.find("/f.tmp") !== undefined) outcomes.add("leftover");
    }

    expect([...outcomes].sort()).toEqual(["brand new", "leftover", "old"]);
  });
});

describe("the simulated store", () => {
  test("loses at most a suffix of what was not synced, at loss of power; nothing at a crash", async () => {
    const kept = new Set<number>();
    for (const seed of SEEDS) {
      const { host, run } = benchOf(seed);
      const kv = await run(host.disk.openKv("/kv", LABEL));
      for (let n = 1; n <= 10; n++) await run(putNumber(kv, n, n === 4));
      if (seed % 4 === 0) host.crash();
      else host.powerLoss();
      host.restart();
      const again = await run(host.disk.openKv("/kv", LABEL));
      const numbers = await run(numbersIn(again));
      expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => index + 1));
      expect(numbers.length).toBeGreaterThanOrEqual(seed % 4 === 0 ? 10 : 4);
      kept.add(numbers.length);
    }

    expect(kept.size).toBeGreaterThan(3);
  });

  test("a lost batch leaves its keys as they were, also one that it changed twice", async () => {
    const found = new Set<string>();
    for (const seed of SEEDS) {
      const { host, run } = benchOf(seed);
      const kv = await run(host.disk.openKv("/kv", LABEL));
      const put = (value: string) => ({ type: "put" as const, key: toUtf8("k"), value: toUtf8(value) });
      await run(kv.batch([put("old")], { sync: true, label: LABEL }));
      await run(kv.batch([put("between"), put("new")], { sync: false, label: LABEL }));
      loseAndReturn(host);
      const again = await run(host.disk.openKv("/kv", LABEL));
      found.add(fromUtf8(again.get(toUtf8("k")) ?? new Uint8Array(0)));
    }

    expect([...found].sort()).toEqual(["new", "old"]);
  });

  test("a batch under way at the death is there or not, whole", async () => {
    const outcomes = new Set<string>();
    for (const seed of SEEDS) {
      const { host, run } = benchOf(seed);
      const kv = await run(host.disk.openKv("/kv", LABEL));
      const changes = [1, 2, 3].map((n) => ({
        type: "put" as const,
        key: Uint8Array.of(n),
        value: toUtf8("x"),
      }));
      void kv.batch(changes, { sync: true, label: LABEL });
      host.crash();
      host.restart();
      outcomes.add((await run(numbersIn(await run(host.disk.openKv("/kv", LABEL))))).join());
    }

    expect([...outcomes].sort()).toEqual(["", "1,2,3"]);
  });

  test("refuses every batch after one that failed, until it is opened again", async () => {
    const { host, run } = benchOf(3);
    const kv = await run(host.disk.openKv("/kv", LABEL));
    host.diskFaults.add({ label: LABEL, operations: ["write"], effect: "no_space", times: 1 });
    await expect(run(putNumber(kv, 1, false))).rejects.toMatchObject({ code: "no_space" });
    await expect(run(putNumber(kv, 2, false))).rejects.toMatchObject({ code: "no_space" });
    await run(kv.close());
    const again = await run(host.disk.openKv("/kv", LABEL));
    await run(putNumber(again, 3, true));

    expect(await run(numbersIn(again))).toContain(3);
    expect(await run(numbersIn(again))).not.toContain(2);
  });
});

describe("faults of the simulated disk", () => {
  test("a rule hits its label only, after its skips and so many times", async () => {
    const { host, run } = benchOf(1);
    host.diskFaults.add({ label: "cs.*", effect: "io_error", skip: 1, times: 2 });
    const results: string[] = [];
    for (const label of ["cs.a", "mds.a", "cs.b", "cs.c", "cs.d"]) {
      const outcome = run(host.disk.list("/", label)).then(
        () => "fine",
        () => "failed",
      );
      results.push(`${label} ${await outcome}`);
    }

    expect(results).toEqual(["cs.a fine", "mds.a fine", "cs.b failed", "cs.c failed", "cs.d fine"]);
    expect([...host.diskFaults.labelsSeen].sort()).toEqual(["cs.a", "cs.b", "cs.c", "cs.d", "mds.a"]);
  });

  test("a hanging call goes on when the rules are cleared", async () => {
    const { world, host } = benchOf(1);
    host.diskFaults.add({ label: "stuck", effect: "hang" });
    let isDone = false;
    void host.disk.makeDirectory("/d", "stuck").then(() => {
      isDone = true;
    });
    await world.simulator.runFor(100_000);
    expect(isDone).toBe(false);
    host.diskFaults.clear();
    await world.simulator.runFor(10);

    expect(isDone).toBe(true);
  });

  test("a full disk refuses writes that need room, takes overwrites, and tells its space", async () => {
    const bench = benchOf(1, 10 * PAGE);
    const { host, run } = bench;
    const file = await newFile(bench, "/f");
    await run(file.write([new Uint8Array(8 * PAGE)], 0, LABEL));
    await expect(run(file.write([new Uint8Array(5 * PAGE)], 8 * PAGE, LABEL))).rejects.toMatchObject({
      code: "no_space",
    });
    await run(file.write([new Uint8Array(8 * PAGE).fill(1)], 0, LABEL));
    expect(await run(host.disk.space("/", LABEL))).toEqual({ totalBytes: 10 * PAGE, freeBytes: 0 });
    await run(file.truncate(PAGE, LABEL));

    expect((await run(host.disk.space("/", LABEL))).freeBytes).toBe(9 * PAGE);
  });

  test("a slow disk takes its time", async () => {
    const { world, host, run } = benchOf(1);
    host.diskFaults.timing.slowness = 10_000;
    await run(host.disk.makeDirectory("/d", LABEL));

    expect(world.simulator.nowMs).toBeGreaterThan(100);
  });

  test("rot flips exactly one bit, and it stays", async () => {
    const bench = benchOf(1);
    const file = await newFile(bench, "/f");
    await bench.run(file.write([new Uint8Array(2 * PAGE)], 0, LABEL));
    await bench.run(file.sync(LABEL));
    expect(bench.host.media.rot("/f", new Prng(1))).toBe(true);
    loseAndReturn(bench.host);
    const wrong = ((await contentOf(bench, "/f")) ?? new Uint8Array(0)).filter((byte) => byte !== 0);

    expect(wrong).toHaveLength(1);
    expect(Math.log2(wrong[0] ?? 0) % 1).toBe(0);
  });

  test("mending undoes rot where nothing was written since, and only there", async () => {
    const bench = benchOf(1);
    const file = await newFile(bench, "/f");
    await bench.run(file.write([new Uint8Array(2 * PAGE)], 0, LABEL));
    await bench.run(file.sync(LABEL));
    const { media } = bench.host;
    for (let i = 0; i < 20; i++) media.rot("/f", new Prng(i));
    const written = new Uint8Array(PAGE).fill(7);
    await bench.run(file.write([written], PAGE, LABEL));
    media.mend("/f");

    expect(await contentOf(bench, "/f")).toEqual(Uint8Array.of(...new Uint8Array(PAGE), ...written));
    loseAndReturn(bench.host);
    expect((await contentOf(bench, "/f"))?.slice(0, PAGE)).toEqual(new Uint8Array(PAGE));
  });

  test("a reader may see a large write half done, by pages", async () => {
    let torn = 0;
    for (const seed of SEEDS) {
      const bench = benchOf(seed);
      const file = await newFile(bench, "/f");
      await bench.run(file.write([new Uint8Array(16 * PAGE).fill(1)], 0, LABEL));
      bench.host.diskFaults.timing.writeMs = [5, 5];
      const write = file.write([new Uint8Array(16 * PAGE).fill(2)], 0, LABEL);
      for (let i = 0; i < 10; i++) {
        const buffer = new Uint8Array(16 * PAGE);
        await bench.run(file.read(buffer, 0, LABEL));
        if (new Set(buffer).size === 2) torn++;
      }
      await bench.run(write);
    }

    expect(torn).toBeGreaterThan(0);
  });
});

function putNumber(kv: Kv, number: number, sync: boolean): Promise<void> {
  return kv.batch([{ type: "put", key: Uint8Array.of(number), value: toUtf8("x") }], { sync, label: LABEL });
}

async function numbersIn(kv: Kv): Promise<number[]> {
  const numbers: number[] = [];
  for await (const { key } of kv.range({ gte: Uint8Array.of(0), lt: Uint8Array.of(255) }))
    numbers.push(...key);
  return numbers;
}
