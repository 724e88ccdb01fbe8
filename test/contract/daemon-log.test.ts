import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openLog } from "../../src/telemetry/index.js";

let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pstorage-log-"));
});

afterEach(() => rm(directory, { recursive: true }));

async function linesOf(path: string): Promise<Record<string, unknown>[]> {
  const text = await readFile(path, "utf8");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("the log of a daemon", () => {
  test("writes one JSON object a line, in a directory it makes, with level, time and fields", async () => {
    const path = join(directory, "var", "log", "cs.log");
    const log = openLog({ destination: path, level: "info", fields: { daemon: "csd" } });
    log.logger.child({ csId: 1025 }).warn("disk is slow", { delayMs: 90, inode: 2n ** 60n });
    log.logger.error("scrub failed", { error: new Error("EIO") });
    await log.close();
    const [warn, error] = await linesOf(path);

    expect(warn).toMatchObject({
      level: "warn",
      daemon: "csd",
      csId: 1025,
      delayMs: 90,
      msg: "disk is slow",
    });
    expect(Date.parse(String(warn?.["time"]))).toBeGreaterThan(0);
    expect(error).toMatchObject({ level: "error", error: { type: "Error", message: "EIO" } });
  });

  test("a name that ends in .gz makes a compressed log, which grows when it is opened again", async () => {
    const path = join(directory, "mount.log.gz");
    for (const message of ["first", "second"]) {
      const log = openLog({ destination: path, level: "info" });
      log.logger.info(message, { name: "käse" });
      await log.close();
    }
    const lines = gunzipSync(await readFile(path))
      .toString()
      .trim()
      .split("\n");

    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { msg: "first", name: "käse" },
      { msg: "second", name: "käse" },
    ]);
  });

  test("a change of level counts at once, for children too", async () => {
    const path = join(directory, "log");
    const log = openLog({ destination: path, level: "info" });
    const child = log.logger.child({ room: "raft" });
    child.debug("hidden");
    log.setLevel("debug");
    child.debug("shown");
    log.setLevel("error");
    child.warn("hidden again");
    await log.close();

    expect((await linesOf(path)).map((line) => line["msg"])).toEqual(["shown"]);
  });

  test("goes on in a new file after it was rotated away and reopened", async () => {
    const path = join(directory, "log");
    const log = openLog({ destination: path, level: "info" });
    log.logger.info("before");
    await rename(path, `${path}.1`);
    log.logger.info("still the old file");
    log.reopen();
    log.logger.info("after");
    await log.close();

    expect((await linesOf(`${path}.1`)).map((line) => line["msg"])).toEqual(["before", "still the old file"]);
    expect((await linesOf(path)).map((line) => line["msg"])).toEqual(["after"]);
  });

  test.each(["log", "log.gz"])(
    "%s is moved aside when it is full, and four older parts are kept",
    async (name) => {
      const path = join(directory, name);
      const log = openLog({ destination: path, level: "info", bytesMax: 1000 });
      for (let number = 0; number < 100; number++) log.logger.info("a line of some length", { number });
      await log.close();
      const part = (number: number): string => (name === "log" ? `log.${number}` : `log.${number}.gz`);
      expect((await readdir(directory)).sort()).toEqual([name, ...[1, 2, 3, 4].map(part)].sort());
      const numbers: unknown[] = [];
      for (const each of [...[4, 3, 2, 1].map(part), name]) {
        const bytes = await readFile(join(directory, each));
        expect(bytes.length).toBeLessThanOrEqual(1000);
        const text = (name === "log" ? bytes : gunzipSync(bytes)).toString();
        numbers.push(
          ...text
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line).number),
        );
      }
      expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => 100 - numbers.length + i));
      expect(numbers.length).toBeGreaterThan(20);
    },
  );

  test("a log that was long before it is opened is moved aside with the next line", async () => {
    const path = join(directory, "log");
    await writeFile(path, "x".repeat(2000));
    const log = openLog({ destination: path, level: "info", bytesMax: 1000 });
    log.logger.info("new");
    await log.close();
    expect((await readFile(`${path}.1`, "utf8")).length).toBe(2000);
    expect(await linesOf(path)).toMatchObject([{ msg: "new" }]);
  });

  test("a full log disk stops neither the daemon nor its end", async () => {
    const log = openLog({ destination: "/dev/full", level: "info" });
    const line = "x".repeat(1_000);

    expect(() => {
      for (let i = 0; i < 3_000; i++) log.logger.info("lost", { line });
    }).not.toThrow();
    await log.close();
  });
});
