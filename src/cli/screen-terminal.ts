import type { ReadStream, WriteStream } from "node:tty";
import { keysOf } from "./screen/top-state.js";

/** A terminal that is painted over again and again. */
export interface Screen {
  readonly width: number;
  /** Lines; infinite if the terminal cannot be painted over. */
  readonly height: number;
  /** Shows these lines and nothing else. */
  paint(lines: readonly string[]): void;
  /** Called for every key, and with Ctrl-D when there will be no more. */
  onKey(handler: (key: string) => void): void;
  onResize(handler: () => void): void;
  /** The terminal is as it was before. Idempotent. */
  close(): void;
}

const END_OF_INPUT = "\u0004";
// The other screen of the terminal, no cursor, no lines that go on in the next one.
const ENTER = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const LEAVE = "\u001b[?7h\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const ERASE_LINE = "\u001b[K";
const ERASE_BELOW = "\u001b[J";

/** The terminal of this process, which must have one as standard input and output. */
export function processScreen(): Screen {
  const { stdin, stdout } = process;
  const term = process.env["TERM"] ?? "dumb";
  return term === "dumb" ? dumbScreen(stdin, stdout) : paintedScreen(stdin, stdout);
}

/** A terminal that knows no positions: one picture after the other. */
function dumbScreen(stdin: ReadStream, stdout: WriteStream): Screen {
  return {
    ...keyboard(stdin, () => undefined),
    get width() {
      return stdout.columns || 80;
    },
    height: Number.POSITIVE_INFINITY,
    paint: (lines) => void stdout.write(`${lines.join("\r\n")}\r\n\r\n`),
    onResize: () => undefined,
  };
}

function paintedScreen(stdin: ReadStream, stdout: WriteStream): Screen {
  stdout.write(ENTER);
  return {
    ...keyboard(stdin, () => stdout.write(LEAVE)),
    get width() {
      return stdout.columns || 80;
    },
    get height() {
      return stdout.rows || 24;
    },
    paint: (lines) =>
      void stdout.write(HOME + lines.map((line) => ERASE_LINE + line).join("\r\n") + ERASE_BELOW),
    onResize: (handler) => void stdout.on("resize", handler),
  };
}

/** Raw keys until it is closed, by whom ever: also when the process ends by an exception. */
function keyboard(stdin: ReadStream, leave: () => void): Pick<Screen, "onKey" | "close"> {
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  let isClosed = false;
  const close = (): void => {
    if (isClosed) return;
    isClosed = true;
    process.off("exit", close);
    stdin.pause();
    stdin.setRawMode(false);
    leave();
  };
  process.on("exit", close);
  return {
    onKey: (handler) => {
      stdin.on("data", (text: string) => keysOf(text).forEach(handler));
      stdin.on("end", () => handler(END_OF_INPUT));
      stdin.on("error", () => handler(END_OF_INPUT));
      stdin.resume();
    },
    close,
  };
}
