import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Whatever a test starts ends with the process that runs the test, however that one ends: SIGKILL leaves no daemon, no
 * program and no mount behind for longer than a moment.
 *
 * From its import on, the temporary directory of this process and of all it starts is a directory of its own, and
 * by that name they are known. A guard, which nobody stops by stopping the tests, waits for the end of this process; then
 * it kills all of them, unmounts what is mounted in the directory, and removes it.
 */
export const RUN_DIRECTORY = mkdtempSync(join(tmpdir(), "pstorage-run-"));

// Some tests have other users work in there.
chmodSync(RUN_DIRECTORY, 0o755);
const guard = startGuard();
process.env["TMPDIR"] = RUN_DIRECTORY;
// Of whoever gave out the tests: without it nobody would hear how they end.
process.on("disconnect", () => process.exit(1));

/** It must not be known by the name it looks for. */
function startGuard(): ChildProcess {
  const program = join(dirname(fileURLToPath(import.meta.url)), "run-guard.mjs");
  const watched = [process.pid, ...(process.send === undefined ? [] : [process.ppid])];
  const child = spawn(process.execPath, [program, RUN_DIRECTORY, ...watched.map(String)], {
    cwd: "/",
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  // Nothing is ever written: it hears our end.
  child.stdin.on("error", () => undefined);
  child.unref();
  if ("unref" in child.stdin && typeof child.stdin.unref === "function") child.stdin.unref();
  return child;
}

/** Process id of the guard. */
export const GUARD_PID = guard.pid;
