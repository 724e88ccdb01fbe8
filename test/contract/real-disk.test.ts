import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { toUtf8 } from "../../src/base/index.js";
import { realWorld } from "../../src/io/real/index.js";

const LABEL = "test.real";
const { disk } = realWorld();
let directory = "";
const OWNER = `
  const { Level } = await import("level");
  const engine = new Level(process.argv[1]);
  await engine.open();
  console.log("open");
  setInterval(() => undefined, 1000);
`;

/** Another process that has the store open until it is killed. */
async function ownStore(path: string): Promise<ChildProcess> {
  const args = ["--input-type=module", "--eval", OWNER, path];
  const owner = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  await once(owner.stdout, "data");
  return owner;
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "pstorage-real-"));
});

afterEach(() => rm(directory, { recursive: true }));

describe("the disk of this machine", () => {
  test("a replaced file has exactly the mode that was asked for, whatever lay there before", async () => {
    const path = join(directory, "key");
    await writeFile(`${path}.tmp`, "left by a crash", { mode: 0o666 });
    await disk.replaceFile(path, toUtf8("secret"), LABEL, 0o600);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await disk.replaceFile(path, toUtf8("public"), LABEL);

    expect((await stat(path)).mode & 0o777).toBe(0o644);
  });

  test("nothing is read in place while something long is being written or synced", async () => {
    // Whether an earlier call of other tests was slow does not count here.
    const file = await realWorld().disk.open(join(directory, "data"), "create", LABEL);
    await file.write([new Uint8Array(4096)], 0, LABEL);
    const readLength = (): number | undefined => file.readAtOnce(new Uint8Array(4096), 0, LABEL);
    expect(readLength()).toBe(4096);
    for (const act of [
      () => file.write([new Uint8Array(1 << 20)], 4096, LABEL),
      () => file.writeSynced([new Uint8Array(4096)], 4096, LABEL),
      () => file.sync(LABEL),
    ]) {
      const done = act();
      expect(readLength()).toBeUndefined();
      await done;
      expect(readLength()).toBe(4096);
    }
    await file.close();
  });

  test("a full device is no_space", async () => {
    const file = await disk.open("/dev/full", "read-write", LABEL);

    await expect(file.write([toUtf8("x")], 0, LABEL)).rejects.toMatchObject({ code: "no_space" });
    await file.close();
  });

  test("other errors are io_error and name the errno, the path and what was tried", async () => {
    await mkdir(join(directory, "d"));

    await expect(disk.readFile(join(directory, "d"), LABEL)).rejects.toMatchObject({
      code: "io_error",
      message: expect.stringMatching(/read .*\/d: EISDIR/) as unknown,
    });
    await writeFile(join(directory, "f"), "x");
    await expect(disk.list(join(directory, "f"), LABEL)).rejects.toMatchObject({ code: "io_error" });
    await expect(disk.makeDirectory(join(directory, "f", "g"), LABEL)).rejects.toMatchObject({
      code: "io_error",
    });
  });

  test("a store that a dying process has open is opened when that process is gone", async () => {
    const owner = await ownStore(join(directory, "kv"));
    const opening = disk.openKv(join(directory, "kv"), LABEL);
    setTimeout(() => owner.kill("SIGKILL"), 200);

    await (await opening).close();
    expect(owner.signalCode).toBe("SIGKILL");
  });

  test("a store that a living process has open is refused in the end", async () => {
    const owner = await ownStore(join(directory, "kv"));

    await expect(disk.openKv(join(directory, "kv"), LABEL)).rejects.toThrow("LEVEL_LOCKED");
    owner.kill("SIGKILL");
  });

  test("a store says why it cannot be opened", async () => {
    const kv = await disk.openKv(join(directory, "kv"), LABEL);

    await expect(disk.openKv(join(directory, "kv"), LABEL)).rejects.toThrow("LEVEL_LOCKED");
    await kv.close();
    await writeFile(join(directory, "kv", "CURRENT"), "nonsense");
    await expect(disk.openKv(join(directory, "kv"), LABEL)).rejects.toThrow("log_corrupt");
  });
});
