import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Prng } from "../../../src/base/index.js";
import type { Lab } from "../../../src/cli/lab/lab.js";
import { eventually } from "./calls.js";

export const RECORD_BYTES = 50_000;

/** What record number so and so holds. */
export function recordBytes(index: number): Uint8Array {
  return new Prng(index).bytes(RECORD_BYTES);
}

/** The process of record-writer.ts. */
export class RecordWriter {
  readonly #child: ChildProcess;
  #output = "";

  constructor(lab: Lab, host: number, path: string) {
    const program = fileURLToPath(new URL("record-writer.ts", import.meta.url));
    const args = ["--import", "tsx", program, lab.clusterName, lab.root(host), path];
    this.#child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child.stdout?.on("data", (bytes: Buffer) => {
      this.#output += bytes.toString();
    });
  }

  /** How many records were acknowledged, as far as heard. */
  get count(): number {
    return this.#output.split("\n").filter((line) => /^\d+$/.test(line)).length;
  }

  /** Why it ended by itself. */
  get end(): string | undefined {
    return this.#output.split("\n").find((line) => line !== "" && !/^\d+$/.test(line));
  }

  /** Fails only if nothing is written for long. */
  async atLeast(count: number): Promise<void> {
    while (this.count < count) {
      const before = this.count;
      await eventually(`more than ${before} records are written`, () => this.count > before || undefined);
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Kills it, and resolves with the number of acknowledged records when all it said was heard. */
  async kill(): Promise<number> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const closed = new Promise((resolve) => this.#child.once("close", resolve));
      this.#child.kill("SIGKILL");
      await closed;
    }
    return this.count;
  }
}
