/**
 * `run-guard.mjs DIRECTORY PID [PARENT]`: waits for the end of its standard input, which is the end of the process PID
 * that started it; ends that process itself if PARENT, which gave it its work, is gone. Then it kills everything
 * whose temporary directory is DIRECTORY, unmounts what is mounted in there, and removes it and the network namespaces
 * named after it. See run-directory.ts.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const LOOK_MS = 500;
/** Killed processes may start others meanwhile, and unmounting may have to wait for their end. */
const ROUNDS_MAX = 40;
const PAUSE_MS = 50;
/** umount(8) and the like never wait for long: what they touch has lost its daemon. */
const COMMAND_MS = 5000;

const [directory = "", pid = "", parent] = process.argv.slice(2);
if (!directory.includes("pstorage-run-")) throw new Error(`${directory} is not the directory of a test run`);
process.on("SIGHUP", () => undefined);
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => undefined);

const parentBegan = parent === undefined ? undefined : beginOf(parent);
if (parent !== undefined) {
  setInterval(() => {
    if (parentBegan !== undefined && beginOf(parent) === parentBegan) return;
    // It may hang in a system call, so that it does not notice.
    kill(Number(pid));
  }, LOOK_MS).unref();
}
process.stdin.resume();
process.stdin.on("close", () => void clean());

async function clean() {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const left = processes();
    for (const each of left) kill(each);
    const mounts = mountPoints();
    for (const path of mounts) command("umount", "-l", path);
    for (const device of loopDevices()) command("losetup", "-d", device);
    if (left.length === 0 && mounts.length === 0) break;
    await sleep(PAUSE_MS);
  }
  for (const name of namespaces()) command("ip", "netns", "del", name);
  if (mountPoints().length === 0) command("rm", "-rf", "--one-file-system", directory);
  process.exit(0);
}

/** Those that were started with that temporary directory and have not ended. */
function processes() {
  const mark = `TMPDIR=${directory}`;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => text(`/proc/${name}/environ`).split("\0").includes(mark))
    .map(Number);
}

/** In the directory, the innermost first. */
function mountPoints() {
  return text("/proc/self/mountinfo")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${directory}/`))
    .reverse();
}

/** Of files in the directory. */
function loopDevices() {
  return command("losetup", "-n", "-O", "NAME,BACK-FILE", "-l")
    .split("\n")
    .filter((line) => line.includes(`${directory}/`))
    .map((line) => line.split(" ")[0] ?? "");
}

/** Networks that were made for the run are named after the directory. */
function namespaces() {
  const mark = `${directory.slice(directory.lastIndexOf("/") + 1)}-`;
  try {
    return readdirSync("/run/netns").filter((name) => name.startsWith(mark));
  } catch {
    return [];
  }
}

function kill(each) {
  try {
    process.kill(each, "SIGKILL");
  } catch {
    // It has just ended.
  }
}

function command(name, ...args) {
  return spawnSync(name, args, { encoding: "utf8", timeout: COMMAND_MS }).stdout ?? "";
}

/** When the process began: its number is used again, that is not. Undefined if it is gone. */
function beginOf(each) {
  const stat = text(`/proc/${each}/stat`);
  return stat.slice(stat.lastIndexOf(")")).split(" ")[20];
}

function text(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Gone, or not ours.
    return "";
  }
}
