import type { Terminal } from "./terminal.js";

/** One line on a terminal that is written over and over. Says nothing into a pipe. */
export class Progress {
  readonly #terminal: Terminal;
  #shown = "";

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  show(text: string): void {
    if (!this.#terminal.isWatched) return;
    const line = text.slice(0, this.#terminal.width - 1);
    if (line === this.#shown) return;
    this.#shown = line;
    this.#terminal.printError(`\r\u001b[K${line}`);
  }

  /** Takes the line away, so that something else can be printed. */
  clear(): void {
    if (this.#shown === "") return;
    this.#shown = "";
    this.#terminal.printError("\r\u001b[K");
  }
}
