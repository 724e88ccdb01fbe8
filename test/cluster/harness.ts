import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { HostFiles } from "../../src/cli/host-files.js";
import { Lab } from "../../src/cli/lab/lab.js";
import { waitHealthy } from "../../src/cli/lab/lab-health.js";
import type { LabSize } from "../../src/cli/lab/lab-plan.js";
import { localServices } from "../../src/cli/service-control.js";
import type { ClusterStatus } from "../../src/meta/index.js";
import { PATIENCE_MS } from "./ordeal/patience.js";
import "./run-directory.js";

const CHECKOUT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export interface CommandResult {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
}

export interface CommandOptions {
  /** `PSTORAGE_ROOT`. */
  readonly root: string;
  /** `PSTORAGE_NAME`. */
  readonly cluster?: string;
  /** Standard input. */
  readonly input?: string | Uint8Array;
}

/** Runs one of the programs in bin/ as a user would, and resolves when it has ended. */
export async function runProgram(
  name: "pstorage" | "pstorage-mdsd" | "pstorage-csd",
  args: readonly string[],
  { root, cluster, input = "" }: CommandOptions,
): Promise<CommandResult> {
  requireBuild();
  const name_ = cluster === undefined ? {} : { PSTORAGE_NAME: cluster };
  const child = spawn(process.execPath, [join(CHECKOUT, "bin", `${name}.js`), ...args], {
    env: { ...process.env, PSTORAGE_ROOT: root, ...name_ },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const output: Buffer[] = [];
  const errors: Buffer[] = [];
  child.stdout.on("data", (bytes: Buffer) => output.push(bytes));
  child.stderr.on("data", (bytes: Buffer) => errors.push(bytes));
  // A program that does not read its input may have ended before it was written.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { status, output: Buffer.concat(output).toString(), errors: Buffer.concat(errors).toString() };
}

/** A directory for one suite, and the end of every daemon that was started under it. */
export class ClusterDirectory {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(): Promise<ClusterDirectory> {
    return new ClusterDirectory(await mkdtemp(join(tmpdir(), "pstorage-cluster-")));
  }

  /** Kills what still runs on these hosts, and removes everything; `PSTORAGE_KEEP_LOGS` names where logs are kept. */
  async remove(roots: readonly string[]): Promise<void> {
    for (const root of roots) {
      for (const kind of ["mds", "cs"] as const) {
        for (const { pid } of await localServices(new HostFiles(root), kind)) {
          if (pid !== undefined) process.kill(pid, "SIGKILL");
        }
      }
    }
    // Nothing fails for want of them.
    await keepLogs(this.path).catch(() => undefined);
    await rm(this.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }
}

/**
 * Copies the logs that daemons have written under the directory to where `PSTORAGE_KEEP_LOGS` says, if it does: in a
 * folder of the test file's name, for whoever looks for the reason of a failure.
 */
export async function keepLogs(directory: string): Promise<void> {
  const keep = process.env["PSTORAGE_KEEP_LOGS"];
  if (keep === undefined) return;
  const target = join(keep, await testFileName(), basename(directory));
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const isLog = /^(log|fatal-log|.*\.log)$/.test(entry.name);
    if (!entry.isFile() || !isLog || /\/(raft|state|replicas)$/.test(entry.parentPath)) continue;
    const from = join(entry.parentPath, entry.name);
    const to = join(target, relative(directory, from));
    await mkdir(dirname(to), { recursive: true });
    await copyFile(from, to);
  }
}

async function testFileName(): Promise<string> {
  if (process.env["VITEST"] === undefined) return "";
  const { expect } = await import("vitest");
  return basename(expect.getState().testPath ?? "");
}

/**
 * A real cluster for tests: a lab in a directory of its own. `close` must be called, whatever happens; it ends every
 * daemon and removes the data.
 */
export class ClusterHarness {
  readonly lab: Lab;
  readonly #directory: ClusterDirectory;

  private constructor(lab: Lab, directory: ClusterDirectory) {
    this.lab = lab;
    this.#directory = directory;
  }

  /** Made, started and healthy. `prepare` comes before anything of the lab is made. */
  static async start(size: LabSize, prepare?: (lab: Lab) => void | Promise<void>): Promise<ClusterHarness> {
    requireBuild();
    const directory = await ClusterDirectory.make();
    const harness = new ClusterHarness(await Lab.plan(join(directory.path, "lab"), size), directory);
    try {
      await prepare?.(harness.lab);
      await harness.lab.start();
      await harness.healthy();
      return harness;
    } catch (error) {
      await harness.close();
      throw error;
    }
  }

  /** Resolves when every daemon of the lab is there and the cluster says that it is healthy. */
  healthy(): Promise<ClusterStatus> {
    return waitHealthy(this.lab, () => undefined);
  }

  /** Polls what the leader says until it is so. Fails after `timeoutMs`, with the last thing it said. */
  async until(
    truth: (status: ClusterStatus) => boolean,
    what: string,
    timeoutMs = PATIENCE_MS,
  ): Promise<ClusterStatus> {
    const end = Date.now() + timeoutMs;
    for (;;) {
      const status = await this.lab.status(timeoutMs);
      if (truth(status)) return status;
      if (Date.now() > end) throw new Error(`it did not come true that ${what}: ${JSON.stringify(status)}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** `pstorage` with these arguments, as if on that host. */
  run(
    args: readonly string[],
    { host = 1, root = this.lab.root(host), input = "" as string | Uint8Array } = {},
  ): Promise<CommandResult> {
    return runProgram("pstorage", args, { root, cluster: this.lab.clusterName, input });
  }

  /** Which host's MDS leads. */
  async leaderHost(): Promise<number> {
    const status = await this.lab.status(PATIENCE_MS);
    const leader = status.mdsServers.find(({ isLeader }) => isLeader);
    const host = this.lab.mdsAddresses.indexOf(leader?.address ?? "") + 1;
    if (host === 0) throw new Error("the leader is none of the lab's MDSs");
    return host;
  }

  /** `lab`: the same one, if it has grown since. */
  async close(lab = this.lab): Promise<void> {
    const roots = Array.from({ length: lab.hostCount }, (_, index) => lab.root(index + 1));
    await this.#directory.remove(roots);
  }
}

function requireBuild(): void {
  if (existsSync(join(CHECKOUT, "dist/.built"))) return;
  throw new Error("real daemons run from dist/: run `npm run build`, or the tests by `npm test`");
}
