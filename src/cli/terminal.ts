import { constants } from "node:os";
import { storageError } from "../base/index.js";
import { processScreen, type Screen } from "./screen-terminal.js";

/** What a command reads and writes: a terminal, or pipes. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Name the program was called by: `pstorage` or `vstorage`. */
  readonly programName: string;
  /** Somebody looks at standard error: progress makes sense. */
  readonly isWatched: boolean;
  /** Columns of the terminal. */
  readonly width: number;
  /** Columns of standard output; infinite if it is no terminal. */
  readonly outputWidth: number;
  /** Standard input and output are a terminal, so that `openScreen` gives a screen. */
  readonly hasScreen: boolean;
  print(line: string): void;
  /** To standard error, as it is. */
  printError(text: string): void;
  /** To standard output, as they are; resolves when there is room for more. */
  write(bytes: Uint8Array): Promise<void>;
  /** Standard input. */
  read(): AsyncIterable<Uint8Array>;
  /** Asks on the terminal; what is typed is not shown. Fails if there is no terminal. */
  askSecret(prompt: string): Promise<string>;
  /** Asks on the terminal; undefined if there is none. */
  ask(prompt: string): Promise<string | undefined>;
  /** The whole terminal, to paint on; whoever opens it closes it. */
  openScreen(): Screen;
  /** Called when somebody wants the program to stop: Ctrl-C, SIGTERM, SIGHUP. */
  onStop(handler: () => void): void;
}

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr } = process;
  // `pstorage ... | head`: the reader has seen enough.
  stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
  stderr.on("error", () => undefined);
  return {
    env: process.env,
    programName: /(^|\/)vstorage(\.js)?$/.test(process.argv[1] ?? "") ? "vstorage" : "pstorage",
    isWatched: stderr.isTTY === true,
    get width() {
      return stderr.columns ?? 80;
    },
    outputWidth: stdout.isTTY ? stdout.columns || 80 : Number.POSITIVE_INFINITY,
    hasScreen: stdin.isTTY === true && stdout.isTTY === true,
    openScreen: () => processScreen(),
    print: (line) => void stdout.write(`${line}\n`),
    printError: (text) => void stderr.write(text),
    write: (bytes) =>
      new Promise((resolve) => (stdout.write(bytes) ? resolve() : stdout.once("drain", resolve))),
    read: () => stdin,
    askSecret: (prompt) => askSecret(prompt),
    ask: (prompt) => (stdin.isTTY ? askLine(prompt, true) : Promise.resolve(undefined)),
    onStop: (handler) => {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, handler);
    },
  };
}

function askSecret(prompt: string): Promise<string> {
  if (!process.stdin.isTTY) {
    throw storageError(
      "invalid",
      "there is no terminal to ask for the password; use -P to read it from standard input",
    );
  }
  return askLine(prompt, false);
}

const BACKSPACE = new Set(["\b", "\u007f"]);
const CONTROL_C = "\u0003";
const CONTROL_D = "\u0004";

/** One line from the terminal in raw mode, so that nothing is shown unless we show it. */
function askLine(prompt: string, isShown: boolean): Promise<string> {
  const { stdin, stderr } = process;
  stderr.write(prompt);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  return new Promise((resolve) => {
    let typed: string[] = [];
    const finish = (): void => {
      stdin.off("data", onData);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write("\n");
    };
    const onData = (text: string): void => {
      for (const character of text) {
        if (character === CONTROL_C) {
          finish();
          process.exit(128 + constants.signals.SIGINT);
        }
        if (character === "\r" || character === "\n" || character === CONTROL_D) {
          finish();
          resolve(typed.join(""));
          return;
        }
        if (BACKSPACE.has(character)) typed = typed.slice(0, -1);
        else typed.push(character);
        if (isShown) stderr.write(BACKSPACE.has(character) ? "\b \b" : character);
      }
    };
    stdin.on("data", onData);
    stdin.resume();
  });
}
