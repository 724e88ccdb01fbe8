import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { DiskCommand, DiskFaults } from "./faults.js";

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), "run-disk.ts");

/** Why no disk can fail here; undefined: they can. */
export function noFaultyDisks(): string | undefined {
  if (process.getuid?.() !== 0) return "mounting needs root";
  return existsSync("/dev/fuse") ? undefined : "there is no /dev/fuse";
}

/** A disk of its own process that fails when told to, mounted somewhere. `remove` must be called, whatever happens. */
export class FaultyDisk {
  readonly mountPoint: string;
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #answers: ((line: string) => void)[] = [];

  private constructor(mountPoint: string, child: ChildProcess) {
    this.mountPoint = mountPoint;
    this.#child = child;
    if (child.stdout === null) throw new Error("its output is a pipe");
    this.#lines = createInterface({ input: child.stdout });
    this.#lines.on("line", (line) => this.#answers.shift()?.(line));
    // Who waits for an answer of a process that has gone hears of it.
    child.once("exit", () => {
      for (const answer of this.#answers.splice(0)) answer("the process of the disk has ended");
    });
    REMAINING.add(this);
  }

  /** What it keeps is below `backing`. */
  static async mount(backing: string, mountPoint: string, seed: number): Promise<FaultyDisk> {
    mkdirSync(mountPoint, { recursive: true });
    const args = ["--import", "tsx", PROGRAM, backing, mountPoint, String(seed)];
    const disk = new FaultyDisk(
      mountPoint,
      spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] }),
    );
    const line = await disk.#answer();
    if (line !== "mounted") throw new Error(`no disk at ${mountPoint}: ${line}`);
    return disk;
  }

  /** From now on, instead of those before. */
  async suffer(faults: DiskFaults): Promise<void> {
    await this.#tell({ type: "faults", faults });
  }

  /** Whoever used it must have been killed. It is there again, empty-handed but for what had reached it. */
  async losePower(): Promise<void> {
    await this.#tell({ type: "losePower" });
  }

  /** Synchronous, so that it works at exit as well. */
  remove(): void {
    REMAINING.delete(this);
    spawnSync("umount", ["-f", "-l", this.mountPoint]);
    this.#child.kill("SIGKILL");
  }

  async #tell(command: DiskCommand): Promise<void> {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    const answer = await this.#answer();
    if (answer !== "done") throw new Error(answer);
  }

  #answer(): Promise<string> {
    return new Promise((resolve) => this.#answers.push(resolve));
  }
}

const REMAINING = new Set<FaultyDisk>();
process.on("exit", () => {
  for (const disk of REMAINING) disk.remove();
});
