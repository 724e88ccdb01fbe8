import { storageError } from "../base/index.js";
import type { Host } from "./host.js";
import { checkedClusterName } from "./host-files.js";
import type { Terminal } from "./terminal.js";

/** Options that every command has, before or after its name. */
export interface GlobalOptions {
  readonly cluster?: string;
  readonly quiet?: boolean;
}

/** One run of the command line: where, for which cluster, and how it shall end. */
export class Invocation {
  readonly host: Host;
  readonly terminal: Terminal;
  /** What the process shall end with. A failure that is thrown makes it 1. */
  exitStatus = 0;
  #options: () => GlobalOptions = () => ({});

  constructor(host: Host, terminal: Terminal) {
    this.host = host;
    this.terminal = terminal;
  }

  /** Set once, by whoever parses the arguments. */
  useOptions(options: () => GlobalOptions): void {
    this.#options = options;
  }

  /** From -c or the environment. Throws `invalid` if neither names one. */
  get clusterName(): string {
    const name = this.#options().cluster ?? this.terminal.env["PSTORAGE_NAME"];
    if (name === undefined || name === "") {
      throw storageError("invalid", "which cluster? give -c NAME, or set PSTORAGE_NAME");
    }
    return checkedClusterName(name);
  }

  /** What -c says, if it is given. */
  get givenClusterName(): string | undefined {
    return this.#options().cluster;
  }

  get isQuiet(): boolean {
    return this.#options().quiet === true;
  }

  print(line: string): void {
    this.terminal.print(line);
  }

  printLines(lines: readonly string[]): void {
    for (const line of lines) this.print(line);
  }

  printJson(value: unknown): void {
    this.print(JSON.stringify(value, undefined, 2));
  }

  /** What goes wrong beside the main thing: one line on standard error, and exit status 1 in the end. */
  complain(text: string): void {
    this.terminal.printError(`${this.terminal.programName}: ${text}\n`);
    this.exitStatus = 1;
  }
}
