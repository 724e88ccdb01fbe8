import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { say } from "../cluster/ordeal/seed.js";
import { type Finished, finished } from "./harness.js";

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
  readonly timeoutMs?: number;
}

/** Where a program is; undefined if it is not installed. */
export function findProgram(name: string): string | undefined {
  const places = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return places.map((place) => join(place, name)).find((path) => existsSync(path));
}

/** True, and said, if one of the programs is missing. */
export function lacks(...names: readonly string[]): boolean {
  const missing = names.filter((name) => findProgram(name) === undefined);
  if (missing.length > 0) say(`skipped: ${missing.join(" and ")} not installed`);
  return missing.length > 0;
}

/** Runs a program to its end. It must end with status 0; else this throws what it said. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await attempt(argv, options);
  if (status === 0) return stdout;
  throw new Error(`${argv.join(" ")}: status ${status}\n${stdout.slice(-2000)}\n${stderr.slice(-2000)}`);
}

/** Runs a shell script with `set -e` to its end, as `run`. */
export function shell(script: string, options: RunOptions = {}): Promise<string> {
  return run(["sh", "-ec", script], options);
}

/** However it ends. */
export function attempt(argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { timeoutMs = 240_000, env, ...others } = options;
  const [program = "", ...args] = argv;
  const child = spawn(program, args, {
    ...others,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: timeoutMs,
    killSignal: "SIGKILL",
  });
  return finished(child);
}

/** Does it, and says how long it took. */
export async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work();
  say(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  return result;
}
