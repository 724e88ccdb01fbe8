import { mkdtemp, open, readdir, readFile, rename, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Prng } from "../../src/base/index.js";
import { type FlushOutcome, runFlushTest } from "../../src/cli/flush-check/flush-client.js";
import { FlushServer } from "../../src/cli/flush-check/flush-server.js";
import { realWorld } from "../../src/io/real/index.js";
import { FaultyDisk, noFaultyDisks } from "./ordeal/disk/faulty-disk.js";
import { say } from "./ordeal/seed.js";

/** The disk that fails when told to is one: what other tests conclude from it depends on that. */

const why = noFaultyDisks();
if (why !== undefined) say(`skipped: ${why}`);

describe.skipIf(why !== undefined)("a faulty disk", () => {
  const prng = new Prng(1);
  let directory: string;
  let disk: FaultyDisk;
  const at = (name: string): string => join(disk.mountPoint, name);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "pstorage-disk-"));
    disk = await FaultyDisk.mount(join(directory, "below"), join(directory, "mnt"), prng.uint32());
  });

  afterEach(async () => {
    disk?.remove();
    await rm(directory, { recursive: true, force: true });
  });

  test("keeps files like any other", async () => {
    const bytes = Buffer.from(prng.bytes(3_000_001));
    await writeFile(at("a"), bytes);
    await rename(at("a"), at("b"));
    await writeFile(at("c"), "short");
    await writeFile(at("c"), "shorter still".slice(0, 3));
    expect((await readdir(disk.mountPoint)).sort()).toEqual(["b", "c"]);
    expect((await readFile(at("b"))).equals(bytes)).toBe(true);
    expect(await readFile(at("c"), "utf8")).toBe("sho");
    await unlink(at("b"));
    await expect(readFile(at("b"))).rejects.toThrow(/ENOENT/);
  });

  test("of what was synced nothing is lost with the power, of the rest each block may be", async () => {
    const synced = Buffer.from(prng.bytes(1_000_000));
    const file = await open(at("file"), "w+");
    await file.write(synced, 0, synced.length, 0);
    await file.sync();
    const later = Buffer.from(prng.bytes(400_000));
    await file.write(later, 0, later.length, 4096);
    await file.truncate(900_000);
    await file.close();
    await writeFile(at("never synced"), "x");
    await disk.losePower();
    const found = await readFile(at("file"));
    expect([900_000, 1_000_000]).toContain(found.length);
    expect(found.subarray(0, 4096).equals(synced.subarray(0, 4096))).toBe(true);
    const both = { old: 0, new: 0 };
    for (let from = 4096; from < 400_000; from += 4096) {
      const block = found.subarray(from, from + 4096);
      if (block.equals(synced.subarray(from, from + 4096))) both.old++;
      else if (block.equals(later.subarray(from - 4096, from))) both.new++;
      else throw new Error(`at ${from} are neither the old bytes nor the new`);
    }
    expect(Math.min(both.old, both.new)).toBeGreaterThan(10);
  });

  test("names come back in the order they were changed, and none after a sync", async () => {
    await writeFile(at("kept"), "1");
    const file = await open(at("kept"), "r+");
    await file.sync();
    await file.close();
    await unlink(at("kept"));
    for (let i = 0; i < 20; i++) await writeFile(at(`new${i}`), "");
    await disk.losePower();
    const found = await readdir(disk.mountPoint);
    const made = found.filter((name) => name.startsWith("new"));
    expect(made.map((name) => Number(name.slice(3))).sort((a, b) => a - b)).toEqual(made.map((_, i) => i));
    if (found.includes("kept")) expect([made, await readFile(at("kept"), "utf8")]).toEqual([[], "1"]);
  });

  test("fails, fills up, refuses to change, is slow and hangs when told to", async () => {
    await writeFile(at("a"), "there");
    await disk.suffer({ eio: { sync: 1 } });
    const file = await open(at("a"), "r+");
    await expect(file.sync()).rejects.toThrow(/EIO/);
    await disk.suffer({ isFull: true });
    await expect(file.write("more")).rejects.toThrow(/ENOSPC/);
    await disk.suffer({ isReadOnly: true });
    await expect(file.write("more")).rejects.toThrow(/EROFS/);
    await expect(writeFile(at("b"), "")).rejects.toThrow(/EROFS/);
    await disk.suffer({ delayMs: 300 });
    const began = performance.now();
    await file.sync();
    expect(performance.now() - began).toBeGreaterThan(290);
    await disk.suffer({ hangs: true });
    const hanging = file.write("more");
    expect(await Promise.race([hanging, pause(500)])).toBe("late");
    await disk.suffer({});
    expect((await hanging).bytesWritten).toBe(4);
    await file.close();
  });

  test("that keeps what it flushed passes hwflush-check; one that lies about it is found out when its power was lost", async () => {
    const said: string[] = [];
    const server = new FlushServer((line) => said.push(line));
    const port = await server.listen(0, "127.0.0.1");
    const check = (): Promise<FlushOutcome> =>
      runFlushTest({
        host: "127.0.0.1",
        port,
        directory: disk.mountPoint,
        threadCount: 8,
        signal: AbortSignal.timeout(500),
      });
    try {
      for (let round = 0; round < 3; round++) {
        expect(await check()).toMatchObject({ type: "ended" });
        await disk.losePower();
      }
      expect(said.join()).not.toContain("cache error");
      await disk.suffer({ lies: true });
      expect(await check()).toMatchObject({ type: "ended" });
      await disk.losePower();
      expect(await check()).toMatchObject({ type: "lost" });
      expect(said.at(-1)).toContain("cache error detected!");
    } finally {
      server.close();
    }
  });

  test("a store of records has after a loss of power what it had synced", async () => {
    const world = realWorld();
    for (let round = 0; round < 5; round++) {
      const kv = await world.disk.openKv(at("records"), "test");
      for (let before = 0; before < round; before++)
        expect(kv.get(Buffer.from(`round ${before}`))?.length).toBe(5000);
      const key = Buffer.from(`round ${round}`);
      const label = "test";
      await kv.batch([{ type: "put", key, value: Buffer.alloc(5000, round) }], { sync: true, label });
      await kv.batch([{ type: "put", key: Buffer.from("unsynced"), value: Buffer.alloc(50_000) }], {
        sync: false,
        label,
      });
      await kv.close();
      await disk.losePower();
    }
  });
});

function pause(ms: number): Promise<"late"> {
  return new Promise((resolve) => setTimeout(() => resolve("late"), ms));
}
