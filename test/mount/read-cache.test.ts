import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { open, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { TEST_MS } from "../cluster/ordeal/patience.js";
import { type Mounted, MountLab, mountObstacle, pause } from "./harness.js";

/** The read cache of a mount in a file, past the kernel's own cache. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const BLOCK = 65536;
const ORDER = [6, 1, 4, 7, 2, 5, 0, 3];
const obstacle = mountObstacle();

let lab: MountLab;
let reader: Mounted;
let writer: Mounted;
let cacheFile = "";
const bytes = randomBytes(ORDER.length * BLOCK);

/** A page of each block, in no order that looks like a reader in sequence. */
function expectToRead(mounted: Mounted): void {
  for (const block of ORDER) {
    const offset = block * BLOCK + 8192;
    const file = join(mounted.path, "f");
    const args = [`if=${file}`, "bs=4096", `skip=${offset / 4096}`, "count=1", "iflag=direct", "status=none"];
    const { stdout } = spawnSync("dd", args);
    expect(stdout.equals(bytes.subarray(offset, offset + 4096))).toBe(true);
  }
}

async function info(mounted: Mounted): Promise<Map<string, string>> {
  const text = await readFile(join(mounted.path, ".pstorage.info/read_cache_info"), "utf8");
  const lines = text.trimEnd().split("\n");
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)] as const),
  );
}

const count = async (mounted: Mounted, name: string): Promise<number> =>
  Number((await info(mounted)).get(name));

describe.skipIf(obstacle !== undefined)("a mount with -C", () => {
  beforeAll(async () => {
    cacheFile = join(tmpdir(), `pstorage-read-cache-${process.pid}`);
    const args = ["-C", cacheFile, "-R", "4"];
    lab = await MountLab.start({ mdsCount: 1, csCount: 1, mounts: [{ args }, {}] });
    const [first, second] = lab.mounts;
    if (first === undefined || second === undefined) throw new Error("two mounts were asked for");
    [reader, writer] = [first, second];
    await writeFile(join(writer.path, "f"), bytes);
  });

  afterAll(async () => {
    await lab.close();
    spawnSync("rm", ["-rf", cacheFile, `${cacheFile}.lock`]);
  });

  test("has what was read before, says so, and keeps its file from others", async () => {
    for (let round = 0; round < 2; round++) {
      expectToRead(reader);
      await pause(300);
    }
    expect(await count(reader, "blocks_used")).toBe(ORDER.length);
    expectToRead(reader);
    const told = await info(reader);
    expect(Number(told.get("hits"))).toBe(ORDER.length);
    expect([told.get("path"), told.get("main_size_mb"), told.get("block_size_kb")]).toEqual([
      cacheFile,
      "4",
      "64",
    ]);
    expect((await info(writer)).get("state")).toBe("off");
    expect((await stat(cacheFile)).mode & 0o777).toBe(0o600);
  });

  test("gives what another mount wrote meanwhile, not what it has", async () => {
    const file = await open(join(writer.path, "f"), "r+");
    for (const block of [1, 5]) {
      const offset = block * BLOCK + 8192;
      randomBytes(100).copy(bytes, offset);
      await file.write(bytes, offset, 100, offset);
    }
    await file.close();
    expectToRead(reader);
    expectToRead(reader);
  });

  test("still has it after it was mounted anew", async () => {
    await pause(5000);
    for (let round = 0; round < 3; round++) {
      expectToRead(reader);
      await pause(300);
    }
    await reader.unmount();
    await reader.mount();
    expectToRead(reader);
    expect(await count(reader, "hits")).toBe(ORDER.length);
  });
});
