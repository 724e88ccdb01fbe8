import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Cluster, connectCluster } from "../../src/client/connect.js";
import { ClusterHarness, keepLogs } from "../cluster/harness.js";
import { PATIENCE_MS } from "../cluster/ordeal/patience.js";
import { say } from "../cluster/ordeal/seed.js";

const CHECKOUT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const PROGRAM = join(CHECKOUT, "bin/pstorage-mount.js");

/** Why mounts cannot be tested here; undefined where they can. Printed once. */
export function mountObstacle(): string | undefined {
  const reason = !existsSync("/dev/fuse")
    ? "there is no /dev/fuse"
    : process.getuid?.() !== 0
      ? "mounting needs root"
      : undefined;
  if (reason !== undefined) say(`skipped: ${reason}`);
  return reason;
}

export interface MountSpec {
  /** Which host of the lab mounts; default 1. */
  readonly host?: number;
  /** For the program, before the mount point. */
  readonly args?: readonly string[];
}

/** One mount of a lab's cluster, with the daemon in the foreground as a child of this process. */
export class Mounted {
  readonly path: string;
  readonly #cluster: ClusterHarness;
  readonly #spec: MountSpec;
  #child: ChildProcess | undefined;

  constructor(cluster: ClusterHarness, path: string, spec: MountSpec) {
    this.#cluster = cluster;
    this.path = path;
    this.#spec = spec;
    MOUNTS.add(this);
  }

  /** Resolves when the kernel shows the mount; one that lost its daemon is not counted. */
  async mount(): Promise<void> {
    const { lab } = this.#cluster;
    const { host = 1, args = [] } = this.#spec;
    if (!this.isMounted()) await mkdir(this.path, { recursive: true });
    const log = `${this.path}.log`;
    const child = spawn(
      process.execPath,
      [PROGRAM, "-c", lab.clusterName, "-f", "-l", log, ...args, this.path],
      { env: { ...process.env, ...lab.env(host) }, stdio: ["ignore", "inherit", "inherit"] },
    );
    this.#child = child;
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      // Looked at twice: in between a dead mount may have been taken away, and the bare directory has answered.
      if (this.isMounted() && (await answers(this.path)) && this.isMounted()) return;
      if (child.exitCode !== null || Date.now() > end) {
        const why = existsSync(log) ? readFileSync(log, "utf8").slice(-2000) : "";
        throw new Error(`not mounted at ${this.path} (exit status ${child.exitCode}): ${why}`);
      }
      await pause(50);
    }
  }

  isMounted(): boolean {
    return mountPoints().has(this.path);
  }

  /** umount(8), and the end of the daemon. */
  async unmount(): Promise<void> {
    const { status, stderr } = await finished(
      spawn("umount", [this.path], { stdio: ["ignore", "ignore", "pipe"] }),
    );
    if (status !== 0) throw new Error(`umount ${this.path}: ${stderr}`);
    await this.ended();
  }

  /** SIGKILL to the daemon. The mount point stays, and answers ENOTCONN. */
  async kill(): Promise<void> {
    for (const pid of this.pids()) process.kill(pid, "SIGKILL");
    await this.ended();
  }

  /** The processes behind the mount: the child, and what it started. */
  pids(): number[] {
    const pid = this.#child?.pid;
    return pid === undefined || !isRunning(this.#child) ? [] : [pid, ...descendants(pid)];
  }

  /** Resolves when the daemon is gone. */
  async ended(): Promise<number | null> {
    const child = this.#child;
    if (child === undefined) return null;
    const end = Date.now() + PATIENCE_MS;
    while (child.exitCode === null && child.signalCode === null) {
      if (Date.now() > end) throw new Error(`the daemon of ${this.path} does not end`);
      await pause(20);
    }
    return child.exitCode;
  }

  /** Whatever state it is in: aborts the connection, unmounts and kills. Synchronous, so that it works at exit as well. */
  remove(): void {
    MOUNTS.delete(this);
    const connection = mountPoints().get(this.path);
    if (connection !== undefined) {
      const abort = `/sys/fs/fuse/connections/${connection}/abort`;
      if (existsSync(abort)) writeFileSync(abort, "1");
    }
    for (let left = 5; left > 0 && this.isMounted(); left--) spawnSync("umount", ["-f", "-l", this.path]);
    for (const pid of this.pids()) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has just ended.
      }
    }
  }
}

