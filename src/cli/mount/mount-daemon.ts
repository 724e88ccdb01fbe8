import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";
import { storageError } from "../../base/index.js";
import type { MountConfig, MountOutcome } from "../../mount/index.js";
import { installedPath } from "../installation.js";

/** Longer than the daemon looks for a leader. */
const START_TIMEOUT_MS = 60_000;
/**
 * Threads of the daemon's pool: notifications wait in them for the kernel, beside reads and writes of the cache file. Must be
 * in the environment before the process starts.
 */
const POOL_THREADS = 16;

/** Starts the daemon and resolves with its process id when the file system is mounted. It lives on its own. */
export async function startMount(config: MountConfig): Promise<number> {
  const errors = errorFile(config);
  const child = spawnDaemon(config, true, errors);
  if (typeof errors === "number") closeSync(errors);
  const stop = (): void => void child.kill("SIGTERM");
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  try {
    return await mounted(child);
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** Runs the daemon in the foreground, and resolves with its exit status when the file system is unmounted. */
export async function runMount(
  config: MountConfig,
  onMounted: () => void = () => undefined,
): Promise<number> {
  const child = spawnDaemon(config, false, "inherit");
  const ended = new Promise<number>((resolve) => {
    child.once("exit", (status, signal) => resolve(status ?? (signal === null ? 1 : 128)));
  });
  // Ctrl-C reaches both; a signal to this process alone is handed on.
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  process.on("SIGINT", () => undefined);
  await mounted(child);
  onMounted();
  return ended;
}

function spawnDaemon(
  config: MountConfig,
  isDetached: boolean,
  errors: "inherit" | "ignore" | number,
): ChildProcess {
  const program = installedPath("bin/pstorage-mountd.js");
  return spawn(process.execPath, [program, JSON.stringify(config)], {
    cwd: "/",
    detached: isDetached,
    env: { ...process.env, UV_THREADPOOL_SIZE: String(POOL_THREADS) },
    stdio: ["ignore", isDetached ? "ignore" : "inherit", errors, "ipc"],
  });
}

/** What the runtime has to say at its death goes beside the log. */
function errorFile({ log }: MountConfig): number | "ignore" {
  if (log.startsWith("/dev/")) return "ignore";
  try {
    mkdirSync(dirname(log), { recursive: true });
    return openSync(join(dirname(log), "fatal-log"), "a");
  } catch (error) {
    throw storageError(
      "invalid",
      `the log ${log} cannot be written: ${(error as Error).message}; name another with -l`,
      error,
    );
  }
}

function mounted(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(
        storageError("timed_out", "the mount daemon does not become ready; its log says what it waits for"),
      );
    }, START_TIMEOUT_MS);
    const settle = (outcome: MountOutcome): void => {
      clearTimeout(timer);
      if (outcome.type === "mounted") resolve(outcome.pid);
      else reject(storageError("unavailable", outcome.reason));
    };
    child.once("message", (outcome) => settle(outcome as MountOutcome));
    child.once("error", (error) => settle({ type: "failed", reason: error.message }));
    child.once("exit", (status, signal) =>
      settle({ type: "failed", reason: `the mount daemon ended with ${signal ?? `status ${status}`}` }),
    );
  });
}
