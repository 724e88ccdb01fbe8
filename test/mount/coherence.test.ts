import { constants } from "node:fs";
import {
  appendFile,
  chmod,
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
  truncate,
  unlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Cluster } from "../../src/client/connect.js";
import { TEST_MS } from "../cluster/ordeal/patience.js";
import { say, seededPrng } from "../cluster/ordeal/seed.js";
import { agentTests } from "./coherence-agents.js";
import { MountLab, mountObstacle, pause } from "./harness.js";

/**
 * Two mounts of one cluster and a library client are one file system: what one has done the others see at once, although
 * both kernels cache. Every look is at what the other side has looked at before, so that something stale would be found.
 */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const ROUNDS = Number(process.env["PSTORAGE_TEST_ROUNDS"] ?? 1);

describe.skipIf(mountObstacle() !== undefined)("two mounts", () => {
  const prng = seededPrng(import.meta.url);
  let lab: MountLab;
  let library: Cluster;
  let a: string;
  let b: string;

  beforeAll(async () => {
    lab = await MountLab.start({ mounts: [{ host: 1 }, { host: 2 }] });
    library = await lab.client();
    [a, b] = [lab.path(0), lab.path(1)];
  });

  afterAll(async () => {
    await lab?.close();
  });

  /** The same name on the other mount. */
  const other = (path: string): string => (path.startsWith(a) ? path.replace(a, b) : path.replace(b, a));
  const code = async (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => "there",
      (error: NodeJS.ErrnoException) => error.code ?? String(error),
    );

  test("names made, renamed and removed on one are so on the other, and in the library, at once", async () => {
    await mkdir(join(a, "names"));
    for (let round = 0; round < 40 * ROUNDS; round++) {
      const [here, there] = round % 2 === 0 ? [a, b] : [b, a];
      const name = `n${round}`;
      const [mine, theirs] = [join(here, "names", name), join(there, "names", name)];
      expect(await code(stat(theirs))).toBe("ENOENT");
      await writeFile(mine, "x");
      expect(await code(stat(theirs))).toBe("there");
      expect(await readdir(join(there, "names"))).toContain(name);
      await rename(mine, `${mine}-moved`);
      expect(await code(stat(theirs))).toBe("ENOENT");
      expect(await code(stat(`${theirs}-moved`))).toBe("there");
      expect((await library.fileSystem.stat(`/names/${name}-moved`)).sizeBytes).toBe(1);
      await unlink(`${theirs}-moved`);
      expect(await code(stat(`${mine}-moved`))).toBe("ENOENT");
      expect(await readdir(join(here, "names"))).toEqual([]);
      await mkdir(mine);
      await symlink("nowhere", join(theirs, "link"));
      expect(await readdir(mine)).toEqual(["link"]);
      expect(await code(rmdir(mine))).toBe("ENOTEMPTY");
      await unlink(join(mine, "link"));
      await rmdir(theirs);
      expect(await code(stat(mine))).toBe("ENOENT");
    }
  });

  test("attributes changed on one are seen on the other at once", async () => {
    const mine = join(a, "attributes");
    await writeFile(mine, "x");
    for (let round = 0; round < 40 * ROUNDS; round++) {
      const [here, there] = round % 2 === 0 ? [mine, other(mine)] : [other(mine), mine];
      await stat(there);
      const mode = prng.below(0o1000);
      await chmod(here, mode);
      expect((await stat(there)).mode & 0o777).toBe(mode);
      await utimes(here, 1000 + round, 2000 + round);
      expect((await stat(there)).mtimeMs).toBe((2000 + round) * 1000);
      const size = prng.below(100_000);
      await truncate(here, size);
      expect((await stat(there)).size).toBe(size);
      await link(here, `${here}-link`);
      expect((await stat(there)).nlink).toBe(2);
      await unlink(`${there}-link`);
      expect((await stat(here)).nlink).toBe(1);
    }
    await library.fileSystem.inodes.setAttributes((await library.fileSystem.stat("/attributes")).ino, {
      mode: 0o604,
    });
    expect((await stat(mine)).mode & 0o777).toBe(0o604);
    expect((await stat(other(mine))).mode & 0o777).toBe(0o604);
  });

  test("what was written and closed on one is read on the other", async () => {
    const mine = join(a, "closed");
    for (let round = 0; round < 40 * ROUNDS; round++) {
      const [here, there] = round % 2 === 0 ? [mine, other(mine)] : [other(mine), mine];
      const content = Buffer.from(prng.bytes(prng.below(round % 10 === 0 ? 2_000_000 : 20_000)));
      await writeFile(here, content);
      expect((await readFile(there)).equals(content)).toBe(true);
      expect(Buffer.from(await library.fileSystem.readFile("/closed")).equals(content)).toBe(true);
    }
  });

  test("with the file open on both, every write is read on the other at once", async () => {
    const files = await openBoth(join(a, "both"), constants.O_RDWR | constants.O_CREAT);
    const mirror = Buffer.alloc(300_000);
    let size = 0;
    for (let round = 0; round < 300 * ROUNDS; round++) {
      const writer = prng.pick(files);
      const reader = prng.pick(files);
      const offset = prng.below(250_000);
      const bytes = Buffer.from(prng.bytes(1 + prng.below(round % 7 === 0 ? 50_000 : 3000)));
      await writer.write(bytes, 0, bytes.length, offset);
      bytes.copy(mirror, offset);
      size = Math.max(size, offset + bytes.length);
      expect((await reader.stat()).size).toBe(size);
      const from = prng.below(size);
      const length = Math.min(size - from, 1 + prng.below(60_000));
      const { buffer } = await reader.read(Buffer.alloc(length), 0, length, from);
      expect(buffer.equals(mirror.subarray(from, from + length)), `round ${round}`).toBe(true);
      if (round % 50 !== 49) continue;
      size = prng.below(size);
      await writer.truncate(size);
      mirror.fill(0, size);
    }
    await Promise.all(files.map((file) => file.close()));
  });

  test("a reader that keeps its file open sees what a writer does who comes later", async () => {
    const path = join(a, "late");
    await writeFile(path, "first");
    const reader = await open(other(path), "r");
    for (let round = 0; round < 30 * ROUNDS; round++) {
      const text = `round ${round} `.repeat(1 + prng.below(2000));
      await writeFile(path, text);
      const { bytesRead, buffer } = await reader.read(Buffer.alloc(30_000), 0, 30_000, 0);
      expect(buffer.subarray(0, bytesRead).toString()).toBe(text);
    }
    await reader.close();
  });

  test("the end that one moves is the end for a reader who opened the file before, whatever is written meanwhile", async () => {
    const path = join(a, "end");
    await writeFile(path, Buffer.alloc(5000, 1));
    const [reader, another] = [await open(other(path), "r"), await open(other(path), "r")];
    const [appender, overwriter] = [await open(path, "r+"), await open(path, "r+")];
    let isOver = false;
    const until = async (work: () => Promise<unknown>): Promise<void> => {
      while (!isOver) await work();
    };
    // Pages come and are declared untrue all the time.
    const background = [
      until(() => overwriter.write(Buffer.alloc(100, 1), 0, 100, prng.below(4000))),
      until(async () => {
        await another.read(Buffer.alloc(100), 0, 100, prng.below(4000));
        await pause(prng.below(20));
      }),
    ];
    let size = 5000;
    try {
      for (let round = 0; round < 150 * ROUNDS; round++) {
        const length = 1 + prng.below(6000);
        await appender.write(Buffer.alloc(length, 1), 0, length, size);
        const { bytesRead, buffer } = await reader.read(Buffer.alloc(length), 0, length, size);
        expect([bytesRead, buffer.every((byte) => byte === 1)], `round ${round}`).toEqual([length, true]);
        size += length;
      }
    } finally {
      isOver = true;
      await Promise.all(background);
    }
    for (const file of [reader, another, appender, overwriter]) await file.close();
  });

  test("appends from both mounts and the library overwrite nothing", async () => {
    const path = join(a, "appended");
    await writeFile(path, "");
    const count = 60 * ROUNDS;
    const lines = (who: string): string[] =>
      Array.from({ length: count }, (_, index) => `${who} ${index} ${"x".repeat(index % 97)}\n`);
    const handle = await library.fileSystem.open("/appended", { access: "write" });
    await Promise.all([
      ...[path, other(path)].map(async (each, index) => {
        const file = await open(each, "a");
        for (const line of lines(index === 0 ? "a" : "b")) await file.write(line);
        await file.close();
      }),
      (async () => {
        for (const line of lines("library")) await handle.append(Buffer.from(line));
      })(),
    ]);
    await handle.close();
    const wanted = ["a", "b", "library"].flatMap(lines);
    for (const each of [path, other(path)]) {
      const found = (await readFile(each, "utf8")).split(/(?<=\n)/);
      for (const who of ["a", "b", "library"]) {
        expect(found.filter((line) => line.startsWith(`${who} `))).toEqual(lines(who));
      }
      expect(found.length).toBe(wanted.length);
    }
  });

  test("a name that one holds open is removed by the other, and stays readable and writable", async () => {
    const path = join(a, "removed");
    await writeFile(path, "before");
    const file = await open(path, "r+");
    await unlink(other(path));
    expect(await code(stat(path))).toBe("ENOENT");
    expect((await file.stat()).nlink).toBe(0);
    await file.write(" after", 6);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(20), 0, 20, 0);
    expect(buffer.subarray(0, bytesRead).toString()).toBe("before after");
    await writeFile(other(path), "another");
    expect(await readFile(path, "utf8")).toBe("another");
    await file.close();
  });

  test("files made on both at the same time with O_EXCL have one maker", async () => {
    await mkdir(join(a, "exclusive"));
    let winners = 0;
    for (let round = 0; round < 50 * ROUNDS; round++) {
      const path = join(a, "exclusive", String(round));
      const results = await Promise.allSettled(
        [a, b].map(() => open(path, "wx")).concat(open(other(path), "wx")),
      );
      const made = results.filter((result) => result.status === "fulfilled");
      for (const { value } of made) await value.close();
      winners += made.length;
    }
    expect(winners).toBe(50 * ROUNDS);
  });

  test("warm files are looked at without a round trip, and a change ends that", async () => {
    const path = join(b, "warm");
    await writeFile(path, "x".repeat(10_000));
    for (let warming = 0; warming < 10; warming++) await stat(path);
    const began = performance.now();
    for (let round = 0; round < 2000; round++) await stat(path);
    say(`stat of a warm file: ${(((performance.now() - began) / 2000) * 1000).toFixed(0)} us`);
    await appendFile(other(path), "more");
    expect((await stat(path)).size).toBe(10_004);
    await rm(path);
    expect(await code(stat(other(path)))).toBe("ENOENT");
  });

  agentTests(() => lab, prng, ROUNDS);

  async function openBoth(path: string, flags: number): Promise<readonly FileHandle[]> {
    return [await open(path, flags), await open(other(path), flags)];
  }
});
