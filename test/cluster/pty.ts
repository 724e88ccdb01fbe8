import { type ChildProcess, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { PATIENCE_MS } from "./ordeal/patience.js";

const HELPER = join(dirname(fileURLToPath(import.meta.url)), "on-terminal.py");
const HOME = "\u001b[H";
const END = "\u001b[J";

type Told = { readonly data: string } | { readonly status: number; readonly restored: boolean };

/** A program on a terminal of its own. */
export class Pty {
  readonly #child: ChildProcess;
  #output = "";
  readonly #ended: Promise<{ readonly status: number; readonly restored: boolean }>;

  constructor(
    size: { readonly rows: number; readonly columns: number },
    argv: readonly string[],
    env: Readonly<Record<string, string | undefined>>,
  ) {
    const args = [HELPER, String(size.rows), String(size.columns), ...argv];
    this.#child = spawn("python3", args, { env, stdio: ["pipe", "pipe", "inherit"] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error("the helper has no output");
    this.#ended = new Promise((resolve, reject) => {
      createInterface({ input: stdout }).on("line", (line) => {
        const told = JSON.parse(line) as Told;
        if ("data" in told) this.#output += told.data;
        else resolve(told);
      });
      this.#child.once("exit", () => setTimeout(() => reject(new Error("the helper ended")), 1000));
    });
    this.#ended.catch(() => undefined);
  }

  /** Everything that was written. */
  get output(): string {
    return this.#output;
  }

  /** The lines of the latest picture that is complete, without what steers the terminal. */
  get picture(): string[] {
    const painted = this.#output.slice(0, this.#output.lastIndexOf(END) + END.length);
    const latest = painted.slice(painted.lastIndexOf(HOME));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what steers a terminal.
    return latest.replace(/\u001b\[[?0-9;]*[A-Za-z]/g, "").split(/\r+\n/);
  }

  send(text: string): void {
    this.#tell({ send: text });
  }

  resize(rows: number, columns: number): void {
    this.#tell({ resize: [rows, columns] });
  }

  signal(number: number): void {
    this.#tell({ signal: number });
  }

  /** Resolves with the picture when it is so. */
  async shows(what: string, isSo: (picture: readonly string[]) => boolean): Promise<readonly string[]> {
    const end = Date.now() + PATIENCE_MS;
    while (!isSo(this.picture)) {
      if (Date.now() > end || this.#child.exitCode !== null) {
        throw new Error(`it was never shown that ${what}:\n${this.picture.join("\n")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return this.picture;
  }

  /** Exit status of the program, and whether the terminal has its old modes. */
  ended(): Promise<{ readonly status: number; readonly restored: boolean }> {
    return this.#ended;
  }

  /** Ends what still runs. */
  close(): void {
    this.#child.stdin?.end();
  }

  #tell(command: unknown): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }
}