const MOUNTS = new Set<Mounted>();
process.on("exit", () => {
  for (const mounted of MOUNTS) mounted.remove();
});

export interface MountLabSize {
  readonly mdsCount?: number;
  readonly csCount?: number;
  readonly mounts?: readonly MountSpec[];
}

/** A lab and its mounts, in a directory of their own. `close` must be called, whatever happens. */
export class MountLab {
  readonly cluster: ClusterHarness;
  readonly mounts: readonly Mounted[];
  readonly directory: string;
  readonly #clients: Cluster[] = [];

  private constructor(cluster: ClusterHarness, directory: string, mounts: readonly Mounted[]) {
    this.cluster = cluster;
    this.directory = directory;
    this.mounts = mounts;
  }

  static async start({ mdsCount = 1, csCount = 3, mounts = [{}] }: MountLabSize = {}): Promise<MountLab> {
    const cluster = await ClusterHarness.start({ mdsCount, csCount });
    const directory = await mkdtemp(join(tmpdir(), "pstorage-mount-"));
    spawnSync("chmod", ["755", directory]);
    const lab = new MountLab(
      cluster,
      directory,
      mounts.map((spec, index) => new Mounted(cluster, join(directory, `mnt${index + 1}`), spec)),
    );
    try {
      for (const mounted of lab.mounts) await mounted.mount();
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** The path of the nth mount, from 0. */
  path(index = 0): string {
    return this.mount(index).path;
  }

  mount(index = 0): Mounted {
    const mounted = this.mounts[index];
    if (mounted === undefined) throw new Error(`the lab has no mount ${index}`);
    return mounted;
  }

  /** A client by the library. */
  async client(): Promise<Cluster> {
    const { lab } = this.cluster;
    const client = await connectCluster({ cluster: lab.clusterName, root: lab.root(1) });
    this.#clients.push(client);
    return client;
  }

  async close(): Promise<void> {
    for (const mounted of this.mounts) mounted.remove();
    await keepLogs(this.directory).catch(() => undefined);
    await Promise.allSettled(this.#clients.map((client) => client.close()));
    await this.cluster.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a child said, and how it ended. */
export async function finished(child: ChildProcess): Promise<Finished> {
  const parts = { stdout: "", stderr: "" };
  child.stdout?.on("data", (bytes: Buffer) => {
    parts.stdout += bytes.toString();
  });
  child.stderr?.on("data", (bytes: Buffer) => {
    parts.stderr += bytes.toString();
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  return { status, ...parts };
}

/** False at a mount whose daemon is gone. */
function answers(path: string): Promise<boolean> {
  return statfs(path).then(
    () => true,
    () => false,
  );
}

/** Mount point -> number of its device: of the FUSE connection. Reading it touches no mount. */
function mountPoints(): Map<string, string> {
  const points = new Map<string, string>();
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
    const [, , device = "", , path] = line.split(" ");
    if (path !== undefined) points.set(path, device.split(":")[1] ?? "");
  }
  return points;
}

/** Children, and theirs, of a process. */
function descendants(pid: number): number[] {
  const found: number[] = [];
  if (!existsSync(`/proc/${pid}/task`)) return found;
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const children = readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim();
    for (const child of children === "" ? [] : children.split(" ").map(Number))
      found.push(child, ...descendants(child));
  }
  return found;
}

function isRunning(child: ChildProcess | undefined): boolean {
  return child?.exitCode === null && child.signalCode === null;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
