import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { isAlive } from "../../src/cli/service-control.js";
import { eventually } from "./ordeal/calls.js";
import { TEST_MS } from "./ordeal/patience.js";

/** Whatever way a test run ends, nothing of it stays. */

vi.setConfig({ testTimeout: TEST_MS });

/** A test that has started programs: one that stands still, one that started another, and a mount if that may be. */
const PROGRAM = `
  const { RUN_DIRECTORY } = await import(${JSON.stringify(new URL("run-directory.ts", import.meta.url).href)});
  const { spawn, spawnSync } = await import("node:child_process");
  const { mkdirSync } = await import("node:fs");
  const still = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
  still.kill("SIGSTOP");
  const parent = spawn("sh", ["-c", "sleep 1001 & echo $!; wait"], { stdio: ["ignore", "pipe", "ignore"] });
  const child = await new Promise((resolve) => parent.stdout.once("data", (bytes) => resolve(Number(bytes))));
  mkdirSync(RUN_DIRECTORY + "/mnt");
  spawnSync("mount", ["-t", "tmpfs", "none", RUN_DIRECTORY + "/mnt"]);
  process.stdout.write(JSON.stringify({ directory: RUN_DIRECTORY, pids: [still.pid, parent.pid, child] }) + "\\n");
  setInterval(() => undefined, 1000);
`;

interface Run {
  readonly child: ChildProcess;
  readonly directory: string;
  readonly pids: readonly number[];
}

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

async function startRun(program = PROGRAM): Promise<Run> {
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  children.push(child);
  let text = "";
  child.stdout?.on("data", (bytes: Buffer) => {
    text += bytes.toString();
  });
  await eventually("the run has begun", () => text.includes("\n"));
  return { child, ...(JSON.parse(text) as { directory: string; pids: number[] }) };
}

async function expectNothingLeft({ directory, pids }: Run): Promise<void> {
  await eventually("nothing is left of it", () => pids.every((pid) => !isAlive(pid)));
  await eventually("its directory is gone", () => !existsSync(directory));
  expect(readFileSync("/proc/mounts", "utf8")).not.toContain(directory);
}

test.each(["SIGKILL", "SIGTERM", "SIGINT"] as const)(
  "after %s nothing of a test run is left",
  async (signal) => {
    const run = await startRun();
    expect(run.pids.every(isAlive)).toBe(true);
    run.child.kill(signal);
    await expectNothingLeft(run);
  },
);

test("a run whose giver is gone ends, though it does not notice, and nothing is left", async () => {
  const busy = `${PROGRAM}; process.removeAllListeners("disconnect"); setTimeout(() => { for (;;); }, 100);`;
  const giver = await startRun(`
    const { spawn } = await import("node:child_process");
    const args = ["--import", "tsx", "--input-type=module", "-e", ${JSON.stringify(busy)}];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    setInterval(() => undefined, 1000);
  `);
  giver.child.kill("SIGKILL");
  await expectNothingLeft(giver);
});
