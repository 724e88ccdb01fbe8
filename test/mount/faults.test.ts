import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { open, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { eventually } from "../cluster/ordeal/calls.js";
import { PATIENCE_MS, TEST_MS } from "../cluster/ordeal/patience.js";
import { say, seededPrng } from "../cluster/ordeal/seed.js";
import { tellsOneStory } from "../cluster/ordeal/story.js";
import { finished, MountLab, mountObstacle, pause } from "./harness.js";

/**
 * What programs on the mount notice of faults: time, never errors. The tests tell one story on one cluster of three
 * metadata servers and three chunk servers, of which files are kept in three copies and need two.
 */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

describe.skipIf(mountObstacle() !== undefined)("faults under a mount", () => {
  tellsOneStory();
  const prng = seededPrng(import.meta.url);
  const children: ChildProcess[] = [];
  let lab: MountLab;

  beforeAll(async () => {
    lab = await MountLab.start({ mdsCount: 3, csCount: 3 });
  });

  afterAll(async () => {
    for (const child of children) child.kill("SIGKILL");
    await lab?.close();
  });

  async function duringWork(what: string, faults: () => Promise<void>): Promise<void> {
    const program = join(dirname(fileURLToPath(import.meta.url)), "run-workload.ts");
    const args = ["--import", "tsx", program, join(lab.path(), "work"), String(prng.uint32())];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, UV_THREADPOOL_SIZE: "16" },
      stdio: ["pipe", "pipe", "pipe"],
    });
    children.push(child);
    const result = finished(child);
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    await pause(500);
    await faults();
    await pause(1000);
    child.stdin?.end();
    const { status, stdout, stderr } = await result;
    say(`${what}: ${stdout.replace("working\n", "").trim()}`);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  }

  test("kill -9 of a chunk server costs programs time, and no error", async () => {
    const { cluster } = lab;
    await duringWork("a chunk server killed", async () => {
      await cluster.lab.kill("cs", 1);
      await pause(3000);
      await cluster.lab.startOne("cs", 1);
      await pause(1000);
    });
    await cluster.healthy();
  });

  test("kill -9 of the leading metadata server costs programs time, and no error", async () => {
    const { cluster } = lab;
    await duringWork("the leader killed", async () => {
      const leader = await cluster.leaderHost();
      await cluster.lab.kill("mds", leader);
      await pause(4000);
      await cluster.lab.startOne("mds", leader);
    });
    await cluster.healthy();
  });

  test("kill -9 of two chunk servers in turn, and a restart of every daemon, as well", async () => {
    const { cluster } = lab;
    await duringWork("two chunk servers in turn", async () => {
      for (const host of [2, 3]) {
        await cluster.lab.kill("cs", host);
        await pause(1500);
        await cluster.lab.startOne("cs", host);
        await cluster.healthy();
      }
    });
    await duringWork("every daemon restarted", async () => {
      await cluster.lab.stop();
      await pause(500);
      await cluster.lab.start();
      await cluster.healthy();
    });
  });

  test("below the minimum of replicas writers wait and can be killed; then others go on", async () => {
    const { cluster } = lab;
    const path = join(lab.path(), "waiting");
    await writeFile(path, "before");
    for (const host of [2, 3]) await cluster.lab.kill("cs", host);
    await pause(500);
    const killed = program("dd", "if=/dev/zero", `of=${path}-1`, "bs=64k", "count=8", "conv=fsync");
    const patient = program("dd", "if=/dev/zero", `of=${path}-2`, "bs=64k", "count=8", "conv=fsync");
    await pause(4000);
    expect(isRunning(killed) && isRunning(patient)).toBe(true);
    killed.kill("SIGKILL");
    await gone(killed);
    expect(await readFile(path, "utf8")).toBe("before");
    for (const host of [2, 3]) await cluster.lab.startOne("cs", host);
    expect(await ended(patient)).toBe(0);
    expect((await stat(`${path}-2`)).size).toBe(8 * 65_536);
    await cluster.healthy();
  });

  test("kill -9 of the mount's daemon: ENOTCONN, and the next mount finds all that was synced", async () => {
    const mount = lab.mount();
    const path = join(mount.path, "synced");
    const file = await open(path, "w");
    const content = Buffer.from(prng.bytes(3_000_000));
    await file.write(content);
    await file.sync();
    await mount.kill();
    await expect(stat(path)).rejects.toThrow(/ENOTCONN|ECONNABORTED/);
    await file.close().catch(() => undefined);
    await mount.mount();
    await eventually("the file is there", () => stat(path).catch(() => undefined));
    expect((await readFile(path)).equals(content)).toBe(true);
  });

  test("with the cluster gone programs wait and can be ended, none is stuck, and umount works", async () => {
    const { cluster } = lab;
    const mount = lab.mount();
    await writeFile(join(mount.path, "kept"), "kept");
    for (const kind of ["cs", "mds"] as const) {
      for (const host of [1, 2, 3]) await cluster.lab.kill(kind, host);
    }
    const waiting = [
      program("stat", join(mount.path, "nothing-of-that-name")),
      program("ls", "-l", mount.path),
      program("sh", "-c", `echo x > ${mount.path}/new`),
      program("dd", "if=/dev/zero", `of=${mount.path}/kept`, "bs=1M", "count=4", "conv=fsync"),
      program("mkdir", join(mount.path, "directory")),
    ];
    await pause(3000);
    expect(waiting.filter(isRunning).length).toBeGreaterThan(0);
    for (const child of waiting) child.kill("SIGTERM");
    for (const child of waiting) await gone(child);
    expect(stuck(mount.path)).toEqual([]);
    const umount = program("umount", mount.path);
    const status = await Promise.race([ended(umount), pause(PATIENCE_MS).then(() => "umount waits")]);
    expect(status).toBe(0);
    expect(mount.isMounted()).toBe(false);
    await cluster.lab.start();
    await cluster.healthy();
    // What it still had to write it can write now.
    await mount.ended();
    await mount.mount();
    await eventually("the cluster is there", () => stat(join(mount.path, "kept")).catch(() => undefined));
  });

  test("umount -f works with the cluster gone and a program waiting", async () => {
    const { cluster } = lab;
    const mount = lab.mount();
    for (const kind of ["cs", "mds"] as const) {
      for (const host of [1, 2, 3]) await cluster.lab.kill(kind, host);
    }
    const waiting = program("stat", join(mount.path, "nothing-of-that-name"));
    await pause(1500);
    // Busy while the program waits: what is under way is aborted all the same.
    await ended(program("umount", "-f", mount.path));
    await gone(waiting);
    if (mount.isMounted()) expect(await ended(program("umount", "-f", mount.path))).toBe(0);
    expect(mount.isMounted()).toBe(false);
    await mount.ended();
  });

  function program(name: string, ...args: readonly string[]): ChildProcess {
    const child = spawn(name, args, { stdio: "ignore" });
    children.push(child);
    return child;
  }
});

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

function ended(child: ChildProcess): Promise<number | null> {
  if (!isRunning(child)) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once("exit", (code) => resolve(code)));
}

async function gone(child: ChildProcess): Promise<void> {
  await eventually(`${child.spawnargs.join(" ")} is gone`, () => !isRunning(child), PATIENCE_MS);
}

/** Children of this process in uninterruptible sleep. */
function stuck(path: string): string[] {
  const own = readFileSync(`/proc/self/task/${process.pid}/children`, "utf8").trim().split(" ");
  return own.filter((pid) => {
    try {
      const state = /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
      return state === "D" && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(path);
    } catch {
      // It has ended.
      return false;
    }
  });
}
